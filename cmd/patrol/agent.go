package main

import (
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"patrol/internal/agent"
)

func agentCommand() *cobra.Command {
	var o agent.Options
	var console, fingerprint, ca string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent: report what is installed on this machine",
		Long: `Run the agent. It registers with an enrolment token once, and keeps its own
credential in --data-dir from then on.`,
		Example: "  patrol agent --console https://console.example:8080 --fingerprint sha256:… --enrolment-token patrol_enrolment_…",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			agent.LowerPriority()
			debug.SetMemoryLimit(agent.MemoryLimit)
			if o.Root, err = filepath.Abs(o.Root); err != nil {
				return err
			}
			if o.Console, o.HTTP, err = connectAgent(console, fingerprint, ca); err != nil {
				return err
			}
			o.Version = version()
			return agent.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&console, "console", "http://127.0.0.1:8080", "URL of the console")
	verifyFlags(f, &fingerprint, &ca)
	f.StringVar(&o.EnrolmentToken, "enrolment-token", "", "needed for the first start; better given as PATROL_ENROLMENT_TOKEN")
	f.StringToStringVar(&o.Labels, "label", nil, "k=v, several times or separated by commas")
	f.StringVar(&o.Root, "root", "/", "tree to scan")
	f.StringSliceVar(&o.Runtimes, "runtime", nil, "docker:SOCKET, containerd:SOCKET or cri:SOCKET: container runtime to ask, several times, instead of those that are found")
	f.BoolVar(&o.Unwatched, "unwatched", false, "do not notice when packages change: nothing is scanned because of it")
	f.StringVar(&o.DataDir, "data-dir", agentDir(), "directory for the agent's identity")
	return cmd
}

// agentDir is where a service keeps its state, or a user.
func agentDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/patrol-agent"
	}
	if state := os.Getenv("XDG_STATE_HOME"); state != "" {
		return filepath.Join(state, "patrol-agent")
	}
	return filepath.Join(os.Getenv("HOME"), ".local", "state", "patrol-agent")
}
