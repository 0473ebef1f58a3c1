package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"patrol/internal/report"
)

func scanCommand() *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use:     "scan TARGET",
		Short:   "Scan a target on this machine, without a console",
		Long:    "Scan a target on this machine, without a console. TARGET is dir:PATH, or a path.",
		Example: "  patrol scan dir:/srv/app --output json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			write := map[string]func() error{}
			target, err := report.ParseTarget(args[0], cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			store, err := openFeed(dir)
			if err != nil {
				return err
			}
			defer func() { err = cmp.Or(err, store.Close()) }()
			var result *report.Report
			write["table"] = func() error { return report.Table(cmd.OutOrStdout(), result) }
			write["json"] = func() error { return report.JSON(cmd.OutOrStdout(), result) }
			if write[output] == nil {
				return fmt.Errorf("--output %q is none of table, json", output)
			}
			revision, err := store.Current(cmd.Context())
			if err != nil {
				return err
			}
			if result, err = report.Scan(cmd.Context(), target, revision); err != nil {
				return err
			}
			return write[output]()
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "patrol-data", "directory with the feed")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}
