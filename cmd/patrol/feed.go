package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/feed"
)

func feedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "feed", Short: "Update and show what is known of vulnerabilities"}
	var dir string
	cmd.PersistentFlags().StringVar(&dir, "data-dir", "patrol-data", "directory whose feed is meant")
	cmd.AddCommand(feedUpdateCommand(&dir), feedStatusCommand(&dir))
	return cmd
}

func openFeed(dir string) (*feed.Store, error) { return feed.Open(filepath.Join(dir, "feed")) }

func feedUpdateCommand(dir *string) *cobra.Command {
	var o feed.Options
	cmd := &cobra.Command{
		Use: "update", Short: "Fetch and compile the feed", Args: cobra.NoArgs,
		Long: `Fetch the feed and install it as one new revision, or leave everything as it was.
A console that uses the same directory takes it up by itself.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			store, err := openFeed(*dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			outcome, err := store.Update(cmd.Context(), o)
			if err != nil {
				return err
			}
			state := "installed"
			if !outcome.Changed {
				state = "was installed already"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Feed revision %s %s: %d records of %d sources.\n", outcome.Revision, state, outcome.Records, len(outcome.Sources))
			for _, name := range outcome.Dropped {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: source %s is no longer there; what it covered is not assessed from now on\n", name)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&o.URL, "feed-url", feed.DefaultURL, "URL or directory, laid out as OSV publishes")
	cmd.Flags().StringSliceVar(&o.Ecosystems, "ecosystems", nil, "ecosystems to take, separated by commas; none means all")
	cmd.Flags().BoolVar(&o.AllowOlder, "allow-older", false, "accept sources older than what is installed")
	return cmd
}

func feedStatusCommand(dir *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Show what is installed and how old it is", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			store, err := openFeed(*dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			status, err := store.Status(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd.OutOrStdout(), output, feed.Overview{Status: status, AsOf: status.AsOf()}, func(w io.Writer) { feedTable(w, status) })
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func feedTable(w io.Writer, s feed.Status) {
	if s.Sample {
		fmt.Fprintf(w, "Only the built-in SAMPLE is installed, as of %s (%s). It knows far too little to judge a machine by: run patrol feed update.\n",
			s.AsOf().Format(time.DateOnly), age(s.AsOf()))
	}
	fmt.Fprintf(w, "Revision %s, %d records, installed %s.\n", s.Revision, s.Records, s.InstalledAt.Format(time.RFC3339))
	if a := s.LastAttempt; a != nil && a.Error != "" {
		fmt.Fprintf(w, "The last update failed at %s: %s\n", a.At.Format(time.RFC3339), a.Error)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tRECORDS\tAS OF\tAGE")
	for _, source := range s.Sources {
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", source.Name, source.Records, source.AsOf.Format(time.DateOnly), age(source.AsOf))
	}
	_ = table.Flush()
}

func age(t time.Time) string {
	hours := int(time.Since(t).Hours())
	if hours < 48 {
		return fmt.Sprintf("%d hours old", hours)
	}
	return fmt.Sprintf("%d days old", hours/24)
}
