package fleet

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// sweepBatch is how many documents or inventories one transaction removes: an
// inventory has hundreds of rows.
const sweepBatch = 20

// unsettled is for how long a document that came may be nobody's yet: its scan goes
// on.
const unsettled = 24 * time.Hour

// unowned holds for a document b that no node has and no scan was of, and that came
// before $3.
const unowned = `b.created_at < $3 AND NOT EXISTS (SELECT 1 FROM node AS n WHERE n.sbom_id = b.id) AND NOT EXISTS (SELECT 1 FROM scan AS s WHERE s.sbom_id = b.id)`

// SweepDocuments removes documents that no node has and no scan was of, whenever
// they came, and returns how many.
func (s *Service) SweepDocuments(ctx context.Context, _ time.Time) (int64, error) {
	return s.sweepBatches(ctx, `SELECT b.id FROM sbom AS b WHERE b.id > $1 AND `+unowned+` ORDER BY b.id LIMIT $2`, []string{`sbom WHERE id`}, s.now().Add(-unsettled).UnixMicro())
}

// needless holds for an inventory i of which there is no document, that no node has,
// and of which no result is kept. Components stay: they are known by their ids.
const needless = `NOT EXISTS (SELECT 1 FROM sbom AS b WHERE b.inventory_id = i.id) AND NOT EXISTS (SELECT 1 FROM node AS n WHERE n.inventory_id = i.id)
	AND NOT EXISTS (SELECT 1 FROM result_of AS m WHERE m.inventory_id = i.id)`

// SweepInventories removes inventories that nothing needs, and returns how many.
func (s *Service) SweepInventories(ctx context.Context, _ time.Time) (int64, error) {
	return s.sweepBatches(ctx, `SELECT i.id FROM inventory AS i WHERE i.id > $1 AND `+needless+` ORDER BY i.id LIMIT $2`,
		[]string{
			`component_inventory WHERE component_id IN (SELECT component_id FROM inventory_component WHERE inventory_id ` + db.AmongIDs + `) AND inventory_id`,
			`inventory_component WHERE inventory_id`, `inventory WHERE id`,
		})
}

// sweepBatches removes from tables what a query finds after an id, and asks again in
// the transaction that does it: it may be needed by then.
func (s *Service) sweepBatches(ctx context.Context, query string, tables []string, args ...any) (removed int64, err error) {
	find := func(q db.Querier, after int64) ([]int64, error) {
		rows, err := q.QueryContext(ctx, query, append([]any{after, sweepBatch}, args...)...)
		return db.All(rows, err, db.Value[int64])
	}
	for after := int64(0); ; {
		found, err := find(s.db.Read(), after)
		if err != nil || len(found) == 0 {
			return removed, err
		}
		var n int64
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			still, err := find(tx, after)
			if err != nil {
				return err
			}
			list, err := db.Column(still)
			if err != nil {
				return err
			}
			for _, table := range tables {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+" "+db.AmongIDs, list); err != nil {
					return err
				}
			}
			n = int64(len(still))
			return nil
		})
		if err != nil {
			return removed, fmt.Errorf("remove documents and inventories that nobody has: %w", err)
		}
		after, removed = found[len(found)-1], removed+n
	}
}
