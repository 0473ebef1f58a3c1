package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/report"
	"patrol/internal/schedule"
)

func schedulesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "schedules", Short: "When to scan what"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "schedules", "List schedules", nil, []column[schedule.Schedule]{
		{"ID", func(s schedule.Schedule) string { return s.ID }},
		{"NAME", func(s schedule.Schedule) string { return s.Name }},
		{"CRON", func(s schedule.Schedule) string { return s.Cron }},
		{"ZONE", func(s schedule.Schedule) string { return s.TimeZone }},
		{"SELECTOR", func(s schedule.Schedule) string { return s.Selector }},
		{"ENABLED", func(s schedule.Schedule) string { return strconv.FormatBool(s.Enabled) }},
		{"NEXT", nextOf},
		{"LAST RUN", func(s schedule.Schedule) string {
			if s.LastRun == nil {
				return "never"
			}
			return fmt.Sprintf("%s, %s, %d scans", moment(s.LastRun.FiredAt), s.LastRun.State, s.LastRun.Scans)
		}},
	}), createScheduleCommand(&r), editScheduleCommand(&r), previewCommand(&r),
		pauseCommand(&r), resumeCommand(&r), deleteScheduleCommand(&r), runsCommand(&r))
	cmd.AddCommand(runScheduleCommands(&r)...)
	return cmd
}

// nextOf tells when a schedule fires next, or why it does not.
func nextOf(s schedule.Schedule) string {
	switch {
	case s.Pause != nil && s.Pause.Until.IsZero():
		return "paused: " + s.Pause.Reason
	case s.Pause != nil:
		return fmt.Sprintf("paused until %s: %s", moment(s.Pause.Until), s.Pause.Reason)
	case s.Held != nil:
		return fmt.Sprintf("%s, held by a %s", moment(s.Held.For), s.Held.By)
	}
	return moment(s.NextFireAt)
}

// scheduleFlags are the rules of a schedule, as the API names them but for select.
var scheduleFlags = []struct{ flag, field, usage string }{
	{"cron", "cron", "five or six fields, or a descriptor such as @daily or @every 6h"},
	{"select", "selector", `CEL over node, such as 'node.kind == "host"'`},
	{"time-zone", "time_zone", "IANA name, such as Europe/Berlin; UTC unless given"},
	{"overlap", "overlap", "while the run before goes on: allow, skip or buffer_one; allow unless given"},
	{"catch-up", "catch_up_window", "how late a missed fire time may be made up for; 168h unless given, 0s for never"},
	{"spread", "spread", "over how long the nodes of a run start, such as 30m"},
	{"run-timeout", "run_timeout", "after how long a run gives up what was not scanned; 24h unless given"},
}

// rules are the flags of create, edit and preview.
type rules struct {
	texts         map[string]*string
	maxConcurrent int
	retries       int
	perLabel      string
	maxPerLabel   int
	windows       []string
	starts, ends  string
}

func (f *rules) flags(cmd *cobra.Command) {
	f.texts = make(map[string]*string)
	for _, known := range scheduleFlags {
		f.texts[known.flag] = cmd.Flags().String(known.flag, "", known.usage)
	}
	cmd.Flags().IntVar(&f.maxConcurrent, "max-concurrent", 0, "how many scans of a run go on at once; 0 for any number")
	cmd.Flags().IntVar(&f.retries, "retries", 2, "how often a node is scanned again whose scan failed of what may pass")
	cmd.Flags().StringVar(&f.perLabel, "per-label", "", "the label of whose values each has --max-per-label scans at once, such as zone")
	cmd.Flags().IntVar(&f.maxPerLabel, "max-per-label", 1, "see --per-label")
	cmd.Flags().StringArrayVar(&f.windows, "window", nil, "a maintenance window, in which nothing starts: its beginning as cron, a slash, how long: '0 8 * * 1-5 / 10h'; several times")
	cmd.Flags().StringVar(&f.starts, "starts", "", "nothing fires before this moment, such as 2026-06-01T00:00:00Z")
	cmd.Flags().StringVar(&f.ends, "ends", "", "nothing fires after this moment")
}

// body returns what was given, by the API's names.
func (f *rules) body(cmd *cobra.Command) (map[string]any, error) {
	body := make(map[string]any)
	given := cmd.Flags().Changed
	for _, known := range scheduleFlags {
		if given(known.flag) {
			body[known.field] = *f.texts[known.flag]
		}
	}
	if given("max-concurrent") {
		body["max_concurrent"] = f.maxConcurrent
	}
	if given("retries") {
		body["retries"] = f.retries
	}
	if given("per-label") {
		body["per_label"] = schedule.PerLabel{Key: f.perLabel, Max: f.maxPerLabel}
	}
	if given("window") {
		windows := []schedule.Window{}
		for _, text := range f.windows {
			window, err := windowOf(text)
			if err != nil {
				return nil, err
			}
			windows = append(windows, window)
		}
		body["maintenance_windows"] = windows
	}
	for flag, text := range map[string]string{"starts": f.starts, "ends": f.ends} {
		if !given(flag) {
			continue
		}
		at, err := momentOf("--"+flag, text)
		if err != nil {
			return nil, err
		}
		body[flag+"_at"] = at
	}
	return body, nil
}

// windowOf reads "CRON / DURATION". Cron has slashes of its own, without spaces.
func windowOf(text string) (schedule.Window, error) {
	for i := len(text) - 3; i > 0; i-- {
		if text[i:i+3] == " / " {
			return schedule.Window{Cron: text[:i], Duration: text[i+3:]}, nil
		}
	}
	return schedule.Window{}, fmt.Errorf("--window %q is not written as '0 8 * * 1-5 / 10h': when it begins, a slash between spaces, how long it lasts", text)
}

func momentOf(what, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%s %q is no moment such as 2026-06-01T00:00:00Z", what, text)
	}
	return at, nil
}

// ask sends a request and shows what came of it.
func ask[T any](ctx context.Context, r *remote, w io.Writer, output, method, path string, body any, table func(io.Writer, T)) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	var answer T
	if err := c.Do(ctx, method, path, body, &answer); err != nil {
		return err
	}
	return show(w, output, answer, func(w io.Writer) { table(w, answer) })
}

// askOf asks something of a schedule that is named by its id or its name.
func askOf[T any](ctx context.Context, r *remote, w io.Writer, output, method, named, what string, body any, table func(io.Writer, T)) error {
	_, path, err := r.schedule(ctx, named)
	if err != nil {
		return err
	}
	return ask(ctx, r, w, output, method, path+what, body, table)
}

// schedule returns where the console has a schedule.
func (r *remote) schedule(ctx context.Context, named string) (*client.Client, string, error) {
	c, err := r.client()
	if err != nil {
		return nil, "", err
	}
	path, err := schedulePath(ctx, c, named)
	return c, path, err
}

// schedulePath is where the API has a schedule that is named by its id or its name.
func schedulePath(ctx context.Context, c *client.Client, named string) (string, error) {
	id, err := idOf(ctx, c, "schedules", "schedule", named)
	return "schedules/" + id, err
}

// say tells of a schedule that was just changed.
func say(w io.Writer, s schedule.Schedule) {
	fmt.Fprintf(w, "Schedule %s, %s: next %s\n", s.ID, report.Clean(s.Name), report.Clean(nextOf(s)))
	if !s.Enabled {
		fmt.Fprintln(w, "It is disabled: enable it with patrol schedules edit --enabled")
	}
	if s.Warning != "" {
		fmt.Fprintln(w, "Warning:", report.Clean(s.Warning))
	}
}

func createScheduleCommand(r *remote) *cobra.Command {
	var f rules
	var output string
	var disabled bool
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create a schedule", Args: cobra.ExactArgs(1),
		Example: `  patrol schedules create "production, every night" --cron "30 2 * * *" --time-zone Europe/Berlin \
    --select 'node.labels["env"] == "production"' --spread 1h --per-label zone --max-per-label 20
  patrol schedules create "what was forgotten" --cron @hourly --select 'now - node.last_scan_at > duration("168h")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := f.body(cmd)
			if err != nil {
				return err
			}
			body["name"], body["enabled"] = args[0], !disabled
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "schedules", body, say)
		},
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&disabled, "disabled", false, "create it disabled")
	for _, name := range []string{"cron", "select"} {
		_ = cmd.MarkFlagRequired(name) // it is there
	}
	outputFlag(cmd, &output)
	return cmd
}

func editScheduleCommand(r *remote) *cobra.Command {
	var f rules
	var output, name string
	var enabled bool
	var clear []string
	cmd := &cobra.Command{
		Use: "edit SCHEDULE", Short: "Change a schedule; what is not given stays", Args: cobra.ExactArgs(1),
		Example: `  patrol schedules edit 01978f9a-… --cron "0 3 * * *" --enabled
  patrol schedules edit 01978f9a-… --clear per_label,ends_at`,
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := f.body(cmd)
			if err != nil {
				return err
			}
			for flag, value := range map[string]any{"name": name, "enabled": enabled, "clear": clear} {
				if cmd.Flags().Changed(flag) {
					body[flag] = value
				}
			}
			return askOf(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPatch, args[0], "", body, say)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&name, "name", "", "another name")
	cmd.Flags().BoolVar(&enabled, "enabled", false, "enable it, or disable it with --enabled=false")
	cmd.Flags().StringSliceVar(&clear, "clear", nil, "what is to be there no longer: per_label, starts_at, ends_at")
	outputFlag(cmd, &output)
	return cmd
}

func previewCommand(r *remote) *cobra.Command {
	var f rules
	var output, of string
	cmd := &cobra.Command{
		Use: "preview", Short: "Show which nodes a schedule would mean now, and when it would fire", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := f.body(cmd)
			if err != nil {
				return err
			}
			if of != "" {
				body["schedule"] = of
			}
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodPost, "schedules/preview", body, func(w io.Writer, p schedule.Preview) {
				fmt.Fprintf(w, "%d nodes\n", p.Nodes.Count)
				for _, n := range p.Nodes.Items {
					fmt.Fprintf(w, "  %s  %s  %s\n", n.ID, n.Kind, report.Clean(n.Name))
				}
				fmt.Fprintln(w, "Fires at")
				for _, at := range p.FireTimes {
					fmt.Fprintln(w, " ", moment(at))
				}
				if p.Warning != "" {
					fmt.Fprintln(w, "Warning:", report.Clean(p.Warning))
				}
			})
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&of, "schedule", "", "the schedule that would be edited, for what is new since its last run")
	for _, name := range []string{"cron", "select"} {
		_ = cmd.MarkFlagRequired(name) // it is there
	}
	outputFlag(cmd, &output)
	return cmd
}
