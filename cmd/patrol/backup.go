package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"patrol/internal/operations"
)

func backupCommand() *cobra.Command {
	var dataDir, database string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy what a console keeps into a file, while it runs",
		Long: `Copy what a console keeps into a new file: the database as it is at one instant,
the installed feed, and the certificate that it made. The file holds secrets.`,
		Example: "  patrol backup --data-dir /var/lib/patrol patrol-2026-05-01.backup",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if database != "" {
				return errors.New("the database is PostgreSQL's to back up: run pg_dump --format=custom; what else is in --data-dir can be fetched or made again")
			}
			m, err := operations.Backup(cmd.Context(), dataDir, args[0], version(), time.Now())
			if err != nil {
				return err
			}
			return tellBackup(cmd, "Wrote "+args[0], m)
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "patrol-data", "directory of the console")
	cmd.Flags().StringVar(&database, "database-url", "", "as the console has it: with one, pg_dump makes the backup")
	return cmd
}

func restoreCommand() *cobra.Command {
	var dataDir string
	cmd := &cobra.Command{
		Use:     "restore FILE",
		Short:   "Make a data directory from a backup",
		Long:    `Make a data directory from a backup. It must be empty, or not exist.`,
		Example: "  patrol restore --data-dir /var/lib/patrol-new patrol-2026-05-01.backup",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := operations.Restore(cmd.Context(), args[0], dataDir)
			if err != nil {
				return err
			}
			return tellBackup(cmd, "Restored "+dataDir, m)
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "patrol-data", "directory to make")
	return cmd
}

func tellBackup(cmd *cobra.Command, what string, m operations.Manifest) error {
	var size int64
	for _, f := range m.Files {
		size += f.Size
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d files, %.1f MB, as of %s\n", what, len(m.Files), float64(size)/1e6, m.CreatedAt.Format(time.RFC3339))
	return err
}
