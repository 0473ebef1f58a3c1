package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/report"
	"patrol/internal/scan"
)

func reportsCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "reports", Short: "What was scanned and re-matched, what changed, and how that goes on"}
	r.flags(cmd)
	cmd.AddCommand(scansReportCommand(&r), trendCommand(&r))
	return cmd
}

// reportFilters are the query parameters of the report.
var reportFilters = []filter{
	{"kind", "only scan or rematch"},
	{"trigger", "only what schedule, on_demand, upload, arrival, change, registry, feed or engine started"},
	{"node", "only of the node with this id"},
	{"node-kind", "only of host, container, image or cluster"},
	{"state", "only queued, collecting, matching, running, complete, failed or cancelled"},
	{"schedule", "only of the schedule with this id"},
	{"run", "only of the schedule's run with this id"},
	{"from", "not before this moment, such as 2026-05-01T00:00:00Z"},
	{"to", "only before this moment"},
	{"worst", "only what found something of this severity or a worse one"},
}

func scansReportCommand(r *remote) *cobra.Command {
	var output, export string
	var changed bool
	var limit int
	cmd := &cobra.Command{
		Use: "vulnerability-scans", Short: "List scans and re-matches, newest first, with what each changed; or export them", Args: cobra.NoArgs,
		Example: `  patrol reports vulnerability-scans --changed --from 2026-05-01T00:00:00Z
  patrol reports vulnerability-scans --node-kind image --export xlsx=scans.xlsx`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			query := url.Values{}
			for _, f := range reportFilters {
				if value := cmd.Flag(f.name).Value.String(); value != "" {
					query[f.parameter()] = f.values(value)
				}
			}
			if changed {
				query.Set("changed", "true")
			}
			if export != "" {
				return exportTo(cmd.Context(), c, "reports/vulnerability-scans/export", query, export)
			}
			entries := client.List[scan.ReportEntry](cmd.Context(), c, "reports/vulnerability-scans", query)
			return showList(cmd.OutOrStdout(), output, first(limit, entries, cmd.ErrOrStderr()), entryColumns)
		},
	}
	for _, f := range reportFilters {
		cmd.Flags().String(f.name, "", f.usage)
	}
	cmd.Flags().BoolVar(&changed, "changed", false, "only what opened or resolved something")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many to list at most; 0 for all")
	cmd.Flags().StringVar(&export, "export", "", "FORMAT=FILE in place of a list: csv, json, xlsx, pdf or sarif")
	outputFlag(cmd, &output)
	return cmd
}

var entryColumns = []column[scan.ReportEntry]{
	{"AT", func(e scan.ReportEntry) string { return moment(e.At) }},
	{"KIND", func(e scan.ReportEntry) string { return e.Kind }},
	{"TRIGGER", func(e scan.ReportEntry) string { return e.Trigger }},
	{"STATE", func(e scan.ReportEntry) string { return e.State }},
	{"NODE", func(e scan.ReportEntry) string {
		if e.Node == nil {
			return fmt.Sprintf("(%d nodes)", e.Rematch.Nodes)
		}
		return e.Node.Name
	}},
	{"TOOK", func(e scan.ReportEntry) string {
		return time.Duration(e.Duration * float64(time.Second)).Round(time.Millisecond).String()
	}},
	{"FOUND", func(e scan.ReportEntry) string {
		switch {
		case e.Counts != nil:
			return report.Counts(*e.Counts)
		case e.Rematch != nil:
			return fmt.Sprintf("%d new, %d changed, %d gone records", e.Rematch.RecordsNew, e.Rematch.RecordsChanged, e.Rematch.RecordsGone)
		}
		return e.Error
	}},
	{"OPENED", func(e scan.ReportEntry) string { return strconv.Itoa(e.Opened) }},
	{"RESOLVED", func(e scan.ReportEntry) string { return strconv.Itoa(e.Resolved) }},
	{"UNCHANGED", func(e scan.ReportEntry) string { return strconv.Itoa(e.Unchanged) }},
	{"ID", func(e scan.ReportEntry) string { return e.ID }},
}

// first ends a list after so many, and says so.
func first[T any](limit int, items iter.Seq2[T, error], notes io.Writer) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		for item, err := range items {
			if n++; limit > 0 && n > limit {
				fmt.Fprintf(notes, "There are more: this is the first %d; --limit 0 lists all\n", limit)
				return
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// exportTo has the console export something to a file, FORMAT=FILE.
func exportTo(ctx context.Context, c *client.Client, path string, query url.Values, export string) error {
	format, file, ok := strings.Cut(export, "=")
	if !ok || file == "" {
		return fmt.Errorf("--export %q is not FORMAT=FILE, such as xlsx=scans.xlsx", export)
	}
	query.Set("format", format)
	return c.Download(ctx, path+"?"+query.Encode(), file)
}

func trendCommand(r *remote) *cobra.Command {
	var output, from, to string
	cmd := &cobra.Command{
		Use: "trend", Short: "What is open by day, severity and age, how long it took to fix, and what is overdue", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			for name, text := range map[string]string{"from": from, "to": to} {
				if text == "" {
					continue
				}
				at, err := beginning("--"+name, text)
				if err != nil {
					return err
				}
				query.Set(name, at.Format(time.RFC3339))
			}
			return ask(cmd.Context(), r, cmd.OutOrStdout(), output, http.MethodGet, "reports/trend?"+query.Encode(), nil, tellTrend)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the first day, such as 2026-05-01; 90 days ago unless given")
	cmd.Flags().StringVar(&to, "to", "", "the last day; today unless given")
	outputFlag(cmd, &output)
	return cmd
}

// beginning reads the first moment of a day, or any moment.
func beginning(what, text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	return momentOf(what, text)
}

func tellTrend(w io.Writer, t finding.Trend) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DAY\tOPEN\tOPENED\tRESOLVED")
	for _, d := range t.Days {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.Day, or(d.Open, "nothing"), or(d.Opened, "-"), or(d.Resolved, "-"))
	}
	_ = table.Flush()
	fmt.Fprintf(w, "\nOpen now: %s\nOverdue:  %s\n\n", or(t.Open, "nothing"), or(t.Overdue, "nothing"))
	fmt.Fprintln(table, "OPEN SINCE\tHOW MANY")
	for _, a := range t.Ages {
		since := fmt.Sprintf("%d to %d days", a.From, a.To)
		if a.To == 0 {
			since = fmt.Sprintf("%d days or more", a.From)
		}
		fmt.Fprintf(table, "%s\t%s\n", since, or(a.Open, "-"))
	}
	_ = table.Flush()
	if len(t.TimeToFix) == 0 {
		return
	}
	fmt.Fprintln(w)
	fmt.Fprintln(table, "FIXED\tHOW MANY\tMEAN\tMEDIAN")
	for _, f := range t.TimeToFix {
		fmt.Fprintf(table, "%s\t%d\t%.1f days\t%.1f days\n", f.Severity, f.Fixed, f.Mean, f.Median)
	}
	_ = table.Flush()
}

// or tells counts, or a word where there are none.
func or(c fleet.Counts, none string) string {
	if c == (fleet.Counts{}) {
		return none
	}
	return report.Counts(c)
}
