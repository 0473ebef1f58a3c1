package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"patrol/internal/finding"
)

func vulnerabilitiesCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "vulnerabilities", Short: "What affects the fleet, and how much of it"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "vulnerabilities", "List the vulnerabilities of the fleet, worst first", []filter{
		{"severity", "only malicious, critical, high, medium, low or unknown"},
		{"kev", "true: only those that CISA lists as exploited; false: only others"},
		{"fixable", "true: only those that a known version fixes; false: only others"},
		{"q", "only those whose names begin so: CVE-2024-"},
		{"state", "open, decided or all; open unless told otherwise"},
		{"sort", "severity, nodes or first_seen"},
	}, []column[finding.Vulnerability]{
		{"SEVERITY", func(v finding.Vulnerability) string { return string(v.Severity) }},
		{"VULNERABILITY", func(v finding.Vulnerability) string { return v.Name }},
		{"NODES", func(v finding.Vulnerability) string { return strconv.Itoa(v.AffectedNodes) }},
		{"PACKAGES", func(v finding.Vulnerability) string { return strconv.Itoa(v.AffectedPackages) }},
		{"DECIDED", func(v finding.Vulnerability) string { return strconv.Itoa(v.DecidedNodes) }},
		{"KEV", func(v finding.Vulnerability) string {
			switch {
			case v.KEV == nil:
				return "-"
			case *v.KEV:
				return "yes"
			}
			return "no"
		}},
		{"EPSS", func(v finding.Vulnerability) string {
			if v.EPSS == nil {
				return "-"
			}
			return strconv.FormatFloat(*v.EPSS, 'f', 3, 64)
		}},
		{"FIXABLE", func(v finding.Vulnerability) string {
			if v.Fixable {
				return "yes"
			}
			return "no"
		}},
		{"FIRST SEEN", func(v finding.Vulnerability) string { return moment(v.FirstSeen) }},
	}))
	return cmd
}
