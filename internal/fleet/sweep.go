package fleet

import (
	"context"
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
// before $2.
const unowned = `b.created_at < $2 AND NOT EXISTS (SELECT 1 FROM node AS n WHERE n.sbom_id = b.id) AND NOT EXISTS (SELECT 1 FROM scan AS s WHERE s.sbom_id = b.id)`

// SweepDocuments removes documents that no node has and no scan was of, whenever
// they came, and returns how many.
func (s *Service) SweepDocuments(ctx context.Context, _ time.Time) (int64, error) {
	documents := db.Sweep{From: `sbom AS b`, ID: `b.id`, Needless: unowned, Delete: []string{`sbom WHERE id`}, Batch: sweepBatch}
	return s.db.Sweep(ctx, documents, s.now().Add(-unsettled).UnixMicro())
}

// needless holds for an inventory i of which there is no document, that no node has,
// and of which no result is kept. Components stay: they are known by their ids.
const needless = `NOT EXISTS (SELECT 1 FROM sbom AS b WHERE b.inventory_id = i.id) AND NOT EXISTS (SELECT 1 FROM node AS n WHERE n.inventory_id = i.id)
	AND NOT EXISTS (SELECT 1 FROM result_of AS m WHERE m.inventory_id = i.id)`

// SweepInventories removes inventories that nothing needs, and returns how many.
func (s *Service) SweepInventories(ctx context.Context, _ time.Time) (int64, error) {
	return s.db.Sweep(ctx, db.Sweep{
		From: `inventory AS i`, ID: `i.id`, Needless: needless, Batch: sweepBatch,
		Delete: []string{
			`component_inventory WHERE component_id IN (SELECT component_id FROM inventory_component WHERE inventory_id ` + db.AmongIDs + `) AND inventory_id`,
			`inventory_component WHERE inventory_id`, `inventory WHERE id`,
		},
	})
}
