package scan

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
)

// Cause says what starts a scan.
type Cause struct {
	Trigger       string
	Schedule, Run string
	// Attempt counts a run's scans of a node; zero is the first.
	Attempt int
}

// Start queues a scan of a node in the caller's transaction, and wakes its agent
// once that is committed; what was uploaded is matched again. A node that is being
// scanned already gets no second
// one: its unfinished scan is returned, and started is false.
func (s *Service) Start(ctx context.Context, tx *db.Tx, node string, cause Cause) (id string, started bool, err error) {
	now := s.now().UnixMicro()
	id = db.NewID()
	document, uploaded, err := uploadedDocument(ctx, tx, node)
	if err != nil {
		return "", false, err
	}
	state := Queued
	if uploaded {
		state = Matching
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, due_at, sbom_id, attempt)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7, NULLIF(CAST($8 AS BIGINT), 0), $9) ON CONFLICT DO NOTHING`,
		id, node, state, cause.Trigger, cause.Schedule, cause.Run, now, document, max(cause.Attempt, 1))
	if err != nil {
		return "", false, fmt.Errorf("queue scan of node %s: %w", node, err)
	}
	if n, err := result.RowsAffected(); err != nil {
		return "", false, err
	} else if n == 0 {
		err := tx.QueryRowContext(ctx, `SELECT id FROM scan WHERE node_id = $1 AND state IN ('queued', 'collecting', 'matching')`, node).Scan(&id)
		return id, false, err
	}
	if uploaded {
		tx.AfterCommit(func() { s.signals.Wake(matchTopic) })
		return id, true, nil
	}
	// A container or an image is collected by the agent of its host.
	var agent string
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(host_id, id) FROM node WHERE id = $1`, node).Scan(&agent); err != nil {
		return "", false, fmt.Errorf("queue scan of node %s: %w", node, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO command (id, node_id, kind, scan_id, state, due_at) VALUES ($1, $2, 'scan', $3, 'open', $4)`,
		db.NewID(), agent, id, now)
	if err != nil {
		return "", false, fmt.Errorf("queue scan of node %s: %w", node, err)
	}
	tx.AfterCommit(func() { s.signals.Wake(fleet.CommandTopic(agent)) })
	return id, true, nil
}

// StartOnDemand scans the nodes, all or none of which exist.
func (s *Service) StartOnDemand(ctx context.Context, nodes []string) ([]Scan, error) {
	scope, err := s.fleet.Scope(ctx)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(nodes))
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		for i, node := range nodes {
			var name string
			var retired int
			err := tx.QueryRowContext(ctx, `SELECT name, CASE WHEN retired_at IS NULL THEN 0 ELSE 1 END FROM node WHERE id = $1`, node).Scan(&name, &retired)
			switch {
			case errors.Is(err, sql.ErrNoRows), err == nil && !scope.Has(node):
				return problem.Invalid("nodes", "there is no node %q", node)
			case err != nil:
				return err
			case retired == 1:
				return problem.Conflict("node %s is retired: there is nothing to scan until it comes back", node)
			}
			var started bool
			if ids[i], started, err = s.Start(ctx, tx, node, Cause{Trigger: OnDemand}); err != nil {
				return err
			}
			if !started {
				continue
			}
			err = audit.Record(ctx, tx, s.now(), "scan.started", audit.Subject{Kind: "scan", ID: ids[i], Name: name}, nil, map[string]string{"node": node})
			if err != nil {
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
	if _, err := s.Get(ctx, id); err != nil {
		return Scan{}, err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		var state, name string
		err := tx.QueryRowContext(ctx, `SELECT s.state, n.name FROM scan AS s JOIN node AS n ON n.id = s.node_id WHERE s.id = $1`, id).Scan(&state, &name)
		if errors.Is(err, sql.ErrNoRows) {
			return problem.NotFound("scan", id)
		}
		if err != nil {
			return err
		}
		err = audit.Record(ctx, tx, s.now(), "scan.cancelled", audit.Subject{Kind: "scan", ID: id, Name: name},
			map[string]string{"state": state}, map[string]string{"state": Cancelled})
		if err != nil {
			return err
		}
		if ended, err := s.end(ctx, tx, id, Cancelled, ""); err != nil || ended {
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
	var node string
	err := tx.QueryRowContext(ctx, `UPDATE scan SET state = $2, error = $3, finished_at = $4, lease_until = NULL
		WHERE id = $1 AND state IN ('queued', 'collecting', 'matching') RETURNING node_id`, id, state, reason, now.UnixMicro()).Scan(&node)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("end scan %s: %w", id, err)
	}
	if err := s.finished(ctx, tx, id); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE command SET state = $2, lease_until = NULL WHERE scan_id = $1 AND state = 'open'`, id, state); err != nil {
		return false, fmt.Errorf("end commands of scan %s: %w", id, err)
	}
	return true, event.AppendTo(ctx, tx, now, event.Of(node), "scan."+state, id, map[string]string{"error": reason})
}

// finished notes what a scan came to with its node, for lists to ask by, and queues
// the scan that is to follow.
func (s *Service) finished(ctx context.Context, tx *db.Tx, id string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO node_scan (node_id, state, completed_at)
		SELECT node_id, state, CASE state WHEN 'complete' THEN finished_at END FROM scan WHERE id = $1
		ON CONFLICT (node_id) DO UPDATE SET state = excluded.state, completed_at = COALESCE(excluded.completed_at, node_scan.completed_at)`, id)
	if err != nil {
		return fmt.Errorf("note the end of scan %s: %w", id, err)
	}
	tx.Wake(Ended)
	if err := facet(ctx, tx, id); err != nil {
		return err
	}
	return s.startAgain(ctx, tx, id)
}
