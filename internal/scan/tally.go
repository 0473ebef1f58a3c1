package scan

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// countsOf is what the result of a scan s comes to, by severity: each vulnerability
// once in each package, however many components the package has.
const countsOf = `(SELECT CAST(json_group_object(severity, amount) AS TEXT) FROM (
		SELECT severity, count(*) AS amount FROM (
			SELECT DISTINCT f.vulnerability_id, f.severity, f.ecosystem, f.package
			FROM result_finding AS rf JOIN finding AS f ON f.id = rf.finding_id
			WHERE rf.result_id = s.result_id) AS found GROUP BY severity) AS counted)`

// tally keeps with a complete scan what it found and what changed by it, after its
// node's occurrences were opened and resolved. What is assessed anew later leaves
// the scan as it was.
func tally(ctx context.Context, tx *db.Tx, id string) error {
	_, err := tx.ExecContext(ctx, `UPDATE scan SET found = c.found, worst = c.worst, unchanged = c.open - scan.opened
		FROM (SELECT s.id AS id, `+countsOf+` AS found,
			COALESCE((SELECT max(f.rank) FROM result_finding AS rf JOIN finding AS f ON f.id = rf.finding_id WHERE rf.result_id = s.result_id), -1) AS worst,
			COALESCE((SELECT CAST(sum(n.open + n.decided) AS BIGINT) FROM node_count AS n WHERE n.node_id = s.node_id), 0) AS open
			FROM scan AS s WHERE s.id = $1) AS c WHERE scan.id = c.id`, id)
	if err != nil {
		return fmt.Errorf("count what scan %s found: %w", id, err)
	}
	return nil
}

// facet files a scan that ended under what it is filtered by.
func facet(ctx context.Context, tx *db.Tx, id string) error {
	for _, statement := range []string{
		`INSERT INTO scan_facet (cause, node_kind, state, worst, changed) ` + facetOf + ` AND NOT EXISTS (SELECT 1 FROM scan_facet AS f WHERE ` + sameFacet + `)
			ON CONFLICT (cause, node_kind, state, worst, changed) DO NOTHING`,
		`UPDATE scan SET facet_id = (SELECT f.id FROM scan AS s JOIN node AS n ON n.id = s.node_id JOIN scan_facet AS f ON ` + sameFacet + ` WHERE s.id = $1) WHERE id = $1`,
	} {
		if _, err := tx.ExecContext(ctx, statement, id); err != nil {
			return fmt.Errorf("file scan %s: %w", id, err)
		}
	}
	return nil
}

const (
	facetOf = `SELECT s.cause, n.kind, s.state, s.worst, CASE WHEN s.opened + s.resolved > 0 THEN 1 ELSE 0 END
		FROM scan AS s JOIN node AS n ON n.id = s.node_id WHERE s.id = $1`
	sameFacet = `f.cause = s.cause AND f.node_kind = n.kind AND f.state = s.state AND f.worst = s.worst
		AND f.changed = CASE WHEN s.opened + s.resolved > 0 THEN 1 ELSE 0 END`
)
