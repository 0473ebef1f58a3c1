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
// which they were first seen. It never means one that is retired.
func (s *Service) Select(ctx context.Context, q db.Querier, expression string) ([]string, error) {
	selector, err := policy.Compile(expression)
	if err != nil {
		return nil, problem.Invalid("selector", "%v", err)
	}
	now := s.now()
	rows, err := q.QueryContext(ctx, `SELECT id, kind, name, labels, distribution, architecture, first_seen, last_seen, uploaded
		FROM node WHERE retired_at IS NULL ORDER BY id`)
	nodes, err := db.All(rows, err, func(scan db.Scan) (n policy.Node, err error) {
		var uploaded int
		err = scan(&n.ID, &n.Kind, &n.Name, db.JSON{Into: &n.Labels}, db.JSON{Into: &n.Distribution}, &n.Architecture,
			db.Time{Time: &n.FirstSeen}, db.Time{Time: &n.LastSeen}, &uploaded)
		n.State = state(uploaded == 1, time.Time{}, n.LastSeen, now)
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

// state tells how a node that was last seen then is now. An uploaded SBOM has no
// heartbeat to miss.
func state(uploaded bool, retiredAt, lastSeen, now time.Time) string {
	switch {
	case !retiredAt.IsZero():
		return Retired
	case !uploaded && now.Sub(lastSeen) > 3*HeartbeatInterval:
		return Inactive
	}
	return Active
}
