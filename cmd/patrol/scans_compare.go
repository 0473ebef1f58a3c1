package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/report"
	"patrol/internal/scan"
)

func compareCommand(r *remote) *cobra.Command {
	var output, change string
	cmd := &cobra.Command{
		Use: "compare SCAN SCAN", Short: "What the second of two scans found that the first did not, and the reverse", Args: cobra.ExactArgs(2),
		Long: `Compare what two complete scans found, of one node or of two: by vulnerability,
ecosystem and package, so that an upgrade which does not help changes nothing.
What is unchanged is counted, and listed with --change unchanged.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			query := url.Values{"from": {args[0]}, "to": {args[1]}, "limit": {"1"}}
			var out scan.Comparison
			if err := c.Do(cmd.Context(), http.MethodGet, "scans/compare?"+query.Encode(), nil, &out); err != nil {
				return err
			}
			query.Del("limit")
			changes := []string{change}
			if change == "" {
				changes = []string{scan.Opened, scan.Resolved}
			}
			out.Items, out.Next = []scan.Difference{}, ""
			for _, change := range changes {
				query.Set("change", change)
				for item, err := range client.List[scan.Difference](cmd.Context(), c, "scans/compare", query) {
					if err != nil {
						return err
					}
					out.Items = append(out.Items, item)
				}
			}
			return show(cmd.OutOrStdout(), output, out, func(w io.Writer) { tellComparison(w, out) })
		},
	}
	cmd.Flags().StringVar(&change, "change", "", "only opened, resolved or unchanged; the first two unless given")
	outputFlag(cmd, &output)
	return cmd
}

func tellComparison(w io.Writer, c scan.Comparison) {
	for _, side := range []struct {
		name  string
		entry scan.ReportEntry
	}{{"From", c.From}, {"To", c.To}} {
		fmt.Fprintf(w, "%-5s %s  %s  %s\n", side.name, moment(side.entry.FinishedAt), report.Clean(side.entry.Node.Name), report.Counts(*side.entry.Counts))
	}
	fmt.Fprintf(w, "%d opened, %d resolved, %d unchanged; components: %d added, %d removed, %d unchanged\n",
		c.Opened, c.Resolved, c.Unchanged, c.Components.Added, c.Components.Removed, c.Components.Unchanged)
	if len(c.Items) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHANGE\tSEVERITY\tVULNERABILITY\tPACKAGE\tFROM\tTO\tECOSYSTEM")
	for _, d := range c.Items {
		cells := []string{d.Change, string(d.Severity), d.Vulnerability, d.Package, versions(d.FromVersions), versions(d.ToVersions), d.Ecosystem}
		for i := range cells {
			cells[i] = report.Clean(cells[i])
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	_ = table.Flush()
}

func versions(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}
