package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/report"
	"patrol/internal/schedule"
)

// run returns where the console has a run; the last one of the schedule if none is
// named.
func (r *remote) run(ctx context.Context, args []string) (*client.Client, string, error) {
	c, path, err := r.schedule(ctx, args[0])
	if err != nil {
		return nil, "", err
	}
	if len(args) > 1 {
		return c, path + "/runs/" + url.PathEscape(args[1]), nil
	}
	for run, err := range client.List[schedule.Run](ctx, c, path+"/runs", url.Values{"limit": {"1"}}) {
		return c, path + "/runs/" + run.ID, err
	}
	return nil, "", fmt.Errorf("schedule %q has had no run", args[0])
}

func runsCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "runs SCHEDULE", Short: "List the runs of a schedule, newest first", Args: cobra.ExactArgs(1),
		Example: `  patrol schedules runs "production, every night"
  patrol schedules runs show "production, every night"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, path, err := r.schedule(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return listRuns(cmd.Context(), c, cmd.OutOrStdout(), output, path)
		},
	}
	outputFlag(cmd, &output)
	cmd.AddCommand(showRunCommand(r), skippedCommand(r), cancelRunCommand(r))
	return cmd
}

func listRuns(ctx context.Context, c *client.Client, w io.Writer, output, path string) error {
	return showList(w, output, client.List[schedule.Run](ctx, c, path+"/runs", nil), []column[schedule.Run]{
		{"ID", func(r schedule.Run) string { return r.ID }},
		{"CAUSE", func(r schedule.Run) string { return r.Cause }},
		{"SCHEDULED FOR", func(r schedule.Run) string { return moment(r.ScheduledFor) }},
		{"LATE", func(r schedule.Run) string { return fmt.Sprintf("%.1fs", r.Lateness) }},
		{"CAUGHT UP", func(r schedule.Run) string { return strconv.FormatBool(r.CaughtUp) }},
		{"MISSED", func(r schedule.Run) string { return strconv.Itoa(r.Missed) }},
		{"STATE", func(r schedule.Run) string { return r.State }},
		{"TOOK", tookOf},
		{"NODES", func(r schedule.Run) string { return strconv.Itoa(r.Selected) }},
		{"WAITING", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Waiting) }},
		{"COMPLETE", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Complete) }},
		{"FAILED", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Failed) }},
		{"SKIPPED", func(r schedule.Run) string { return strconv.Itoa(r.Nodes.Skipped) }},
		{"NOTE", func(r schedule.Run) string { return r.Error + r.Warning }},
	})
}

// tookOf is how long a run took; nothing while it goes on.
func tookOf(r schedule.Run) string {
	if r.FinishedAt.IsZero() {
		return ""
	}
	return r.FinishedAt.Sub(r.FiredAt).Round(time.Millisecond).String()
}

func showRunCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "show SCHEDULE [RUN]", Short: "Show a run, the last unless one is named, and the nodes that it skipped", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, path, err := r.run(cmd.Context(), args)
			if err != nil {
				return err
			}
			var run schedule.Run
			if err := c.Do(cmd.Context(), http.MethodGet, path, nil, &run); err != nil {
				return err
			}
			if err := show(cmd.OutOrStdout(), output, run, func(w io.Writer) { describe(w, run) }); err != nil {
				return err
			}
			if output != "table" || run.Nodes.Skipped == 0 {
				return nil
			}
			return listSkipped(cmd.Context(), c, cmd.OutOrStdout(), output, path)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// describe tells all of a run.
func describe(w io.Writer, r schedule.Run) {
	fmt.Fprintf(w, "Run %s is %s\n", r.ID, r.State)
	held := ""
	if r.HeldBy != "" {
		held = ", held by: " + r.HeldBy
	}
	fmt.Fprintf(w, "Scheduled for %s, fired %.1fs late (%s%s)\n", moment(r.ScheduledFor), r.Lateness, r.Cause, held)
	if r.CaughtUp || r.Missed > 0 || r.Dropped > 0 {
		fmt.Fprintf(w, "Caught up: %v; stands for %d more fire times; %d dropped for it\n", r.CaughtUp, r.Missed, r.Dropped)
	}
	if !r.FinishedAt.IsZero() {
		fmt.Fprintf(w, "Ended at %s, after %s\n", moment(r.FinishedAt), tookOf(r))
	}
	n := r.Nodes
	counts := []string{}
	for _, count := range []struct {
		of   string
		many int
	}{
		{"waiting", n.Waiting},
		{"queued", n.Queued},
		{"collecting", n.Collecting},
		{"matching", n.Matching},
		{"complete", n.Complete},
		{"failed", n.Failed},
		{"cancelled", n.Cancelled},
		{"skipped", n.Skipped},
	} {
		if count.many > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", count.many, count.of))
		}
	}
	if len(counts) == 0 {
		counts = []string{"none"}
	}
	fmt.Fprintf(w, "Nodes: %d meant: %s\nScans: %d, of which %d followed one that failed\n", r.Selected, strings.Join(counts, ", "), r.Scans, r.Retried)
	note(w, r)
}

// note tells what is wrong with a run, or odd.
func note(w io.Writer, r schedule.Run) {
	if r.Error != "" {
		fmt.Fprintln(w, "Error:", report.Clean(r.Error))
	}
	if r.Warning != "" {
		fmt.Fprintln(w, "Warning:", report.Clean(r.Warning))
	}
}

func skippedCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "skipped SCHEDULE [RUN]", Short: "List the nodes that a run, the last unless one is named, meant and did not scan", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, path, err := r.run(cmd.Context(), args)
			if err != nil {
				return err
			}
			return listSkipped(cmd.Context(), c, cmd.OutOrStdout(), output, path)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func listSkipped(ctx context.Context, c *client.Client, w io.Writer, output, path string) error {
	return showList(w, output, client.List[schedule.SkippedNode](ctx, c, path+"/skipped", nil), []column[schedule.SkippedNode]{
		{"SKIPPED", func(n schedule.SkippedNode) string { return n.Node }},
		{"NAME", func(n schedule.SkippedNode) string { return n.Name }},
		{"REASON", func(n schedule.SkippedNode) string { return n.Reason }},
	})
}

// cancelRunCommand is also there as "schedules cancel".
func cancelRunCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "cancel SCHEDULE [RUN]", Short: "Cancel a run that goes on, the last unless one is named, and its scans", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, path, err := r.run(cmd.Context(), args)
			if err != nil {
				return err
			}
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, path+"/cancel", nil, tellRun)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
