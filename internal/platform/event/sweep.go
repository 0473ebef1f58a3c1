package event

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/logs"
)

const (
	// sweepEvery is how often the log is swept.
	sweepEvery = 10 * time.Minute
	// sweepBatch is how many events go in one transaction: others wait for it.
	sweepBatch = 2000
)

// Sweep removes events that are older than what retain returns (0: for ever)
// until the context ends. Those of the types in keep stay: other rooms remember
// something by them.
func (l *Log) Sweep(ctx context.Context, retain func(context.Context) (time.Duration, error), keep ...string) {
	failing := logs.Lasting{What: "old events could not be removed; it will be tried again"}
	l.signals.Loop(ctx, "event/sweep", func(ctx context.Context) time.Duration {
		age, err := retain(ctx)
		if err == nil && age > 0 {
			_, err = l.SweepBefore(ctx, l.now().Add(-age), keep...)
		}
		failing.Note(ctx, err)
		return sweepEvery
	})
}

// SweepBefore removes what happened before a moment, in bounded transactions, and
// returns how many events went.
func (l *Log) SweepBefore(ctx context.Context, moment time.Time, keep ...string) (removed int64, err error) {
	kept, err := db.Column(keep)
	if err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		var more bool
		var n int64
		err := l.db.Write(ctx, func(tx *db.Tx) error {
			more, n, err = sweep(ctx, tx, moment, kept)
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("sweep the event log: %w", err)
		}
		removed += n
		if !more {
			break
		}
	}
	return removed, ctx.Err()
}

// sweep removes one batch and notes how far the log was swept. It goes by number
// from the last sweep on, and ends at the first event that is young enough: times
// are those of many consoles' clocks, and need not grow with the numbers.
func sweep(ctx context.Context, tx *db.Tx, moment time.Time, kept string) (more bool, removed int64, err error) {
	var from int64
	if err := tx.QueryRowContext(ctx, `SELECT swept FROM event_sweep`).Scan(&from); err != nil {
		return false, 0, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, time FROM event WHERE id > $1 ORDER BY id LIMIT $2`, from, sweepBatch)
	if err != nil {
		return false, 0, err
	}
	to, old, young := from, 0, false
	err = db.Each(rows, func(scan db.Scan) error {
		var id, at int64
		err := scan(&id, &at)
		if young = young || at >= moment.UnixMicro(); !young {
			to, old = id, old+1
		}
		return err
	})
	if err != nil || old == 0 {
		return false, 0, err
	}
	result, err := tx.ExecContext(ctx, `DELETE FROM event WHERE id > $1 AND id <= $2 AND type NOT `+db.Among(`$3`), from, to, kept)
	if err != nil {
		return false, 0, err
	}
	if removed, err = result.RowsAffected(); err != nil {
		return false, 0, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE event_sweep SET swept = $1`, to)
	return old == sweepBatch, removed, err
}
