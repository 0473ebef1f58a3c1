package finding

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// deployed tells since when the node of an occurrence has the oldest of the components
// that it is found in: by the node's result, or because nobody could look whether
// they are there still. A vulnerability has few findings, a node's result thousands:
// so it begins with the former.
const deployed = `SELECT o.id, (SELECT min(COALESCE(c.since, (SELECT n.inventory_since FROM node AS n WHERE n.id = o.node_id))) FROM finding AS f
		LEFT JOIN result_finding AS r ON r.finding_id = f.id AND r.result_id = (SELECT h.result_id FROM node_result AS h WHERE h.node_id = o.node_id)
		LEFT JOIN unseen_component AS u ON u.node_id = o.node_id AND u.component_id = f.component_id
		LEFT JOIN node_component AS c ON c.node_id = o.node_id AND c.component_id = f.component_id
		WHERE f.vulnerability_id = o.vulnerability_id AND f.ecosystem = o.ecosystem AND f.package = o.package
		  AND (r.finding_id IS NOT NULL OR u.component_id IS NOT NULL))
	FROM occurrence AS o WHERE o.resolved_at IS NULL AND o.id ` + db.AmongIDs

// Deployed returns, of those of the occurrences that are not resolved, since when
// their nodes have what they are found in; nothing of what is not known.
func (s *Service) Deployed(ctx context.Context, occurrences []int64) (map[int64]time.Time, error) {
	found := make(map[int64]time.Time, len(occurrences))
	if len(occurrences) == 0 {
		return found, nil
	}
	list, err := db.Column(occurrences)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().QueryContext(ctx, deployed, list)
	if err == nil {
		err = db.Each(rows, func(scan db.Scan) error {
			var id int64
			var at time.Time
			err := scan(&id, db.Time{Time: &at})
			if !at.IsZero() {
				found[id] = at
			}
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read since when what occurrences are found in is there: %w", err)
	}
	return found, nil
}

func (s *Service) noteDeployed(ctx context.Context, occurrences []Occurrence) error {
	var open []int64
	for _, o := range occurrences {
		if o.State != Resolved {
			open = append(open, o.ID)
		}
	}
	found, err := s.Deployed(ctx, open)
	if err != nil {
		return err
	}
	for i, o := range occurrences {
		if at, ok := found[o.ID]; ok {
			occurrences[i].DeployedAt = &at
		}
	}
	return nil
}
