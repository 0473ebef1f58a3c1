package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/console"
	"patrol/internal/feed"
	"patrol/internal/operations"
)

func doctorCommand(settings *settings) *cobra.Command {
	var r remote
	var o console.Options
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with a console, and what to do about it",
		Long: `Look at disk, database, feed, agents, secrets and clock, and say what to do. With --console
and --token it asks a console; else it looks at --data-dir, also while no console
runs. It exits with 1 if something is broken.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.SecretsKey = settings.values.String("secrets.key")
			d, err := examine(cmd, &r, o)
			if err != nil {
				return err
			}
			err = show(cmd.OutOrStdout(), output, d, func(w io.Writer) {
				for _, s := range d.Findings {
					fmt.Fprintf(w, "%-8s %s: %s\n", strings.ToUpper(string(s.State)), s.Name, s.Detail)
					if s.Advice != "" {
						fmt.Fprintf(w, "         → %s\n", s.Advice)
					}
				}
			})
			if err == nil && d.Broken() {
				err = errors.New("something is broken: see above")
			}
			return err
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&o.DataDir, "data-dir", "patrol-data", "directory of the console, where no --token is given")
	cmd.Flags().StringVar(&o.DatabaseURL, "database-url", "", "as the console has it")
	cmd.Flags().StringVar(&o.FeedURL, "feed-url", feed.DefaultURL, "as the console has it: what its clock is compared with")
	outputFlag(cmd, &output)
	return cmd
}

func examine(cmd *cobra.Command, r *remote, o console.Options) (d operations.Diagnosis, err error) {
	if r.token == "" {
		return console.Examine(cmd.Context(), o)
	}
	c, err := r.client()
	if err != nil {
		return d, err
	}
	asked := time.Now()
	if err := c.Do(cmd.Context(), http.MethodGet, "doctor", nil, &d); err != nil {
		return d, err
	}
	// The examination began some time between asking and the answer.
	here := asked
	if now := time.Now(); d.At.After(now) {
		here = now
	} else if d.At.After(asked) {
		here = d.At
	}
	d.Findings = append(d.Findings, operations.CompareClocks(d, here))
	return d, nil
}
