package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/problem"
)

// DefaultRetention is how long a node may be inactive before it is retired.
const DefaultRetention = 14 * 24 * time.Hour

// Lifecycle says what becomes of nodes whose agents are gone.
type Lifecycle struct {
	// Retention is how long a node may be inactive; 0 is for ever.
	Retention time.Duration
	// OnRetire are told of a node that is being retired, in the transaction: what
	// other rooms keep of it as present is over.
	OnRetire []func(ctx context.Context, tx *db.Tx, node string) error
	// OnArrive are told of nodes that came, in the transaction: they were registered,
	// by an agent for the first time or by one that was set up anew, or came back from
	// retirement.
	OnArrive []func(ctx context.Context, tx *db.Tx, nodes []NodeName) error
}

// SetLifecycle is called while the console is built, before anything else.
func (s *Service) SetLifecycle(l Lifecycle) { s.lifecycle = l }

// Why a node was retired.
const (
	becauseSilent = "inactive" // for longer than the retention
	becauseAsked  = "by_hand"
)

// Run wakes agents, notices nodes that fall silent, and retires those that stay so,
// until the context ends. Looking for the silent begins once every agent has had the time to speak, and so it does
// after a time in which nothing could be looked for: it may have been the console, or
// the database, that was away.
func (s *Service) Run(ctx context.Context) {
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() { s.lines.run(ctx) })
	const grace = 3 * HeartbeatInterval
	failing := logs.Lasting{What: "looking for nodes that fell silent failed; it will be tried again"}
	away := false
	lease.Every(ctx, grace, func(ctx context.Context) time.Duration {
		before := away
		err := s.watch(ctx, before)
		failing.Note(ctx, err)
		if away = err != nil; before && !away {
			return grace
		}
		return HeartbeatInterval
	})
}

// watch looks for silent nodes, or only whether that can be done again.
func (s *Service) watch(ctx context.Context, away bool) error {
	if !away {
		return s.sweep(ctx)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var one int
		return tx.QueryRowContext(ctx, `SELECT 1`).Scan(&one)
	})
}

// batch is how many nodes one transaction takes on.
const batch = 200

// sweep notices silent nodes, and retires those whose silence was noticed long ago.
func (s *Service) sweep(ctx context.Context) error {
	for {
		n, err := s.noticeSilence(ctx)
		if err != nil {
			return fmt.Errorf("note silent nodes: %w", err)
		}
		if n < batch {
			break
		}
	}
	if s.lifecycle.Retention == 0 {
		return nil
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id FROM node WHERE `+lost+` ORDER BY id`, s.lostSince())
	nodes, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return fmt.Errorf("find nodes to retire: %w", err)
	}
	for _, node := range nodes {
		if err := s.retireLost(ctx, node); err != nil {
			return fmt.Errorf("retire node %s: %w", node, err)
		}
	}
	return nil
}

// lost holds for nodes that are to be retired: hosts whose silence was noticed long
// ago, and containers and images that are long gone.
const lost = `retired_at IS NULL AND (silent_at <= $1 OR (host_id IS NOT NULL AND present = 0 AND last_seen <= $1))`

func (s *Service) lostSince() int64 { return s.now().Add(-s.lifecycle.Retention).UnixMicro() }

func (s *Service) noticeSilence(ctx context.Context) (noticed int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		// Only hosts have an agent of their own.
		const silent = `silent_at IS NULL AND retired_at IS NULL AND uploaded = 0 AND kind = 'host' AND last_seen < $2`
		rows, err := tx.QueryContext(ctx, `UPDATE node SET silent_at = $1 WHERE id IN (SELECT id FROM node WHERE `+silent+` ORDER BY id LIMIT $3) AND `+silent+`
			RETURNING id, name, last_seen`, now.UnixMicro(), now.Add(-3*HeartbeatInterval).UnixMicro(), batch)
		type node struct {
			id, name string
			lastSeen time.Time
		}
		nodes, err := db.All(rows, err, func(scan db.Scan) (n node, err error) { return n, scan(&n.id, &n.name, db.Time{Time: &n.lastSeen}) })
		if err != nil {
			return err
		}
		noticed = len(nodes)
		for _, n := range nodes {
			if err := event.AppendTo(ctx, tx, now, event.Of(n.id), "node.inactive", n.id, map[string]any{"name": n.name, "last_seen": n.lastSeen}); err != nil {
				return err
			}
		}
		return nil
	})
	return noticed, err
}

// retireLost retires a node unless it has spoken meanwhile.
func (s *Service) retireLost(ctx context.Context, node string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row := tx.QueryRowContext(ctx, `SELECT id FROM node WHERE id = $2 AND `+lost, s.lostSince(), node)
		if _, err := db.One(row, db.Value[string]); err != nil {
			if errors.Is(err, db.ErrNotFound) {
				return nil
			}
			return err
		}
		return s.retire(ctx, tx, node, becauseSilent)
	})
}

// Retire retires a node at once and ends its credential: an agent that is to come
// back needs an enrolment token. To retire it again changes nothing. A container or
// an image that is there is refused: its host's next report would bring it back.
func (s *Service) Retire(ctx context.Context, node string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var retired time.Time
		var name, kind, host string
		// The host counts while its agent may report.
		row := tx.QueryRowContext(ctx, `SELECT n.name, n.kind, n.retired_at, COALESCE(h.name, '') FROM node AS n
			LEFT JOIN node AS h ON h.id = n.host_id AND n.present = 1 AND h.retired_at IS NULL AND h.silent_at IS NULL WHERE n.id = $1`, node)
		_, err := db.One(row, func(scan db.Scan) (_ struct{}, err error) {
			return struct{}{}, scan(&name, &kind, db.Time{Time: &retired}, &host)
		})
		switch {
		case errors.Is(err, db.ErrNotFound):
			return problem.NotFound("node", node)
		case err != nil:
			return err
		case host != "" && retired.IsZero():
			return problem.Conflict("the %s %s is on %s now, whose agent would report it again: remove it there, or retire the host", kind, name, host)
		}
		if err := s.auth.EndAgent(ctx, tx, node); err != nil || !retired.IsZero() {
			return err
		}
		if err := audit.Record(ctx, tx, s.now(), "node.retired", audit.Subject{Kind: "node", ID: node, Name: name}, nil, nil); err != nil {
			return err
		}
		return s.retire(ctx, tx, node, becauseAsked)
	})
}

func (s *Service) retire(ctx context.Context, tx *db.Tx, node, because string) error {
	now := s.now()
	if _, err := tx.ExecContext(ctx, `UPDATE node SET retired_at = $2 WHERE id = $1`, node, now.UnixMicro()); err != nil {
		return err
	}
	for _, tell := range s.lifecycle.OnRetire {
		if err := tell(ctx, tx, node); err != nil {
			return err
		}
	}
	if err := s.retireChildren(ctx, tx, node, because); err != nil {
		return err
	}
	return event.AppendTo(ctx, tx, now, event.Of(node), "node.retired", node, map[string]any{"because": because})
}

// retireChildren retires the containers and images of a host with it.
func (s *Service) retireChildren(ctx context.Context, tx *db.Tx, host, because string) error {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM node WHERE host_id = $1 AND retired_at IS NULL ORDER BY id`, host)
	children, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := s.retire(ctx, tx, child, because); err != nil {
			return err
		}
	}
	return nil
}
