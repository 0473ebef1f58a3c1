package simulate

import (
	"context"
	"fmt"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
)

// tables are those that get so many rows that their indexes are better made
// afterwards.
const tables = `('occurrence', 'inventory_component', 'result_finding')`

// dropIndexes drops the indexes of the largest tables, and returns what makes them
// again.
func dropIndexes(ctx context.Context, d *db.DB) (restore func(context.Context, *db.DB) error, err error) {
	query := `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ` + tables
	if d.Dialect() == db.PostgreSQL {
		query = `SELECT indexname, indexdef FROM pg_indexes AS i WHERE schemaname = current_schema() AND tablename IN ` + tables + `
			AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = i.indexname)`
	}
	rows, err := d.Read().QueryContext(ctx, query)
	indexes, err := db.All(rows, err, func(scan db.Scan) (index [2]string, err error) { return index, scan(&index[0], &index[1]) })
	if err != nil {
		return nil, err
	}
	var drop, create []statement
	for _, index := range indexes {
		drop, create = append(drop, statement{text: `DROP INDEX ` + index[0]}), append(create, statement{text: index[1]})
	}
	return func(ctx context.Context, d *db.DB) error { return execute(ctx, d, create...) }, execute(ctx, d, drop...)
}

// fillCounts counts what the rooms count as they go, tells PostgreSQL which ids are
// taken, and has it look at its tables, as it does by itself in time.
func fillCounts(ctx context.Context, d *db.DB) error {
	statements := []statement{
		{text: `INSERT INTO component_name (folded, ecosystem, name) SELECT DISTINCT lower(name), ecosystem, name FROM component`},
		{text: `UPDATE component SET common = 1 WHERE id IN (SELECT component_id FROM inventory_component GROUP BY component_id HAVING count(*) > ` + fmt.Sprint(fleet.Common) + `)`},
		{text: `INSERT INTO component_inventory (component_id, inventory_id) SELECT i.component_id, i.inventory_id
			FROM inventory_component AS i JOIN component AS c ON c.id = i.component_id WHERE c.common = 0 ORDER BY 1, 2`},
		{text: `UPDATE component SET nodes = c.nodes FROM (SELECT i.component_id AS id, sum(n.nodes) AS nodes FROM inventory_component AS i
			JOIN (SELECT inventory_id, count(*) AS nodes FROM node GROUP BY inventory_id) AS n ON n.inventory_id = i.inventory_id
			GROUP BY i.component_id) AS c WHERE c.id = component.id`},
		{text: `INSERT INTO node_result (node_id, result_id) SELECT id, inventory_id FROM node WHERE inventory_id IS NOT NULL`},
		{text: `UPDATE finding SET results = r.results FROM (SELECT finding_id AS id, count(*) AS results FROM result_finding
			WHERE result_id IN (SELECT result_id FROM node_result) GROUP BY finding_id) AS r WHERE r.id = finding.id`},
		{text: `INSERT INTO node_count (node_id, severity, open, decided)
			SELECT node_id, severity, count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'decided')
			FROM occurrence WHERE state IN ('open', 'decided') GROUP BY node_id, severity`},
		{text: `INSERT INTO affected_package (vulnerability_id, ecosystem, package, rank, open, decided, fixable)
			SELECT vulnerability_id, ecosystem, package, max(rank), count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'decided'),
				count(*) FILTER (WHERE state = 'open' AND fixable = 1) FROM occurrence GROUP BY vulnerability_id, ecosystem, package`},
		{text: `INSERT INTO affected (vulnerability_id, name, rank, kev, fixable, packages, nodes, decided, first_seen)
			SELECT v.id, v.name, max(o.rank), max(o.kev), COALESCE(max(o.fixable) FILTER (WHERE o.state = 'open'), 0),
				count(DISTINCT o.package) FILTER (WHERE o.state = 'open'), count(DISTINCT o.node_id) FILTER (WHERE o.state = 'open'),
				count(DISTINCT o.node_id) FILTER (WHERE o.state = 'decided'), min(o.opened_at)
			FROM occurrence AS o JOIN vulnerability AS v ON v.id = o.vulnerability_id GROUP BY v.id, v.name`},
	}
	if d.Dialect() == db.PostgreSQL {
		statements = append(statements, statement{text: `ANALYZE`})
		for _, table := range []string{"component", "vulnerability", "inventory", "sbom", "result"} {
			statements = append(statements, statement{text: `SELECT setval(pg_get_serial_sequence('` + table + `', 'id'), (SELECT max(id) FROM ` + table + `))`})
		}
	}
	return execute(ctx, d, statements...)
}
