package scan

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// Ended is the signal that some scan ended.
const Ended = "scan/ended"

// EndRun moves up to limit unfinished scans of a schedule's run into a final state,
// and returns how many.
func (s *Service) EndRun(ctx context.Context, tx *db.Tx, run, state, reason string, limit int) (int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM scan WHERE run_id = $1 AND state IN ('queued', 'collecting', 'matching') ORDER BY id LIMIT $2`, run, limit)
	ids, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return 0, fmt.Errorf("find the scans of run %s: %w", run, err)
	}
	for _, id := range ids {
		if _, err := s.end(ctx, tx, id, state, reason); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
