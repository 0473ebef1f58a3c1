package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"patrol/internal/schedule"
)

func pauseCommand(r *remote) *cobra.Command {
	var reason, until, output string
	cmd := &cobra.Command{
		Use: "pause SCHEDULE", Short: "Keep a schedule from firing; what is missed meanwhile is not made up for", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := schedule.PauseRequest{Reason: reason}
			if until != "" {
				var err error
				if in.Until, err = momentOf("--until", until); err != nil {
					return err
				}
			}
			return askOf(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, args[0], "/pause", in, say)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.Flags().StringVar(&until, "until", "", "when the pause ends by itself, such as 2026-06-01T00:00:00Z; without it, with patrol schedules resume")
	_ = cmd.MarkFlagRequired("reason") // it is there
	outputFlag(cmd, &output)
	return cmd
}

func resumeCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "resume SCHEDULE", Short: "End a pause", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askOf(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, args[0], "/resume", nil, say)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func deleteScheduleCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete SCHEDULE", Short: "Delete a schedule and the record of its runs; their scans stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, path, err := r.schedule(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.Do(cmd.Context(), http.MethodDelete, path, nil, nil)
		},
	}
}

// tellRun says what a run that was asked for does.
func tellRun(w io.Writer, run schedule.Run) {
	fmt.Fprintf(w, "Run %s is %s: %d nodes, %d scans started, %d waiting, %d skipped\n", run.ID, run.State, run.Selected, run.Scans, run.Nodes.Waiting, run.Nodes.Skipped)
	if run.State == schedule.Running && run.FeedCheckedAt.IsZero() {
		fmt.Fprintln(w, "It waits until the feed is up to date, for a minute at most")
	}
	note(w, run)
}

// runScheduleCommands are those that make a run, or end one.
func runScheduleCommands(r *remote) []*cobra.Command {
	var output, from, to string
	run := &cobra.Command{
		Use: "run SCHEDULE", Short: "Fire a schedule now, once; also one that is disabled or paused", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return askOf(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, args[0], "/run", nil, tellRun)
		},
	}
	backfill := &cobra.Command{
		Use: "backfill SCHEDULE", Short: "Fire a schedule once for all its fire times of a stretch of the past", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var in schedule.Range
			if in.From, err = momentOf("--from", from); err != nil {
				return err
			}
			if to != "" {
				if in.To, err = momentOf("--to", to); err != nil {
					return err
				}
			}
			return askOf(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, args[0], "/backfill", in, tellRun)
		},
	}
	backfill.Flags().StringVar(&from, "from", "", "the beginning, such as 2026-06-01T00:00:00Z")
	backfill.Flags().StringVar(&to, "to", "", "the end; now unless given")
	_ = backfill.MarkFlagRequired("from") // it is there
	commands := []*cobra.Command{run, backfill}
	for _, cmd := range commands {
		outputFlag(cmd, &output)
	}
	return append(commands, cancelRunCommand(r))
}
