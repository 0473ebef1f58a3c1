package fleet

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/policy"
)

// Select returns the ids of the nodes that a selector means, in the order in
// which they were first seen.
func (s *Service) Select(ctx context.Context, q db.Querier, expression string) ([]string, error) {
	selector, err := policy.Compile(expression)
	if err != nil {
		return nil, problem.Invalid("selector", "%v", err)
	}
	return s.among(ctx, q, selector, "")
}

// Selects tells whether a selector means one node.
func (s *Service) Selects(ctx context.Context, q db.Querier, expression, node string) (bool, error) {
	selector, err := policy.Compile(expression)
	if err != nil {
		return false, problem.Invalid("selector", "%v", err)
	}
	selected, err := s.among(ctx, q, selector, node)
	return len(selected) > 0, err
}

// among returns the ids of the nodes that a selector means, among all or of one.
func (s *Service) among(ctx context.Context, q db.Querier, selector *policy.Selector, only string) ([]string, error) {
	now := s.now()
	text, args := `SELECT id, kind, name, labels, distribution, architecture, first_seen, last_seen FROM node`, []any{}
	if only != "" {
		text, args = text+` WHERE id = $1`, []any{only}
	}
	rows, err := q.QueryContext(ctx, text+` ORDER BY id`, args...)
	nodes, err := db.All(rows, err, func(scan db.Scan) (n policy.Node, err error) {
		err = scan(&n.ID, &n.Kind, &n.Name, db.JSON{Into: &n.Labels}, db.JSON{Into: &n.Distribution}, &n.Architecture,
			db.Time{Time: &n.FirstSeen}, db.Time{Time: &n.LastSeen})
		n.State = state(n.LastSeen, now)
		return n, err
	})
	if err != nil {
		return nil, fmt.Errorf("select nodes: %w", err)
	}
	selected := []string{}
	for _, node := range nodes {
		ok, err := selector.Selects(node)
		if err != nil {
			return nil, problem.Invalid("selector", "on node %s: %v", node.Name, err)
		}
		if ok {
			selected = append(selected, node.ID)
		}
	}
	return selected, nil
}

// state tells whether a node that was last seen then is there now.
func state(lastSeen, now time.Time) string {
	if now.Sub(lastSeen) > 3*HeartbeatInterval {
		return Inactive
	}
	return Active
}
