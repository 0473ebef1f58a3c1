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

// What becomes of a scan that failed of what may pass: an agent that could not
// collect, or a console that could not match. A scan that ended who did it, time and
// again, is none of them, nor is one that was given up with its run, or cancelled.
const (
	retryOpen  = "open"  // its run has not said yet
	retryAgain = "again" // its run scans the node again
)

// fail ends a scan because of what may pass: its run, if it has one, decides whether
// the node is scanned again; after an arrival or a change it is.
func (s *Service) fail(ctx context.Context, tx *db.Tx, id, reason string) error {
	ended, err := s.end(ctx, tx, id, Failed, reason)
	if err != nil || !ended {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE scan SET retry = $2 WHERE id = $1 AND run_id <> ''`, id, retryOpen); err != nil {
		return fmt.Errorf("fail scan %s: %w", id, err)
	}
	return s.retryLater(ctx, tx, id)
}

// Failure is a scan of a run that failed of what may pass.
type Failure struct {
	Scan, Node string
	// Attempt counts the run's scans of the node, this one included.
	Attempt int
}

// Failures returns up to limit failed scans of which the run has not said whether it
// scans their nodes again.
func (s *Service) Failures(ctx context.Context, tx *db.Tx, run string, limit int) ([]Failure, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, node_id, attempt FROM scan WHERE run_id = $1 AND retry = 'open' ORDER BY id LIMIT $2`, run, limit)
	failures, err := db.All(rows, err, func(scan db.Scan) (f Failure, err error) { return f, scan(&f.Scan, &f.Node, &f.Attempt) })
	if err != nil {
		return nil, fmt.Errorf("find the failed scans of run %s: %w", run, err)
	}
	return failures, nil
}

// Settle notes of failed scans whether their run scans the nodes again.
func (s *Service) Settle(ctx context.Context, tx *db.Tx, scans []string, again bool) error {
	if len(scans) == 0 {
		return nil
	}
	list, err := db.Column(scans)
	if err != nil {
		return err
	}
	retry := ""
	if again {
		retry = retryAgain
	}
	if _, err := tx.ExecContext(ctx, `UPDATE scan SET retry = $2 WHERE id `+db.Among(`$1`), list, retry); err != nil {
		return fmt.Errorf("settle failed scans: %w", err)
	}
	return nil
}
