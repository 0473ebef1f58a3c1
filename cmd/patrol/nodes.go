package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/fleet"
	"patrol/internal/report"
)

func nodesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "nodes", Short: "What there is to scan"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "nodes", "List nodes", []filter{
		{"kind", "only host, container, image or cluster"},
		{"state", "only active, inactive or retired; all for those and all others"},
		{"label", "only with this label, such as env=production; of several with commas between, all"},
		{"q", "only those whose names begin so"},
		{"severity", "only with an open occurrence of this severity"},
		{"last-scan", "never, failed or ok"},
		{"scanned-before", "only without a complete scan since this moment, such as 2026-05-01T00:00:00Z"},
	}, []column[fleet.Node]{
		{"ID", func(n fleet.Node) string { return n.ID }},
		{"NAME", func(n fleet.Node) string { return n.Name }},
		{"KIND", func(n fleet.Node) string { return n.Kind }},
		{"STATE", func(n fleet.Node) string { return n.State }},
		{"HOST", func(n fleet.Node) string {
			if n.Host == nil {
				return "-"
			}
			return n.Host.Name
		}},
		{"IMAGE", func(n fleet.Node) string {
			if n.Image == nil {
				return "-"
			}
			return cmp.Or(n.Image.Reference, n.Image.Digest)
		}},
		{"DISTRIBUTION", func(n fleet.Node) string { return cmp.Or(n.Distribution.Name, "-") }},
		{"LAST SEEN", func(n fleet.Node) string { return moment(n.LastSeen) }},
		{"LAST SCAN", func(n fleet.Node) string {
			if n.LastScan == nil {
				return "never"
			}
			return n.LastScan.State + " " + moment(n.LastScan.FinishedAt)
		}},
		{"OPEN", func(n fleet.Node) string { return report.Counts(n.Counts) }},
		{"DECIDED", func(n fleet.Node) string { return strconv.Itoa(n.Decided) }},
		{"NOT ASSESSED", func(n fleet.Node) string {
			names := make([]string, len(n.NotAssessed))
			for i, e := range n.NotAssessed {
				names[i] = e.Ecosystem
			}
			slices.Sort(names)
			return cmp.Or(strings.Join(slices.Compact(names), ", "), "-")
		}},
	}))
	cmd.AddCommand(labelCommand(&r), retireCommand(&r))
	return cmd
}

// filter is a query parameter of a list, and the flag of the same name, with a
// hyphen for each underscore.
type filter struct{ name, usage string }

// parameter is the name that the API has for it.
func (f filter) parameter() string { return strings.ReplaceAll(f.name, "-", "_") }

// values are those of the flag; labels are several, each a parameter.
func (f filter) values(text string) []string {
	if f.name == "label" {
		return strings.Split(text, ",")
	}
	return []string{text}
}

// listCommand lists a resource of the API.
func listCommand[T any](r *remote, resource, short string, filters []filter, columns []column[T]) *cobra.Command {
	return listThrough(func(context.Context) (*client.Client, error) { return r.client() }, resource, short, filters, columns)
}

// listAs lists a resource for administrators.
func listAs[T any](a *admin, resource, short string, filters []filter, columns []column[T]) *cobra.Command {
	return listThrough(a.client, resource, short, filters, columns)
}

func listThrough[T any](ask func(context.Context) (*client.Client, error), resource, short string, filters []filter, columns []column[T]) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := ask(cmd.Context())
			if err != nil {
				return err
			}
			query := make(map[string][]string)
			for _, f := range filters {
				if value := cmd.Flag(f.name).Value.String(); value != "" {
					query[f.parameter()] = f.values(value)
				}
			}
			if len(args) > 0 {
				query["name"] = args
			}
			return showList(cmd.OutOrStdout(), output, client.List[T](cmd.Context(), c, resource, query), columns)
		},
	}
	for _, f := range filters {
		cmd.Flags().String(f.name, "", f.usage)
	}
	outputFlag(cmd, &output)
	return cmd
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}
