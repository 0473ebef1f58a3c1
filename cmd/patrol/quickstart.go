package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"patrol/internal/feed"
	"patrol/internal/quickstart"
)

func quickstartCommand() *cobra.Command {
	var o quickstart.Options
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "Run a console and an agent on this machine, and scan it now",
		Long: `Run a console and an agent beside it, enable the schedule for all hosts, fire it
now, and say where the findings are. It is what make run does. Stop with Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			if o.DataDir, err = filepath.Abs(o.DataDir); err != nil {
				return err
			}
			o.Out, o.Log = cmd.OutOrStdout(), cmd.ErrOrStderr()
			o.Password = os.Getenv("PATROL_ADMIN_PASSWORD")
			return quickstart.Run(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.DataDir, "data-dir", "patrol-data", "directory for everything that is kept")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "loopback address of the console")
	f.StringVar(&o.FeedURL, "feed-url", feed.DefaultURL, "URL or directory, laid out as OSV publishes")
	f.StringVar(&o.Root, "root", "/", "tree to scan")
	return cmd
}
