package finding

import (
	"context"
	"slices"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/platform/db"
)

// carried is what an inventory had under an earlier revision.
type carried struct {
	inventory
	result  int64
	content content
	differ  []int64 // its components of which something else is said now
}

// carryResults gives inventories their results: what they had, without what was
// found in components of which something else is said now, and with that.
func carryResults(ctx context.Context, tx *db.Tx, rev, old *feed.Revision, inventories []inventory, a answers) error {
	had, err := readCarried(ctx, tx, old, inventories, a)
	if err != nil {
		return err
	}
	contents, changed := []content{}, []int{}
	for i, c := range had {
		uncovered := match.Uncovered(rev, c.ecosystems)
		if len(c.differ) == 0 && slices.Equal(uncovered, c.content.uncovered) {
			continue
		}
		next, err := c.next(ctx, tx, a)
		if err != nil {
			return err
		}
		next.uncovered = uncovered
		contents, changed = append(contents, next), append(changed, i)
	}
	results, err := keepResults(ctx, tx, contents)
	if err != nil {
		return err
	}
	for k, i := range changed {
		had[i].result = results[k]
	}
	rows := make([][2]int64, len(had))
	for i, c := range had {
		rows[i] = [2]int64{c.id, c.result}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO result_of (inventory_id, revision, engine, result_id)
		SELECT CAST(value->>0 AS BIGINT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST(value->>1 AS BIGINT) FROM json_each($1) AS j WHERE TRUE
		ON CONFLICT (inventory_id, revision, engine) DO NOTHING`, list, rev.ID(), match.EngineVersion)
	return err
}

// readCarried returns what inventories had under an earlier revision.
func readCarried(ctx context.Context, tx *db.Tx, old *feed.Revision, inventories []inventory, a answers) ([]carried, error) {
	list, err := db.Column(idsOf(inventories))
	if err != nil {
		return nil, err
	}
	differ, err := holding(ctx, tx, list, a)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]inventory, len(inventories))
	for _, i := range inventories {
		byID[i.id] = i
	}
	rows, err := tx.QueryContext(ctx, `SELECT m.inventory_id, m.result_id, r.uncovered, r.unread FROM result_of AS m JOIN result AS r ON r.id = m.result_id
		WHERE m.inventory_id `+db.AmongIDs+` AND m.revision = $2 AND m.engine = $3 ORDER BY 1`, list, old.ID(), match.EngineVersion)
	return db.All(rows, err, func(scan db.Scan) (c carried, err error) {
		var id int64
		err = scan(&id, &c.result, db.JSON{Into: &c.content.uncovered}, db.JSON{Into: &c.content.unread})
		c.inventory, c.differ = byID[id], differ[id]
		return c, err
	})
}

// holding returns the components, of which something else is said now, that each of
// the inventories holds. Those of an inventory are read all: there are hundreds, and
// each look for one would cost as much as reading ten.
func holding(ctx context.Context, tx *db.Tx, inventories string, a answers) (map[int64][]int64, error) {
	found := make(map[int64][]int64)
	if len(a.components) == 0 {
		return found, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT i.inventory_id, i.component_id FROM inventory_component AS i WHERE i.inventory_id `+db.AmongIDs, inventories)
	if err != nil {
		return nil, err
	}
	return found, db.Each(rows, func(scan db.Scan) error {
		var inventory, component int64
		err := scan(&inventory, &component)
		if a.components[component] {
			found[inventory] = append(found[inventory], component)
		}
		return err
	})
}

// next returns what the inventory has now.
func (c carried) next(ctx context.Context, tx *db.Tx, a answers) (next content, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT f.id, f.component_id FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id WHERE r.result_id = $1`, c.result)
	had, err := db.All(rows, err, func(scan db.Scan) (k kept, err error) { return k, scan(&k.id, &k.component) })
	if err != nil {
		return next, err
	}
	next.findings = []int64{}
	for _, f := range had {
		if !a.components[f.component] {
			next.findings = append(next.findings, f.id)
		}
	}
	for _, component := range c.differ {
		next.findings = append(next.findings, a.findings[component]...)
	}
	slices.Sort(next.findings)
	next.unread = slices.Clone(c.content.unread)
	for _, component := range c.differ {
		for _, u := range a.wasUnread[component] {
			if i := slices.Index(next.unread, u); i >= 0 {
				next.unread = slices.Delete(next.unread, i, i+1)
			}
		}
	}
	for _, component := range c.differ {
		next.unread = append(next.unread, a.isUnread[component]...)
	}
	slices.SortFunc(next.unread, Unread.compare)
	return next, nil
}
