package schedule

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// sweepBatch is how many runs one transaction removes: each may have thousands of
// nodes that it skipped.
const sweepBatch = 20

// old holds for a run r that ended before $1, and is neither the last of its schedule
// nor the last that chose nodes, which run.previous of selectors tells of.
const old = `r.finished_at < $1 AND EXISTS (SELECT 1 FROM run AS later
	WHERE later.schedule_id = r.schedule_id AND later.id > r.id AND (r.error <> '' OR later.error = ''))`

// Sweep removes runs that ended before a moment, and returns how many. The last one of
// each schedule stays.
func (s *Service) Sweep(ctx context.Context, moment time.Time) (removed int64, err error) {
	for {
		var n int64
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			rows, err := tx.QueryContext(ctx, `SELECT r.id FROM run AS r WHERE `+old+` ORDER BY r.finished_at, r.id LIMIT $2`, moment.UnixMicro(), sweepBatch)
			runs, err := db.All(rows, err, db.Value[string])
			if err != nil {
				return err
			}
			list, err := db.Column(runs)
			if err != nil {
				return err
			}
			n = int64(len(runs))
			_, err = tx.ExecContext(ctx, `DELETE FROM run WHERE id IN (SELECT value->>0 FROM json_each($1) AS j)`, list)
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("remove old runs: %w", err)
		}
		removed += n
		if n < sweepBatch {
			return removed, nil
		}
	}
}
