package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// sweepBatch is how many entries one transaction looks at.
const sweepBatch = 1000

// Sweep removes entries of before a moment, oldest first, and returns how many. It
// goes by number: times are those of many consoles' clocks, and need not grow with
// the numbers. Entries whose clock was ahead stay until their time comes, and hold
// up nothing.
func (l *Log) Sweep(ctx context.Context, moment time.Time) (removed int64, err error) {
	for after := int64(0); ; {
		first, err := l.firstBefore(ctx, after, moment)
		if errors.Is(err, db.ErrNotFound) {
			return removed, nil
		}
		if err != nil {
			return removed, fmt.Errorf("sweep the audit log: %w", err)
		}
		var n int64
		err = l.db.Write(ctx, func(tx *db.Tx) error {
			after, n, err = sweep(ctx, tx, first, moment)
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("sweep the audit log: %w", err)
		}
		removed += n
	}
}

// firstBefore returns the first entry after one that is of before a moment. It looks
// at all that are younger, so that no writer is held up by it.
func (l *Log) firstBefore(ctx context.Context, after int64, moment time.Time) (int64, error) {
	row := l.db.Read().QueryRowContext(ctx, `SELECT id FROM audit WHERE id > $1 AND time < $2 ORDER BY id LIMIT 1`, after, moment.UnixMicro())
	return db.One(row, db.Value[int64])
}

// sweep removes what is old of the batch that begins with an entry, and returns the
// last one that it looked at.
func sweep(ctx context.Context, tx *db.Tx, first int64, moment time.Time) (last, removed int64, err error) {
	row := tx.QueryRowContext(ctx, `SELECT COALESCE(max(id), CAST($1 AS BIGINT)) FROM (SELECT id FROM audit WHERE id >= $1 ORDER BY id LIMIT $2) AS batch`, first, sweepBatch)
	if err := row.Scan(&last); err != nil {
		return 0, 0, err
	}
	result, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE id >= $1 AND id <= $2 AND time < $3`, first, last, moment.UnixMicro())
	if err != nil {
		return 0, 0, err
	}
	removed, err = result.RowsAffected()
	return last, removed, err
}
