package finding

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
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
	Withdrawn = "withdrawn" // the version is still there; the advisories were withdrawn
	Retired   = "retired"   // the node is
)

// Occurrence is a finding on a node, over the time that it was open.
type Occurrence struct {
	ID              int64          `json:"id"`
	Node            fleet.NodeName `json:"node"`
	Vulnerability   string         `json:"vulnerability"`
	Severity        risk.Severity  `json:"severity"`
	KEV             bool           `json:"kev" doc:"CISA lists the vulnerability as exploited."`
	Fixable         bool           `json:"fixable" doc:"Some version is known that fixes it."`
	State           string         `json:"state" enum:"open,decided,resolved"`
	DecisionID      string         `json:"decision_id,omitempty" doc:"The decision by which it does not count."`
	Ecosystem       string         `json:"ecosystem" doc:"Without its release."`
	Package         string         `json:"package" doc:"As the advisory names it."`
	OpenedAt        time.Time      `json:"opened_at"`
	OpenedBecause   string         `json:"opened_because" enum:"first_scan,installed,disclosed"`
	DeployedAt      *time.Time     `json:"deployed_at" doc:"Since when the node has the oldest of the components that it is found in now, as far as its scans tell; null once it is resolved. Later than opened_at if that was upgraded to a version that is affected too."`
	DueAt           time.Time      `json:"due_at,omitzero" doc:"By when it is to be resolved, as the settings have it for its severity; none if they say so."`
	Overdue         bool           `json:"overdue" doc:"It is open, and that moment has passed."`
	ResolvedAt      time.Time      `json:"resolved_at,omitzero"`
	ResolvedBecause string         `json:"resolved_because,omitempty" enum:"upgraded,removed,corrected,withdrawn,retired"`
}

// State is an inventory with its result; zero before a node's first scan.
type State struct {
	Inventory, Result int64
}

// Apply opens and resolves the occurrences of a node so that they say what its
// new state says. What was found in unseen components, which nobody could look at,
// stays open. It may be repeated: the second time changes nothing.
func (s *Service) Apply(ctx context.Context, tx *db.Tx, node, scan string, before, after State, unseen []sbom.Key) (opened, resolved int64, err error) {
	err = countNode(ctx, tx, node, func() error {
		if opened, err = s.open(ctx, tx, node, scan, before, after); err != nil {
			return fmt.Errorf("open occurrences of node %s: %w", node, err)
		}
		if resolved, err = s.resolve(ctx, tx, node, scan, before, after, unseen); err != nil {
			return fmt.Errorf("resolve occurrences of node %s: %w", node, err)
		}
		if err := fixable(ctx, tx, node, after.Result); err != nil {
			return fmt.Errorf("note which occurrences of node %s can be fixed: %w", node, err)
		}
		// What decisions mean is asked of what the node has now.
		if err := hold(ctx, tx, node, after.Result); err != nil {
			return err
		}
		if err := noteUnseen(ctx, tx, node, unseen); err != nil {
			return err
		}
		return s.applyTo(ctx, tx, node)
	})
	if err != nil {
		return 0, 0, err
	}
	return opened, resolved, nil
}

func (s *Service) open(ctx context.Context, tx *db.Tx, node, scan string, before, after State) (int64, error) {
	if err := numberNode(ctx, tx, node); err != nil {
		return 0, err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO occurrence (node_id, node_number, vulnerability_id, ecosystem, package, package_number, severity, rank, kev, opened_at, opened_scan, opened_because)
		SELECT n.node_id, n.number, f.vulnerability_id, f.ecosystem, f.package, p.number, f.severity, f.rank, COALESCE(v.kev, 0), CAST($2 AS BIGINT), $3,
			CASE WHEN CAST($4 AS BIGINT) = 0 THEN '`+FirstScan+`'
			     WHEN count(deployed.component_id) > 0 THEN '`+Disclosed+`' ELSE '`+Installed+`' END
		FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id JOIN vulnerability AS v ON v.id = f.vulnerability_id
		JOIN package_number AS p ON p.package = f.package AND p.ecosystem = f.ecosystem JOIN node_number AS n ON n.node_id = $1
		LEFT JOIN inventory_component AS deployed ON deployed.inventory_id = $4 AND deployed.component_id = f.component_id
		WHERE r.result_id = $5
		GROUP BY n.node_id, n.number, f.vulnerability_id, f.ecosystem, f.package, p.number, f.severity, f.rank, v.kev
		ON CONFLICT (node_number, vulnerability_id, package_number) WHERE resolved_at IS NULL DO NOTHING`,
		node, s.now().UnixMicro(), scan, before.Inventory, after.Result)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *Service) resolve(ctx context.Context, tx *db.Tx, node, scan string, before, after State, unseen []sbom.Key) (int64, error) {
	hold, err := db.ToJSON(unseen)
	if err != nil {
		return 0, err
	}
	// A package is still there if some component has its name, as the occurrence
	// has it or as it was installed before: PyPI's Pillow is pillow to advisories.
	result, err := tx.ExecContext(ctx, `UPDATE occurrence SET state = '`+Resolved+`', resolved_at = $2, resolved_scan = $3, resolved_because = CASE
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
		WHERE node_number = `+NumberOf(`$1`)+` AND resolved_at IS NULL AND (vulnerability_id, ecosystem, package) NOT IN (
			SELECT f.vulnerability_id, f.ecosystem, f.package
			FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id WHERE r.result_id = $5
			UNION SELECT f.vulnerability_id, f.ecosystem, f.package FROM json_each($7) AS j
			JOIN component AS c ON c.ecosystem = value->>'Ecosystem' AND c.name = value->>'Name' AND c.version = value->>'Version'
				AND c.source_name = value->>'SourceName' AND c.source_version = value->>'SourceVersion'
			JOIN finding AS f ON f.component_id = c.id)`,
		node, s.now().UnixMicro(), scan, after.Inventory, after.Result, before.Result, hold)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// fixable notes which open occurrences of a node some version is known to fix. Of
// what could not be looked at nothing new is known.
func fixable(ctx context.Context, tx *db.Tx, node string, result int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE occurrence SET fixable = f.fixable
		FROM (SELECT f.vulnerability_id, f.ecosystem, f.package, CASE WHEN max(f.fixed) <> '[]' OR min(f.fixed) <> '[]' THEN 1 ELSE 0 END AS fixable
			FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id WHERE r.result_id = $2
			GROUP BY f.vulnerability_id, f.ecosystem, f.package) AS f
		WHERE occurrence.node_number = `+NumberOf(`$1`)+` AND occurrence.resolved_at IS NULL AND occurrence.state IN ('open', 'decided') AND occurrence.vulnerability_id = f.vulnerability_id
		  AND occurrence.ecosystem = f.ecosystem AND occurrence.package = f.package AND occurrence.fixable <> f.fixable`, node, result)
	return err
}
