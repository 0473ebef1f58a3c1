package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/policy"
	"patrol/internal/wire"
)

// Select returns the ids of the nodes that a selector means, in the order in
// which they were first seen. Nodes that are retired, containers that have ended,
// and images that were removed are never meant: there is nothing left to look at.
func (s *Service) Select(ctx context.Context, q db.Querier, expression string) ([]string, error) {
	selector, err := s.selectors.Compile(expression)
	if err != nil {
		return nil, problem.Invalid("selector", "%v", err)
	}
	return s.among(ctx, q, selector, present)
}

// Selection are all nodes that there is something to look at, read once for many
// selectors: to read ten thousand takes longer than to choose among them.
type Selection struct {
	nodes []policy.Node
	now   time.Time
}

// Selection returns the nodes as they are.
func (s *Service) Selection(ctx context.Context, q db.Querier) (Selection, error) {
	nodes, err := s.read(ctx, q, present)
	return Selection{nodes, s.now()}, err
}

// Select returns the ids of the nodes that the selector of a schedule means, whose
// run before this one was then; zero if there was none.
func (n Selection) Select(expression string, previous time.Time) ([]string, error) {
	selector, err := policy.CompileForRun(expression)
	if err != nil {
		return nil, problem.Invalid("selector", "%v", err)
	}
	selected, err := choose(n.nodes, selector, policy.Moment{Now: n.now, Run: policy.Run{Previous: previous}})
	if err != nil {
		return nil, problem.Invalid("selector", "%v", err)
	}
	return selected, nil
}

// SelectSeen returns the ids of the nodes that a selector means among those that the
// caller sees. It is not asked of others: how it fails would tell of them.
func (s *Service) SelectSeen(ctx context.Context, expression string) ([]string, error) {
	scope, err := s.Scope(ctx)
	if err != nil {
		return nil, err
	}
	if scope.Column == All {
		return s.Select(ctx, s.db.Read(), expression)
	}
	selector, err := s.selectors.Compile(expression)
	if err != nil {
		return nil, problem.Invalid("selector", "%v", err)
	}
	return s.among(ctx, s.db.Read(), selector, present+` AND n.id `+db.Among(`$1`), scope.Column)
}

// Selects tells whether a selector means one node.
func (s *Service) Selects(ctx context.Context, q db.Querier, expression, node string) (bool, error) {
	selector, err := s.selectors.Compile(expression)
	if err != nil {
		return false, problem.Invalid("selector", "%v", err)
	}
	selected, err := s.among(ctx, q, selector, present+` AND n.id = $1`, node)
	return len(selected) > 0, err
}

// present holds for nodes that there is something to look at.
const present = `n.present = 1 AND n.retired_at IS NULL`

// failure is that of a selector on one node.
type failure struct {
	node string
	err  error
}

func (f *failure) Error() string { return fmt.Sprintf("on node %s: %v", f.node, f.err) }

// among returns the ids of the nodes that a selector means, among those that a
// condition holds for.
func (s *Service) among(ctx context.Context, q db.Querier, selector *policy.Selector, condition string, args ...any) ([]string, error) {
	selected, err := s.evaluate(ctx, q, selector, condition, args...)
	var failed *failure
	if errors.As(err, &failed) {
		return nil, problem.Invalid("selector", "%v", failed)
	}
	return selected, err
}

// evaluate is among whose error is a failure where the selector fails on a node.
func (s *Service) evaluate(ctx context.Context, q db.Querier, selector *policy.Selector, condition string, args ...any) ([]string, error) {
	nodes, err := s.read(ctx, q, condition, args...)
	if err != nil {
		return nil, err
	}
	return choose(nodes, selector, policy.Moment{Now: s.now()})
}

// read returns the nodes that a condition holds for, as selectors see them.
func (s *Service) read(ctx context.Context, q db.Querier, condition string, args ...any) ([]policy.Node, error) {
	now := s.now()
	rows, err := q.QueryContext(ctx, `SELECT n.id, n.kind, n.name, n.labels, n.distribution, n.architecture, n.first_seen, `+lastSeen+`, n.uploaded,
		COALESCE(h.name, ''), n.image, n.present, n.retired_at, COALESCE(ns.state, 'never'), ns.completed_at
		FROM node AS n LEFT JOIN node AS h ON h.id = n.host_id LEFT JOIN node_scan AS ns ON ns.node_id = n.id WHERE `+condition+` ORDER BY n.id`, args...)
	nodes, err := db.All(rows, err, func(scan db.Scan) (n policy.Node, err error) {
		var image wire.Image
		var uploaded, present int
		var retired time.Time
		err = scan(&n.ID, &n.Kind, &n.Name, db.JSON{Into: &n.Labels}, db.JSON{Into: &n.Distribution}, &n.Architecture,
			db.Time{Time: &n.FirstSeen}, db.Time{Time: &n.LastSeen}, &uploaded, &n.Host, db.JSON{Into: &image}, &present, db.Time{Time: &retired},
			&n.LastScanState, db.Time{Time: &n.LastScanAt})
		n.State, n.Image = state(present == 1, uploaded == 1, retired, n.LastSeen, now), image.Reference
		return n, err
	})
	if err != nil {
		return nil, fmt.Errorf("select nodes: %w", err)
	}
	return nodes, nil
}

// choose returns the ids of the nodes that a selector means; a failure if it fails on
// one.
func choose(nodes []policy.Node, selector *policy.Selector, moment policy.Moment) ([]string, error) {
	selected := []string{}
	for _, node := range nodes {
		ok, err := selector.Selects(node, moment)
		if err != nil {
			return nil, &failure{node.Name, err}
		}
		if ok {
			selected = append(selected, node.ID)
		}
	}
	return selected, nil
}

// state tells how a node that was last seen then is now. A child that is not
// present has ended; an uploaded SBOM has no heartbeat to miss.
func state(present, uploaded bool, retiredAt, lastSeen, now time.Time) string {
	switch {
	case !retiredAt.IsZero():
		return Retired
	case !present, !uploaded && now.Sub(lastSeen) > 3*HeartbeatInterval:
		return Inactive
	}
	return Active
}

// Named returns nodes as rules see them, by their ids, those that are gone included.
// An id that is none is left out.
func (s *Service) Named(ctx context.Context, q db.Querier, ids []string) (map[string]policy.Node, error) {
	list, err := db.Column(ids)
	if err != nil {
		return nil, err
	}
	nodes, err := s.read(ctx, q, `n.id `+db.Among(`$1`), list)
	if err != nil {
		return nil, err
	}
	named := make(map[string]policy.Node, len(nodes))
	for _, n := range nodes {
		named[n.ID] = n
	}
	return named, nil
}
