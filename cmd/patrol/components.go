package main

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/fleet"
)

func componentsCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "components", Short: "What is installed, and where"}
	r.flags(cmd)
	list := listCommand(&r, "components", "List the components that nodes have, whose names contain NAME", []filter{
		{"match", "contains, prefix or exact: where in the name; contains unless told otherwise"},
		{"ecosystem", "only of this one, with its release: Maven, Debian:12"},
		{"version", "only this version"},
	}, []column[fleet.InstalledComponent]{
		{"ID", func(c fleet.InstalledComponent) string { return strconv.FormatInt(c.ID, 10) }},
		{"ECOSYSTEM", func(c fleet.InstalledComponent) string { return c.Ecosystem }},
		{"NAME", func(c fleet.InstalledComponent) string { return c.Name }},
		{"VERSION", func(c fleet.InstalledComponent) string { return c.Version }},
		{"NODES", func(c fleet.InstalledComponent) string { return strconv.Itoa(c.Nodes) }},
	})
	list.Use, list.Args = "list [NAME]", cobra.MaximumNArgs(1)
	list.Example = "  patrol components list log4j"
	cmd.AddCommand(list, componentNodesCommand(&r))
	return cmd
}

func componentNodesCommand(r *remote) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "nodes ID", Short: "List the nodes that have a component, by the id that list shows", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			nodes := client.List[fleet.NodeName](cmd.Context(), c, "components/"+url.PathEscape(args[0])+"/nodes", nil)
			return showList(cmd.OutOrStdout(), output, nodes, []column[fleet.NodeName]{
				{"ID", func(n fleet.NodeName) string { return n.ID }},
				{"NAME", func(n fleet.NodeName) string { return n.Name }},
				{"KIND", func(n fleet.NodeName) string { return n.Kind }},
			})
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
