package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/simulate/agents"
	"patrol/internal/wire"
)

func simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Make what nobody has: a fleet of any size",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(simulateAgentsCommand())
	return cmd
}

func simulateAgentsCommand() *cobra.Command {
	var o agents.Options
	var console, fingerprint, ca string
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "Run many agents of machines that are made up, to see what a console bears",
		Long: `Run many agents of machines that are made up, to see what a console bears. Each
has a connection of its own, registers, sends heartbeats, and answers scans with
one of a few SBOMs. They are forgotten when the command ends; the console keeps
their nodes until it retires them.`,
		Example: "  patrol simulate agents --console https://127.0.0.1:8443 --fingerprint sha256:… --enrolment-token patrol_enrolment_… --count 10000 --log-level warn",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			address, client, err := connect(console, fingerprint, ca)
			if err != nil {
				return err
			}
			o.Console, o.Version = address, version()
			verify := client.Transport.(*http.Transport).TLSClientConfig
			// Each has a TLS session of its own to resume. A clone would not do: to
			// clone a transport is to have it offer HTTP/2, and its clones with it.
			o.HTTP = func() *http.Client {
				own := transport(verify.Clone())
				wire.Frugal(own)
				return &http.Client{Transport: own}
			}
			slog.Info("agents begin", "count", o.Count, "console", address.Redacted())
			return agents.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&console, "console", "http://127.0.0.1:8080", "URL of the console")
	verifyFlags(f, &fingerprint, &ca)
	f.StringVar(&o.EnrolmentToken, "enrolment-token", "", "with which they register; better given as PATROL_ENROLMENT_TOKEN")
	f.IntVar(&o.Count, "count", 100, "how many agents")
	f.IntVar(&o.Inventories, "inventories", 10, "how many distinct inventories, of 600 components each, they share")
	f.DurationVar(&o.Heartbeat, "heartbeat", 30*time.Second, "how often each says that it is there; 0 for the console's pace")
	f.DurationVar(&o.Ramp, "ramp", time.Minute, "how long until all have begun")
	f.Uint64Var(&o.Seed, "seed", 1, "the same seed makes the same machines")
	return cmd
}
