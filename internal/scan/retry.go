package scan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/logs"
)

// A scan that nobody asked for has nobody who asks again. So one that failed of what
// may pass has in its row when its node is scanned again, and any console does so.

const (
	// retries is how often, after the first scan.
	retries = 3
	// retryGlance is how long consoles do not look, unless they are woken: a clock may
	// have been set.
	retryGlance = 30 * time.Second
	// retryBatch is how many scans one transaction queues.
	retryBatch = 200
	// retryTopic is the signal that some scan will be tried again.
	retryTopic = "scan/retry"
)

// retryAfter is how long a node waits after that many scans: a minute, two, four, by a
// quarter more or less, so that many that failed together do not come back together.
func retryAfter(attempt int) time.Duration {
	wait := time.Minute << (attempt - 1)
	return wait*3/4 + rand.N(wait/2)
}

// retryLater notes of a scan that has failed when its node is scanned again, if the
// scan was one of arrival or change, and not the last.
func (s *Service) retryLater(ctx context.Context, tx *db.Tx, id string) error {
	row := tx.QueryRowContext(ctx, `SELECT attempt FROM scan WHERE id = $1 AND cause IN ('arrival', 'change') AND attempt <= $2`, id, retries)
	attempt, err := db.One(row, db.Value[int])
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE scan SET retry_at = $2 WHERE id = $1`, id, s.now().Add(retryAfter(attempt)).UnixMicro())
	}
	if err != nil {
		return fmt.Errorf("note when scan %s is tried again: %w", id, err)
	}
	tx.Wake(retryTopic)
	return nil
}

// keepRetrying queues scans again as they fall due, until the context ends.
func (s *Service) keepRetrying(ctx context.Context) {
	failing := logs.Lasting{What: "scans of arrivals and changes could not be tried again; that itself will be"}
	s.signals.Loop(ctx, retryTopic, func(ctx context.Context) time.Duration {
		wait, err := s.retryDue(ctx)
		failing.Note(ctx, err)
		if err != nil {
			return time.Second
		}
		return wait
	})
}

// retryDue queues a batch of what is due, and returns how long nothing will be.
func (s *Service) retryDue(ctx context.Context) (time.Duration, error) {
	now := s.now()
	// What is put off for longer than anything is was so by a clock that was set back.
	late := now.Add(soon).UnixMicro()
	var next time.Time
	err := s.db.Read().QueryRowContext(ctx, `SELECT min(CASE WHEN retry_at > $1 THEN 1 ELSE retry_at END) FROM scan WHERE retry_at IS NOT NULL`, late).Scan(db.Time{Time: &next})
	switch {
	case err != nil:
		return 0, fmt.Errorf("look for scans to try again: %w", err)
	case next.IsZero():
		return retryGlance, nil
	case next.After(now):
		return min(next.Sub(now), retryGlance), nil
	}
	return 0, s.db.Write(ctx, func(tx *db.Tx) error {
		// Taking the time out of the row is the claim.
		rows, err := tx.QueryContext(ctx, `UPDATE scan SET retry_at = NULL WHERE retry_at IS NOT NULL
			AND id IN (SELECT id FROM scan WHERE retry_at IS NOT NULL AND (retry_at <= $1 OR retry_at > $2) ORDER BY retry_at, id LIMIT $3) RETURNING id`, now.UnixMicro(), late, retryBatch)
		failed, err := db.All(rows, err, db.Value[string])
		if err != nil {
			return fmt.Errorf("claim scans to try again: %w", err)
		}
		again, err := s.stillWanted(ctx, tx, failed)
		if err != nil || len(again) == 0 {
			return err
		}
		return s.insert(ctx, tx, again)
	})
}

// stillWanted returns what follows the failed scans of nodes that are there, were not
// scanned since, and are to be scanned by themselves.
func (s *Service) stillWanted(ctx context.Context, tx *db.Tx, failed []string) ([]queued, error) {
	wanted, err := s.automatic(ctx, tx)
	if err != nil {
		return nil, err
	}
	list, err := db.Column(failed)
	if err != nil {
		return nil, err
	}
	type candidate struct {
		queued
		kind string
	}
	now := s.now()
	rows, err := tx.QueryContext(ctx, `SELECT s.node_id, n.kind, s.cause, s.attempt + 1 FROM json_each($1) AS j JOIN scan AS s ON s.id = value->>0 JOIN node AS n ON n.id = s.node_id
		WHERE n.present = 1 AND NOT EXISTS (SELECT 1 FROM scan AS later WHERE later.node_id = s.node_id AND (later.finished_at IS NULL
			OR later.state <> 'cancelled' AND (later.finished_at, later.id) > (s.finished_at, s.id) AND later.finished_at <= $2))`, list, now.UnixMicro())
	all, err := db.All(rows, err, func(scan db.Scan) (c candidate, err error) { return c, scan(&c.node, &c.kind, &c.cause, &c.attempt) })
	if err != nil {
		return nil, fmt.Errorf("look which scans to try again: %w", err)
	}
	var again []queued
	for _, c := range all {
		kinds := wanted.OnChange
		if c.cause == OnArrival {
			kinds = wanted.OnArrival
		}
		if c.due = now; slices.Contains(kinds, c.kind) {
			again = append(again, c.queued)
		}
	}
	return again, nil
}
