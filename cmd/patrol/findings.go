package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"patrol/internal/finding"
)

func findingsCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "findings", Short: "What is known to be wrong with what is installed"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "findings", "List findings, worst first: of every node's last complete scan, unless told otherwise", []filter{
		{"scan", "what this scan found"},
		{"node", "what the last complete scan of this node found"},
		{"severity", "only malicious, critical, high, medium, low or unknown"},
		{"vulnerability", "only this one, such as CVE-2024-28757"},
	}, []column[finding.Finding]{
		{"SEVERITY", func(f finding.Finding) string { return string(f.Severity) }},
		{"VULNERABILITY", func(f finding.Finding) string { return f.Vulnerability }},
		{"COMPONENT", func(f finding.Finding) string { return f.Component.Name }},
		{"INSTALLED", func(f finding.Finding) string { return f.Component.Version }},
		{"FIXED IN", func(f finding.Finding) string { return cmp.Or(strings.Join(f.Fixed, ", "), "-") }},
		{"ECOSYSTEM", func(f finding.Finding) string { return f.Component.Ecosystem }},
		{"LOCATION", func(f finding.Finding) string {
			if len(f.Component.Locations) == 0 {
				return "-"
			}
			return f.Component.Locations[0]
		}},
	}))
	return cmd
}
