package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
the installed feed, and the certificate that it made. The file holds secrets, but not
the key of integrations' secrets (secrets.key): keep a copy of that in another place.`,
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
			fmt.Fprintf(cmd.ErrOrStderr(), "The key of integrations' secrets is not in it (%s, or PATROL_SECRETS_KEY): keep a copy of it, in another place than the backups\n", filepath.Join(dataDir, operations.SecretsKey))
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
		Use:   "restore FILE",
		Short: "Make a data directory from a backup",
		Long: `Make a data directory from a backup. It must be empty, or not exist, but for the
secrets.key of the console that the backup is of: lay a copy of that there, before or
after, but before the console starts.`,
		Example: "  patrol restore --data-dir /var/lib/patrol-new patrol-2026-05-01.backup",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := operations.Restore(cmd.Context(), args[0], dataDir)
			if err != nil {
				return err
			}
			if key := filepath.Join(dataDir, operations.SecretsKey); missing(key) {
				fmt.Fprintf(cmd.ErrOrStderr(), "The key of integrations' secrets is no part of a backup: unless PATROL_SECRETS_KEY gives it, lay its copy at %s before the console starts; without it nothing is sent to them\n", key)
			}
			return tellBackup(cmd, "Restored "+dataDir, m)
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", "patrol-data", "directory to make")
	return cmd
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func tellBackup(cmd *cobra.Command, what string, m operations.Manifest) error {
	var size int64
	for _, f := range m.Files {
		size += f.Size
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %d files, %.1f MB, as of %s\n", what, len(m.Files), float64(size)/1e6, m.CreatedAt.Format(time.RFC3339))
	return err
}
