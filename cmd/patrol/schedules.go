package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

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
		{"NEXT", func(s schedule.Schedule) string { return moment(s.NextFireAt) }},
		{"LAST RUN", func(s schedule.Schedule) string {
			if s.LastRun == nil {
				return "never"
			}
			return fmt.Sprintf("%s, %d scans", moment(s.LastRun.FiredAt), s.LastRun.Scans)
		}},
	}))
	return cmd
}
