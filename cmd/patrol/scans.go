package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/report"
	"patrol/internal/scan"
)

func scansCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "scans", Short: "What was scanned, and what came of it"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "scans", "List scans, newest first", []filter{
		{"node", "only of the node with this id"}, {"state", "only queued, collecting, matching, complete, failed or cancelled"},
	}, []column[scan.Scan]{
		{"ID", func(s scan.Scan) string { return s.ID }},
		{"NODE", func(s scan.Scan) string { return s.Node.Name }},
		{"STATE", func(s scan.Scan) string { return s.State }},
		{"TRIGGER", func(s scan.Scan) string { return s.Trigger }},
		{"QUEUED", func(s scan.Scan) string { return moment(s.QueuedAt) }},
		{"TOOK", func(s scan.Scan) string { return s.Duration().Round(time.Millisecond).String() }},
		{"COMPONENTS", func(s scan.Scan) string { return strconv.Itoa(s.Components) }},
		{"FOUND", func(s scan.Scan) string {
			switch {
			case s.State != scan.Complete:
				return s.Error
			case s.Feed != nil && s.Feed.Sample:
				return report.Counts(s.Counts) + " (built-in SAMPLE)"
			}
			return report.Counts(s.Counts)
		}},
		{"OPENED", func(s scan.Scan) string { return strconv.Itoa(s.Opened) }},
		{"RESOLVED", func(s scan.Scan) string { return strconv.Itoa(s.Resolved) }},
		{"WARNINGS", func(s scan.Scan) string { return strconv.Itoa(len(s.Warnings)) }},
	}))
	return cmd
}
