package finding

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// Why an occurrence was opened.
const (
	FirstScan = "first_scan" // found by the first scan of the node
	Installed = "installed"  // the vulnerable version came to the node
	Disclosed = "disclosed"  // the version was there already; now it is known
)

// Why an occurrence was resolved.
const (
	Upgraded  = "upgraded"  // the package is there in a version that is not affected
	Removed   = "removed"   // the package is gone
	Corrected = "corrected" // the version is still there; the advisories changed
	Retired   = "retired"   // the node is
)

// Occurrence is a finding on a node, over the time that it was open.
type Occurrence struct {
	ID              int64          `json:"id"`
	Node            fleet.NodeName `json:"node"`
	Vulnerability   string         `json:"vulnerability"`
	Severity        risk.Severity  `json:"severity"`
	Ecosystem       string         `json:"ecosystem" doc:"Without its release."`
	Package         string         `json:"package" doc:"As the advisory names it."`
	OpenedAt        time.Time      `json:"opened_at"`
	OpenedBecause   string         `json:"opened_because" enum:"first_scan,installed,disclosed"`
	ResolvedAt      time.Time      `json:"resolved_at,omitzero"`
	ResolvedBecause string         `json:"resolved_because,omitempty" enum:"upgraded,removed,corrected,retired"`
}

// State is an inventory with its result; zero before a node's first scan.
type State struct {
	Inventory, Result int64
}

// Apply opens and resolves the occurrences of a node so that they say what its
// new state says. What was found in unseen components, which nobody could look at,
// stays open. It may be repeated: the second time changes nothing.
func (s *Service) Apply(ctx context.Context, tx *db.Tx, node, scan string, before, after State, unseen []sbom.Key) (opened, resolved int64, err error) {
	now := s.now().UnixMicro()
	result, err := tx.ExecContext(ctx, `INSERT INTO occurrence (node_id, vulnerability_id, ecosystem, package, severity, rank, opened_at, opened_scan, opened_because)
		SELECT $1, f.vulnerability_id, f.ecosystem, f.package, f.severity, f.rank, CAST($2 AS BIGINT), $3,
			CASE WHEN CAST($4 AS BIGINT) = 0 THEN '`+FirstScan+`'
			     WHEN count(deployed.component_id) > 0 THEN '`+Disclosed+`' ELSE '`+Installed+`' END
		FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id
		LEFT JOIN inventory_component AS deployed ON deployed.inventory_id = $4 AND deployed.component_id = f.component_id
		WHERE r.result_id = $5
		GROUP BY f.vulnerability_id, f.ecosystem, f.package, f.severity, f.rank
		ON CONFLICT (node_id, vulnerability_id, ecosystem, package) WHERE resolved_at IS NULL DO NOTHING`,
		node, now, scan, before.Inventory, after.Result)
	if err != nil {
		return 0, 0, fmt.Errorf("open occurrences of node %s: %w", node, err)
	}
	if opened, err = result.RowsAffected(); err != nil {
		return 0, 0, err
	}
	hold, err := db.ToJSON(unseen)
	if err != nil {
		return 0, 0, err
	}
	// A package is still there if some component has its name, as the occurrence
	// has it or as it was installed before: PyPI's Pillow is pillow to advisories.
	result, err = tx.ExecContext(ctx, `UPDATE occurrence SET resolved_at = $2, resolved_scan = $3, resolved_because = CASE
			WHEN EXISTS (SELECT 1 FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id
				JOIN inventory_component AS still ON still.inventory_id = $4 AND still.component_id = f.component_id
				WHERE r.result_id = $6 AND f.vulnerability_id = occurrence.vulnerability_id
				  AND f.ecosystem = occurrence.ecosystem AND f.package = occurrence.package) THEN '`+Corrected+`'
			WHEN EXISTS (SELECT 1 FROM inventory_component AS i JOIN component AS c ON c.id = i.component_id
				WHERE i.inventory_id = $4 AND (occurrence.package IN (c.name, c.source_name)
				    OR c.name IN (SELECT old.name FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id JOIN component AS old ON old.id = f.component_id
					WHERE r.result_id = $6 AND f.vulnerability_id = occurrence.vulnerability_id
					  AND f.ecosystem = occurrence.ecosystem AND f.package = occurrence.package))
				  AND (c.ecosystem = occurrence.ecosystem OR c.ecosystem LIKE occurrence.ecosystem || ':%')) THEN '`+Upgraded+`'
			ELSE '`+Removed+`' END
		WHERE node_id = $1 AND resolved_at IS NULL AND (vulnerability_id, ecosystem, package) NOT IN (
			SELECT f.vulnerability_id, f.ecosystem, f.package
			FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id WHERE r.result_id = $5
			UNION SELECT f.vulnerability_id, f.ecosystem, f.package FROM json_each($7) AS j
			JOIN component AS c ON c.ecosystem = value->>'Ecosystem' AND c.name = value->>'Name' AND c.version = value->>'Version'
				AND c.source_name = value->>'SourceName' AND c.source_version = value->>'SourceVersion'
			JOIN finding AS f ON f.component_id = c.id)`,
		node, now, scan, after.Inventory, after.Result, before.Result, hold)
	if err != nil {
		return 0, 0, fmt.Errorf("resolve occurrences of node %s: %w", node, err)
	}
	resolved, err = result.RowsAffected()
	return opened, resolved, err
}

// OccurrenceQuery says which occurrences a list holds; empty fields hold for all.
type OccurrenceQuery struct {
	Node          string `query:"node" doc:"Id of a node."`
	Vulnerability string `query:"vulnerability"`
	State         string `query:"state" enum:"open,resolved,all" default:"open"`
}

// Occurrences lists occurrences, newest first.
func (s *Service) Occurrences(ctx context.Context, q OccurrenceQuery, p rest.Paging) (rest.Page[Occurrence], error) {
	before := int64(1<<63 - 1)
	if err := p.Decode(&before); err != nil {
		return rest.Page[Occurrence]{}, err
	}
	scope, err := s.documents.Scope(ctx)
	if err != nil {
		return rest.Page[Occurrence]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT o.id, o.node_id, n.name, n.kind, v.name, o.severity, o.ecosystem, o.package,
			o.opened_at, o.opened_because, o.resolved_at, COALESCE(o.resolved_because, '')
		FROM occurrence AS o JOIN vulnerability AS v ON v.id = o.vulnerability_id JOIN node AS n ON n.id = o.node_id
		WHERE o.id < $1 AND ($2 = '' OR o.node_id = $2) AND ($3 = '' OR v.name = $3)
		  AND ($4 = 'all' OR ($4 = 'open') = (o.resolved_at IS NULL))
		  AND ($6 = 'null' OR o.node_id IN (SELECT value->>0 FROM json_each($6)))
		ORDER BY o.id DESC LIMIT $5`, before, q.Node, q.Vulnerability, q.State, p.Limit+1, scope.Column)
	items, err := db.All(rows, err, func(scan db.Scan) (o Occurrence, err error) {
		return o, scan(&o.ID, &o.Node.ID, &o.Node.Name, &o.Node.Kind, &o.Vulnerability, &o.Severity, &o.Ecosystem, &o.Package,
			db.Time{Time: &o.OpenedAt}, &o.OpenedBecause, db.Time{Time: &o.ResolvedAt}, &o.ResolvedBecause)
	})
	if err != nil {
		return rest.Page[Occurrence]{}, fmt.Errorf("list occurrences: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(o Occurrence) any { return o.ID })
}
