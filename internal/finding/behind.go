package finding

import (
	"context"
	"fmt"
	"slices"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/platform/db"
)

// inventory is what some nodes have installed.
type inventory struct {
	id         int64
	digest     string
	ecosystems []string
	nodes      int
}

// lacking returns the inventories of nodes that have no result under a revision.
func (s *Service) lacking(ctx context.Context, rev *feed.Revision) ([]inventory, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT i.id, i.digest, i.ecosystems, n.nodes
		FROM (SELECT n.inventory_id AS id, count(*) AS nodes FROM node AS n JOIN node_result AS h ON h.node_id = n.id
			WHERE n.inventory_id IS NOT NULL GROUP BY n.inventory_id) AS n
		JOIN inventory AS i ON i.id = n.id
		WHERE NOT EXISTS (SELECT 1 FROM result_of AS m WHERE m.inventory_id = i.id AND m.revision = $1 AND m.engine = $2)
		ORDER BY i.id`, rev.ID(), match.EngineVersion)
	lacking, err := db.All(rows, err, func(scan db.Scan) (i inventory, err error) {
		return i, scan(&i.id, &i.digest, db.JSON{Into: &i.ecosystems}, &i.nodes)
	})
	if err != nil {
		return nil, fmt.Errorf("find inventories without a result: %w", err)
	}
	return lacking, nil
}

// step is from the result that says what is wrong with a node to the one that says
// so now.
type step struct{ before, after int64 }

// moving is a node that holds another result than its inventory has.
type moving struct {
	node      string
	inventory int64
	step      step
	// unseen: its last scan could not look at some components, so that more is open
	// on it than its result says.
	unseen bool
}

// behind returns the nodes that hold another result than their inventories have
// under a revision, those of one step together.
func (s *Service) behind(ctx context.Context, rev *feed.Revision) ([]moving, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT n.id, n.inventory_id, h.result_id, m.result_id,
			CASE WHEN EXISTS (SELECT 1 FROM unseen_component AS u WHERE u.node_id = n.id) THEN 1 ELSE 0 END
		FROM result_of AS m JOIN node AS n ON n.inventory_id = m.inventory_id JOIN node_result AS h ON h.node_id = n.id
		WHERE m.revision = $1 AND m.engine = $2 AND h.result_id <> m.result_id ORDER BY 3, 4, 1`, rev.ID(), match.EngineVersion)
	behind, err := db.All(rows, err, func(scan db.Scan) (m moving, err error) {
		return m, scan(&m.node, &m.inventory, &m.step.before, &m.step.after, &m.unseen)
	})
	if err != nil {
		return nil, fmt.Errorf("find nodes that are behind: %w", err)
	}
	return behind, nil
}

// predecessor is an earlier revision, and the inventories that have a result under it.
type predecessor struct {
	revision    string
	inventories map[int64]bool
}

// predecessors returns the revisions under which inventories have results, by the
// rules of now, those first that most have.
func (s *Service) predecessors(ctx context.Context, lacking []inventory) ([]predecessor, error) {
	list, err := db.Column(idsOf(lacking))
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT revision, inventory_id FROM result_of WHERE inventory_id `+db.AmongIDs+` AND engine = $2`, list, match.EngineVersion)
	if err != nil {
		return nil, err
	}
	found := make(map[string]map[int64]bool)
	err = db.Each(rows, func(scan db.Scan) error {
		var revision string
		var id int64
		err := scan(&revision, &id)
		if found[revision] == nil {
			found[revision] = make(map[int64]bool)
		}
		found[revision][id] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find what was known before: %w", err)
	}
	ordered := []predecessor{}
	for revision, inventories := range found {
		ordered = append(ordered, predecessor{revision, inventories})
	}
	slices.SortFunc(ordered, func(a, b predecessor) int { return len(b.inventories) - len(a.inventories) })
	return ordered, nil
}

func idsOf(inventories []inventory) []int64 {
	ids := make([]int64, len(inventories))
	for i, inventory := range inventories {
		ids[i] = inventory.id
	}
	return ids
}
