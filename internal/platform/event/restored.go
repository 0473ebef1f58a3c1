package event

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// gap is more events than happen between a backup and the need of it.
const gap = 10_000_000

// Restored leaves a gap in the numbers of a SQLite database that was restored from
// a backup: no number that was given since is given again, to another event.
func Restored(ctx context.Context, tx *db.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE sqlite_sequence SET seq = seq + $1 WHERE name = 'event'`, gap); err != nil {
		return fmt.Errorf("leave a gap in the event log: %w", err)
	}
	return nil
}
