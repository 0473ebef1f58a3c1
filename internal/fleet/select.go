package fleet

import (
	"context"
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
	text, args := `SELECT n.id, n.kind, n.name, n.labels, n.distribution, n.architecture, n.first_seen, `+lastSeen+`, n.uploaded,
		COALESCE(h.name, ''), n.image FROM node AS n LEFT JOIN node AS h ON h.id = n.host_id WHERE n.present = 1 AND n.retired_at IS NULL`, []any{}
	if only != "" {
		text, args = text+` AND n.id = $1`, []any{only}
	}
	rows, err := q.QueryContext(ctx, text+` ORDER BY n.id`, args...)
	nodes, err := db.All(rows, err, func(scan db.Scan) (n policy.Node, err error) {
		var image wire.Image
		var uploaded int
		err = scan(&n.ID, &n.Kind, &n.Name, db.JSON{Into: &n.Labels}, db.JSON{Into: &n.Distribution}, &n.Architecture,
			db.Time{Time: &n.FirstSeen}, db.Time{Time: &n.LastSeen}, &uploaded, &n.Host, db.JSON{Into: &image})
		n.State, n.Image = state(true, uploaded == 1, time.Time{}, n.LastSeen, now), image.Reference
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
