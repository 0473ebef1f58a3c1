package schedule

import (
	"context"
	"fmt"
	"time"
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
	removed, err = s.db.SweepOldest(ctx, `SELECT r.id FROM run AS r WHERE `+old+` ORDER BY r.finished_at, r.id`,
		[]string{`run WHERE id`}, sweepBatch, moment.UnixMicro())
	if err != nil {
		return removed, fmt.Errorf("remove old runs: %w", err)
	}
	return removed, nil
}
