package schedule

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// The times that a run has set, of its nodes and its end, are those of a clock that
// somebody looks at every half minute. If the last look was long ago, nobody was
// there, or the clock was set forward; if it is yet to come, the clock was set back.
// Either way the time between does not count: the run goes on where it stopped, and
// what was spread over an hour still is.

// gap is what is longer than any console takes from one look to the next, and than
// what their clocks differ by.
const gap = 5 * time.Minute

// pace moves the times of runs that go on by what does not count.
func (s *Service) pace(ctx context.Context) error {
	now := s.now()
	var wanted bool
	err := s.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM run WHERE finished_at IS NULL AND (looked_at IS NULL OR looked_at < $1 OR looked_at > $2))`,
		now.Add(-glance).UnixMicro(), now.Add(gap).UnixMicro()).Scan(&wanted)
	if err != nil || !wanted {
		return err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		for _, query := range []string{
			`UPDATE run_node SET due_at = due_at + $1 - r.looked_at FROM run AS r WHERE r.id = run_node.run_id AND r.finished_at IS NULL
				AND run_node.state = 'waiting' AND (r.looked_at > $3 OR r.looked_at < $2 AND run_node.due_at > r.looked_at)`,
			`UPDATE run SET deadline = deadline + $1 - looked_at WHERE finished_at IS NULL AND (looked_at > $3 OR looked_at < $2)`,
		} {
			if _, err := tx.ExecContext(ctx, query, now.UnixMicro(), now.Add(-gap).UnixMicro(), now.Add(gap).UnixMicro()); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE run SET looked_at = $1 WHERE finished_at IS NULL`, now.UnixMicro())
		return err
	})
	if err != nil {
		return fmt.Errorf("look at the clock for the runs that go on: %w", err)
	}
	return nil
}
