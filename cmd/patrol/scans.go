package main

import (
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/finding"
	"patrol/internal/report"
	"patrol/internal/scan"
)

func scansCommand() *cobra.Command {
	var r remote
	cmd := &cobra.Command{Use: "scans", Short: "What was scanned, and what came of it"}
	r.flags(cmd)
	cmd.AddCommand(listCommand(&r, "scans", "List scans, newest first", []filter{
		{"node", "only of the node with this id"}, {"state", "only queued, collecting, matching, complete, failed or cancelled"},
	}, scanColumns), startScansCommand(&r), compareCommand(&r), changesCommand(&r), exportScanCommand(&r))
	return cmd
}

var scanColumns = []column[scan.Scan]{
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
}

func changesCommand(r *remote) *cobra.Command {
	var output, change string
	cmd := &cobra.Command{
		Use: "changes SCAN", Short: "What a scan opened, resolved and left as it was, and why", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			query := url.Values{}
			if change != "" {
				query.Set("change", change)
			}
			changes := client.List[scan.OccurrenceChange](cmd.Context(), c, "scans/"+url.PathEscape(args[0])+"/changes", query)
			return showList(cmd.OutOrStdout(), output, changes, []column[scan.OccurrenceChange]{
				{"CHANGE", func(c scan.OccurrenceChange) string { return c.Change }},
				{"BECAUSE", because},
				{"SEVERITY", func(c scan.OccurrenceChange) string { return string(c.Severity) }},
				{"VULNERABILITY", func(c scan.OccurrenceChange) string { return c.Vulnerability }},
				{"PACKAGE", func(c scan.OccurrenceChange) string { return c.Package }},
				{"ECOSYSTEM", func(c scan.OccurrenceChange) string { return c.Ecosystem }},
				{"SINCE", func(c scan.OccurrenceChange) string { return moment(c.OpenedAt) }},
			})
		},
	}
	cmd.Flags().StringVar(&change, "change", "", "only opened, resolved or unchanged")
	outputFlag(cmd, &output)
	return cmd
}

// because is why an occurrence was opened or resolved. Of what was disclosed it tells
// since when the package was there, unless that was upgraded after.
func because(c scan.OccurrenceChange) string {
	if c.Because == finding.Disclosed && c.DeployedAt != nil && !c.DeployedAt.After(c.OpenedAt) {
		return c.Because + " in a package deployed " + moment(*c.DeployedAt)
	}
	return c.Because
}

func exportScanCommand(r *remote) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export SCAN FILE", Short: "Write what a scan found to a file", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			return exportTo(cmd.Context(), c, "scans/"+url.PathEscape(args[0])+"/export", url.Values{}, format+"="+args[1])
		},
	}
	cmd.Flags().StringVar(&format, "format", "csv", "csv, json, xlsx, pdf or sarif")
	return cmd
}
