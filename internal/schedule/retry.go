package schedule

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"patrol/internal/platform/db"
)

const (
	// standardRetries is how often a node whose scan failed is scanned again, unless
	// the schedule says.
	standardRetries = 2
	// mostRetries is the most that a schedule may say.
	mostRetries = 10
)

// backoff is how long a node waits to be scanned again: a minute, then five times as
// long each, up to an hour; by a quarter more or less, so that many that failed
// together do not come back together.
func backoff(attempt int) time.Duration {
	wait := time.Minute
	for range min(attempt-1, 3) {
		wait *= 5
	}
	wait = min(wait, time.Hour)
	return wait*3/4 + rand.N(wait/2)
}

// retry has nodes wait again whose scans failed of what may pass, unless they were
// scanned often enough, or the run would end before. Which scan stands for the node
// in the run is settled in the same transaction.
func (s *Service) retry(ctx context.Context, tx *db.Tx, r going) (bool, error) {
	failures, err := s.scans.Failures(ctx, tx, r.id, batch)
	if err != nil || len(failures) == 0 {
		return false, err
	}
	rows, again, stand := [][4]any{}, []string{}, []string{}
	for _, f := range failures {
		due := s.now().Add(backoff(f.Attempt))
		if r.ending != "" || f.Attempt > r.retries || !due.Before(r.deadline) {
			stand = append(stand, f.Scan)
			continue
		}
		again = append(again, f.Scan)
		rows = append(rows, [4]any{f.Node, due.UnixMicro(), f.Attempt + 1, f.Scan})
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_node (run_id, node_id, state, due_at, reason, attempt, failed_scan)
		SELECT CAST($1 AS TEXT), value->>0, 'waiting', CAST(value->>1 AS BIGINT), '', CAST(value->>2 AS BIGINT), value->>3 FROM json_each($2) AS j`, r.id, list)
	if err != nil {
		return false, fmt.Errorf("have failed nodes of run %s wait: %w", r.id, err)
	}
	if err := s.scans.Settle(ctx, tx, again, true); err != nil {
		return false, err
	}
	return true, s.scans.Settle(ctx, tx, stand, false)
}

// dropRetries gives up what waits to be scanned again: the scans that failed stand.
func (s *Service) dropRetries(ctx context.Context, tx *db.Tx, run string) error {
	rows, err := tx.QueryContext(ctx, `DELETE FROM run_node WHERE run_id = $1 AND state = 'waiting' AND failed_scan <> '' RETURNING failed_scan`, run)
	failed, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return fmt.Errorf("give up the retries of run %s: %w", run, err)
	}
	return s.scans.Settle(ctx, tx, failed, false)
}
