package main

import (
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/console"
	"patrol/internal/feed"
	"patrol/internal/fleet"
)

func consoleCommand(s *settings) *cobra.Command {
	var o console.Options
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Run the console: API, UI, schedules, matching",
		Long: `Run the console. With no flags it keeps everything in ./patrol-data and answers
on 127.0.0.1:8080 in plain HTTP. Any other address than loopback is TLS.

The first start makes the user admin, with the password in PATROL_ADMIN_PASSWORD
or one that it makes and prints once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.AdminPassword = s.values.String("admin.password")
			o.Version, o.Out = version(), cmd.OutOrStdout()
			return console.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.DataDir, "data-dir", "patrol-data", "directory for everything that the console keeps")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address to answer on")
	f.StringVar(&o.TLSCert, "tls-cert", "", "PEM file with the certificate; without it the console makes its own")
	f.StringVar(&o.TLSKey, "tls-key", "", "PEM file with the certificate's key")
	f.StringVar(&o.FeedURL, "feed-url", feed.DefaultURL, "URL or directory, laid out as OSV publishes")
	f.StringSliceVar(&o.Ecosystems, "ecosystems", []string{feed.AutoEcosystems}, "ecosystems to take from a URL, separated by commas; auto is what the inventory holds; or all")
	intelligenceFlags(f, &o.Intelligence)
	f.DurationVar(&o.FeedInterval, "feed-interval", time.Hour, "how often the feed is updated")
	f.DurationVar(&o.NodeRetention, "node-retention", fleet.DefaultRetention, "how long a node may be inactive before it is retired; 0 is for ever")
	cmd.MarkFlagsRequiredTogether("tls-cert", "tls-key")
	return cmd
}
