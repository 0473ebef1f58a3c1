package scan

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
)

// Cause says what starts a scan.
type Cause struct {
	Trigger       string
	Schedule, Run string
}

// Start queues a scan of a node in the caller's transaction, and wakes its agent
// once that is committed. A node that is being scanned already gets no second
// one: its unfinished scan is returned, and started is false.
func (s *Service) Start(ctx context.Context, tx *db.Tx, node string, cause Cause) (id string, started bool, err error) {
	now := s.now().UnixMicro()
	id = db.NewID()
	result, err := tx.ExecContext(ctx, `INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING`,
		id, node, Queued, cause.Trigger, cause.Schedule, cause.Run, now)
	if err != nil {
		return "", false, fmt.Errorf("queue scan of node %s: %w", node, err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return "", false, err
	} else if n == 0 {
		err := tx.QueryRowContext(ctx, `SELECT id FROM scan WHERE node_id = $1 AND state IN ('queued', 'collecting', 'matching')`, node).Scan(&id)
		return id, false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO command (id, node_id, kind, scan_id, state, due_at) VALUES ($1, $2, 'scan', $3, 'open', $4)`,
		db.NewID(), node, id, now)
	if err != nil {
		return "", false, fmt.Errorf("queue scan of node %s: %w", node, err)
	}
	tx.AfterCommit(func() { s.signals.Wake(fleet.CommandTopic(node)) })
	return id, true, nil
}

// StartOnDemand scans the nodes, all or none of which exist.
func (s *Service) StartOnDemand(ctx context.Context, nodes []string) ([]Scan, error) {
	ids := make([]string, len(nodes))
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		for i, node := range nodes {
			var one int
			err := tx.QueryRowContext(ctx, `SELECT 1 FROM node WHERE id = $1`, node).Scan(&one)
			if errors.Is(err, sql.ErrNoRows) {
				return problem.Invalid("nodes", "there is no node %q", node)
			}
			if err != nil {
				return err
			}
			if ids[i], _, err = s.Start(ctx, tx, node, Cause{Trigger: OnDemand}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.byID(ctx, ids)
}

// Cancel ends an unfinished scan. Its agent learns of it when it next extends
// its lease.
func (s *Service) Cancel(ctx context.Context, id string) (Scan, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		ended, err := s.end(ctx, tx, id, Cancelled, "")
		if err != nil || ended {
			return err
		}
		var state string
		err = tx.QueryRowContext(ctx, `SELECT state FROM scan WHERE id = $1`, id).Scan(&state)
		if errors.Is(err, sql.ErrNoRows) {
			return problem.NotFound("scan", id)
		}
		if err != nil {
			return err
		}
		return problem.Conflict("the scan is %s already", state)
	})
	if err != nil {
		return Scan{}, err
	}
	return s.Get(ctx, id)
}

// end moves an unfinished scan and its open command into a final state, and says
// so in the log; false if it was finished before.
func (s *Service) end(ctx context.Context, tx *db.Tx, id, state, reason string) (bool, error) {
	now := s.now()
	result, err := tx.ExecContext(ctx, `UPDATE scan SET state = $2, error = $3, finished_at = $4, lease_until = NULL
		WHERE id = $1 AND state IN ('queued', 'collecting', 'matching')`, id, state, reason, now.UnixMicro())
	if err != nil {
		return false, fmt.Errorf("end scan %s: %w", id, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if err := finished(ctx, tx, id); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE command SET state = $2, lease_until = NULL WHERE scan_id = $1 AND state = 'open'`, id, state); err != nil {
		return false, fmt.Errorf("end commands of scan %s: %w", id, err)
	}
	return true, event.Append(ctx, tx, now, "scan."+state, id, map[string]string{"error": reason})
}

// finished notes what a scan came to with its node, for lists to ask by.
func finished(ctx context.Context, tx *db.Tx, id string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO node_scan (node_id, state, completed_at)
		SELECT node_id, state, CASE state WHEN 'complete' THEN finished_at END FROM scan WHERE id = $1
		ON CONFLICT (node_id) DO UPDATE SET state = excluded.state, completed_at = COALESCE(excluded.completed_at, node_scan.completed_at)`, id)
	if err != nil {
		return fmt.Errorf("note the end of scan %s: %w", id, err)
	}
	return nil
}
