package scan

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
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
	for {
		var n int64
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			rows, err := tx.QueryContext(ctx, `SELECT s.id FROM scan AS s WHERE `+old+` ORDER BY s.finished_at, s.id LIMIT $2`, moment.UnixMicro(), sweepBatch)
			scans, err := db.All(rows, err, db.Value[string])
			if err != nil {
				return err
			}
			list, err := db.Column(scans)
			if err != nil {
				return err
			}
			for _, table := range []string{`command WHERE scan_id`, `scan WHERE id`} {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` IN (SELECT value->>0 FROM json_each($1) AS j)`, list); err != nil {
					return err
				}
			}
			n = int64(len(scans))
			return nil
		})
		if err != nil {
			return removed, fmt.Errorf("remove old scans: %w", err)
		}
		removed += n
		if n < sweepBatch {
			return removed, nil
		}
	}
}
