package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"patrol/internal/client"
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
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "schedules/"+url.PathEscape(args[0])+"/pause", in, say)
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
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "schedules/"+url.PathEscape(args[0])+"/resume", nil, say)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func deleteScheduleCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete SCHEDULE", Short: "Delete a schedule and the record of its runs; their scans stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			return c.Do(cmd.Context(), http.MethodDelete, "schedules/"+url.PathEscape(args[0]), nil, nil)
		},
	}
}

// runScheduleCommands are those that make a run, or end one.
func runScheduleCommands(r *remote) []*cobra.Command {
	tell := func(w io.Writer, run schedule.Run) {
		fmt.Fprintf(w, "Run %s is %s: %d nodes, %d scans started, %d waiting, %d skipped\n", run.ID, run.State, run.Selected, run.Scans, run.Nodes.Waiting, run.Nodes.Skipped)
		if run.Error != "" {
			fmt.Fprintln(w, "Error:", run.Error)
		}
	}
	var output, from, to string
	run := &cobra.Command{
		Use: "run SCHEDULE", Short: "Fire a schedule now, once; also one that is disabled or paused", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "schedules/"+url.PathEscape(args[0])+"/run", nil, tell)
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
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "schedules/"+url.PathEscape(args[0])+"/backfill", in, tell)
		},
	}
	backfill.Flags().StringVar(&from, "from", "", "the beginning, such as 2026-06-01T00:00:00Z")
	backfill.Flags().StringVar(&to, "to", "", "the end; now unless given")
	_ = backfill.MarkFlagRequired("from") // it is there
	cancel := &cobra.Command{
		Use: "cancel SCHEDULE RUN", Short: "Cancel a run that goes on, and its scans", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "schedules/" + url.PathEscape(args[0]) + "/runs/" + url.PathEscape(args[1]) + "/cancel"
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, path, nil, tell)
		},
	}
	commands := []*cobra.Command{run, backfill, cancel}
	for _, cmd := range commands {
		outputFlag(cmd, &output)
	}
	return commands
}

func runsCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "runs SCHEDULE", Short: "List the runs of a schedule, newest first", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			return listRuns(cmd.Context(), c, cmd.OutOrStdout(), output, args[0])
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func listRuns(ctx context.Context, c *client.Client, w io.Writer, output, id string) error {
	return showList(w, output, client.List[schedule.Run](ctx, c, "schedules/"+url.PathEscape(id)+"/runs", nil), []column[schedule.Run]{
		{"ID", func(r schedule.Run) string { return r.ID }},
		{"CAUSE", func(r schedule.Run) string { return r.Cause }},
		{"SCHEDULED FOR", func(r schedule.Run) string { return moment(r.ScheduledFor) }},
		{"LATE", func(r schedule.Run) string { return fmt.Sprintf("%.1fs", r.Lateness) }},
		{"CAUGHT UP", func(r schedule.Run) string { return strconv.FormatBool(r.CaughtUp) }},
		{"MISSED", func(r schedule.Run) string { return strconv.Itoa(r.Missed) }},
		{"STATE", func(r schedule.Run) string { return r.State }},
		{"NODES", func(r schedule.Run) string { return strconv.Itoa(r.Selected) }},
		{"WAITING", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Waiting) }},
		{"COMPLETE", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Complete) }},
		{"FAILED", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Failed) }},
		{"SKIPPED", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Skipped) }},
		{"ERROR", func(r schedule.Run) string { return r.Error }},
	})
}
