package main

import (
	"cmp"
	"context"
	"slices"
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
		{"kind", "only host, container, image or cluster"}, {"state", "only active, inactive or retired; all for those and all others"},
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

// filter is a query parameter of a list, and the flag of the same name.
type filter struct{ name, usage string }

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
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := ask(cmd.Context())
			if err != nil {
				return err
			}
			query := make(map[string][]string)
			for _, f := range filters {
				if value := cmd.Flag(f.name).Value.String(); value != "" {
					query[f.name] = []string{value}
				}
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
