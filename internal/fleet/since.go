package fleet

import (
	"context"

	"patrol/internal/platform/db"
	"patrol/internal/sbom"
)

// Since when a node has a component is known without its old inventories: all of the
// first one is there since that came (node.inventory_since), and of what came later
// there is a row (node_component). A component that goes and comes back is there since
// it came back; one that only could not be looked at meanwhile was never gone.

// replaced notes what went and what came when a node goes from one inventory, zero
// being none, to another. What the scan before could not look at is still noted as
// unseen.
func (s *Service) replaced(ctx context.Context, tx *db.Tx, node string, before, after int64, unseen []sbom.Key) error {
	if before == 0 {
		return nil
	}
	hold, err := db.ToJSON(unseen)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM node_component WHERE node_id = $1
		AND component_id NOT IN (SELECT component_id FROM inventory_component WHERE inventory_id = $2)
		AND component_id NOT IN (SELECT c.id FROM json_each($3) AS j
			JOIN component AS c ON c.ecosystem = value->>'Ecosystem' AND c.name = value->>'Name' AND c.version = value->>'Version'
				AND c.source_name = value->>'SourceName' AND c.source_version = value->>'SourceVersion')`, node, after, hold)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO node_component (node_id, component_id, since)
		SELECT CAST($1 AS TEXT), came.component_id, CAST($4 AS BIGINT) FROM (
			SELECT component_id FROM inventory_component WHERE inventory_id = $3
			EXCEPT SELECT component_id FROM inventory_component WHERE inventory_id = $2
			EXCEPT SELECT component_id FROM unseen_component WHERE node_id = $1) AS came
		WHERE TRUE ON CONFLICT (node_id, component_id) DO UPDATE SET since = excluded.since`, node, before, after, s.now().UnixMicro())
	return err
}
