package audit

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// sweepBatch is how many entries one transaction removes.
const sweepBatch = 1000

// Sweep removes entries of before a moment, oldest first, and returns how many. It
// ends at the first batch that is not all as old.
func (l *Log) Sweep(ctx context.Context, moment time.Time) (removed int64, err error) {
	for {
		var n int64
		err := l.db.Write(ctx, func(tx *db.Tx) error {
			result, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, time FROM audit ORDER BY id LIMIT $2) AS oldest WHERE time < $1)`,
				moment.UnixMicro(), sweepBatch)
			if err == nil {
				n, err = result.RowsAffected()
			}
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("sweep the audit log: %w", err)
		}
		removed += n
		if n < sweepBatch {
			return removed, nil
		}
	}
}
