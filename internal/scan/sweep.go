package scan

import (
	"context"
	"fmt"
	"time"
)

// sweepBatch is how many scans one transaction removes.
const sweepBatch = 500

// old holds for a scan s that ended before $1 and is neither the last of its node
// nor its last complete one: of each there is a later one.
const old = `s.finished_at < $1 AND s.state IN ('complete', 'failed', 'cancelled') AND EXISTS (SELECT 1 FROM scan AS later
	WHERE later.node_id = s.node_id AND later.id > s.id AND later.finished_at >= s.finished_at
	  AND (s.state <> 'complete' OR later.state = 'complete'))`

// Sweep removes scans that ended before a moment, and returns how many. What each
// node's last scan was, and its last complete one, stays.
func (s *Service) Sweep(ctx context.Context, moment time.Time) (removed int64, err error) {
	removed, err = s.db.SweepOldest(ctx, `SELECT s.id FROM scan AS s WHERE `+old+` ORDER BY s.finished_at, s.id`,
		[]string{`command WHERE scan_id`, `scan WHERE id`}, sweepBatch, moment.UnixMicro())
	if err != nil {
		return removed, fmt.Errorf("remove old scans: %w", err)
	}
	return removed, nil
}
