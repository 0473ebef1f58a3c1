package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/client"
	"patrol/internal/platform/event"
	"patrol/internal/report"
)

func eventsCommand() *cobra.Command {
	var r remote
	var follow bool
	var types []string
	var after, output string
	cmd := &cobra.Command{
		Use:   "events",
		Short: "What happened, oldest first",
		Long: `Print what the console's log of events holds. With --follow it goes on with what
happens, and takes up again where it was when the connection breaks: nothing is
skipped. Without --after it begins with what happens next then.`,
		Example: "  patrol events --follow --type scan.completed,node.* --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			print, err := eventPrinter(cmd.OutOrStdout(), output)
			if err != nil {
				return err
			}
			if after != "" {
				if _, err := strconv.ParseUint(after, 10, 63); err != nil {
					return fmt.Errorf("--after %q is no number of an event", after)
				}
			}
			query := url.Values{"order": {"oldest"}, "type": {strings.Join(types, ",")}, "after": {after}}
			for name, values := range query {
				if values[0] == "" {
					query.Del(name)
				}
			}
			var events iter.Seq2[event.CloudEvent, error]
			if follow {
				events = client.Follow(cmd.Context(), c, after, types, func(err error) {
					slog.Warn("the stream broke; it is taken up again where it was", "error", err)
				})
			} else {
				events = client.List[event.CloudEvent](cmd.Context(), c, "events/log", query)
			}
			for e, err := range events {
				if err == nil {
					err = print(e)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens")
	cmd.Flags().StringSliceVar(&types, "type", nil, "types such as scan.completed, or patterns such as node.*, separated by commas")
	cmd.Flags().StringVar(&after, "after", "", "the number of the last event seen; 0 is the beginning of the log")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, or json: one CloudEvent a line")
	return cmd
}

// eventPrinter writes each event as it comes: a list has an end, a stream has none.
func eventPrinter(w io.Writer, output string) (func(event.CloudEvent) error, error) {
	switch output {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return func(e event.CloudEvent) error { return encoder.Encode(e) }, nil
	case "table":
		const row = "%-10s  %-20s  %-28s  %-36s  %s\n"
		_, err := fmt.Fprintf(w, row, "ID", "TIME", "TYPE", "SUBJECT", "DATA")
		return func(e event.CloudEvent) error {
			_, err := fmt.Fprintf(w, row, e.ID, e.Time.Format(time.RFC3339), report.Clean(e.Type), report.Clean(e.Subject), report.Clean(string(e.Data)))
			return err
		}, err
	}
	return nil, fmt.Errorf("--output %q is none of table, json", output)
}
