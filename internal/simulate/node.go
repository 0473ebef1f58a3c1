package simulate

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// Of a hundred nodes two were never scanned, and of three the last scan failed.
func scanned(node int) bool { return node%50 != 49 }
func failed(node int) bool  { return node%33 == 32 }

func nodeID(i int) string { return fmt.Sprintf("0197a000-0000-7000-8000-%012d", i) }

func (f Fleet) fillNodes(ctx context.Context, d *db.DB) error {
	var nodes, labels [][]any
	for i := range f.Nodes {
		kind := "host"
		if i%10 >= 7 {
			kind = "container"
		}
		seen := f.Now
		if i%20 == 19 {
			seen = f.Now.Add(-time.Hour)
		}
		named := map[string]string{
			"env":    []string{"production", "production", "staging", "test"}[i%4],
			"team":   fmt.Sprintf("team-%02d", f.chance(uint64(i), 5)%20),
			"region": fmt.Sprintf("region-%d", f.chance(uint64(i), 6)%5),
		}
		text, err := db.ToJSON(named)
		if err != nil {
			return err
		}
		var inventory any
		if scanned(i) {
			inventory = i%f.Inventories + 1
		}
		nodes = append(nodes, []any{nodeID(i), kind, fmt.Sprintf("%s-%05d", []string{"web", "db", "cache", "worker"}[i%4], i), text, f.Now.Add(-90*24*time.Hour).UnixMicro() + int64(i)*1e6, seen.UnixMicro(), inventory})
		for key, value := range named {
			labels = append(labels, []any{nodeID(i), key, value})
		}
	}
	rows, err := db.ToJSON(nodes)
	if err != nil {
		return err
	}
	named, err := db.ToJSON(labels)
	if err != nil {
		return err
	}
	return execute(ctx, d,
		statement{`INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen, sbom_id, inventory_id, inventory_since)
			SELECT value->>0, 'simulated ' || (value->>0), value->>1, value->>2, '', '{"id":"debian","version":"12","name":"Debian GNU/Linux 12"}', 'amd64', '6.1.0', 'simulated',
				value->>3, CAST(value->>4 AS BIGINT), CAST(value->>5 AS BIGINT), CAST(value->>6 AS BIGINT), CAST(value->>6 AS BIGINT),
				CASE WHEN value->>6 IS NULL THEN NULL ELSE CAST(value->>4 AS BIGINT) END FROM json_each($1) AS j`, []any{rows}},
		statement{`INSERT INTO node_label (node_id, key, value) SELECT value->>0, value->>1, value->>2 FROM json_each($1) AS j ORDER BY 1, 2`, []any{named}})
}

// fillScans gives each node a complete scan and what it found, and some a failed
// one after it.
func (f Fleet) fillScans(ctx context.Context, d *db.DB) error {
	var good, bad [][]any
	for i := range f.Nodes {
		if !scanned(i) {
			continue
		}
		at := f.Now.Add(-time.Duration(f.chance(uint64(i), 7)%(14*24)) * time.Hour).UnixMicro()
		good = append(good, []any{fmt.Sprintf("0197b000-0000-7000-8000-%012d", i), nodeID(i), "complete", at, i%f.Inventories + 1})
		if failed(i) {
			bad = append(bad, []any{fmt.Sprintf("0197c000-0000-7000-8000-%012d", i), nodeID(i), "failed", at + 1e6, nil})
		}
	}
	scans, err := db.ToJSON(append(good, bad...))
	if err != nil {
		return err
	}
	const found = `FROM node AS n JOIN result_finding AS r ON r.result_id = n.inventory_id JOIN finding AS f ON f.id = r.finding_id
		JOIN vulnerability AS v ON v.id = f.vulnerability_id JOIN node_number AS x ON x.node_id = n.id
		JOIN package_number AS p ON p.package = f.package AND p.ecosystem = f.ecosystem`
	// Spread over ninety days, by node and vulnerability.
	const opened = `$1 + (n.first_seen / 1000000 * 7919 + f.vulnerability_id * 104729) % 7776000 * 1000000`
	since := f.Now.Add(-90 * 24 * time.Hour).UnixMicro()
	return execute(ctx, d,
		statement{`INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, started_at, finished_at, due_at, sbom_id, result_id, revision, engine)
			SELECT value->>0, value->>1, value->>2, 'schedule', '', '', CAST(value->>3 AS BIGINT), CAST(value->>3 AS BIGINT), CAST(value->>3 AS BIGINT),
				CAST(value->>3 AS BIGINT), CAST(value->>4 AS BIGINT), CAST(value->>4 AS BIGINT), 'simulated', '1' FROM json_each($1) AS j`, []any{scans}},
		statement{text: `INSERT INTO node_scan (node_id, state, completed_at)
			SELECT n.id, (SELECT state FROM scan WHERE node_id = n.id ORDER BY id DESC LIMIT 1), s.finished_at
			FROM node AS n JOIN scan AS s ON s.node_id = n.id AND s.state = 'complete'`},
		statement{text: `UPDATE scan SET found = r.found, worst = r.worst, unchanged = r.amount
			FROM (SELECT result_id, CAST(json_group_object(severity, amount) AS TEXT) AS found, max(rank) AS worst, CAST(sum(amount) AS BIGINT) AS amount
				FROM (SELECT r.result_id, f.severity, f.rank, count(*) AS amount FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id
					GROUP BY r.result_id, f.severity, f.rank) AS counted
				GROUP BY result_id) AS r
			WHERE scan.result_id = r.result_id`},
		statement{text: `INSERT INTO scan_facet (cause, node_kind, state, worst, changed)
			SELECT DISTINCT s.cause, n.kind, s.state, s.worst, 0 FROM scan AS s JOIN node AS n ON n.id = s.node_id`},
		statement{text: `UPDATE scan SET facet_id = f.id FROM scan_facet AS f, node AS n
			WHERE n.id = scan.node_id AND f.cause = scan.cause AND f.node_kind = n.kind AND f.state = scan.state AND f.worst = scan.worst`},
		statement{text: `INSERT INTO node_number (node_id) SELECT id FROM node`},
		statement{text: `INSERT INTO package_number (package, ecosystem) SELECT DISTINCT package, ecosystem FROM finding`},
		// Of each vulnerability there is one decision at most.
		statement{`INSERT INTO occurrence (node_id, node_number, vulnerability_id, ecosystem, package, package_number, severity, rank, kev, fixable, opened_at, opened_scan, opened_because,
				state, decision_id)
			SELECT n.id, x.number, f.vulnerability_id, f.ecosystem, f.package, p.number, f.severity, f.rank, v.kev, CASE WHEN f.fixed <> '[]' THEN 1 ELSE 0 END,
				` + opened + `, '', 'first_scan', CASE WHEN d.id IS NULL THEN 'open' ELSE 'decided' END, d.id ` + found + `
			LEFT JOIN decision AS d ON d.vulnerability = v.name AND d.node_id IN ('', n.id)
				AND (d.selector = '' OR EXISTS (SELECT 1 FROM decision_node AS m WHERE m.decision_id = d.id AND m.node_id = n.id))`, []any{since}},
		// What a tenth of them had once before.
		statement{`INSERT INTO occurrence (node_id, node_number, vulnerability_id, ecosystem, package, package_number, severity, rank, kev, fixable, opened_at, opened_scan, opened_because,
				state, resolved_at, resolved_scan, resolved_because)
			SELECT n.id, x.number, f.vulnerability_id, f.ecosystem, f.package, p.number, f.severity, f.rank, v.kev, CASE WHEN f.fixed <> '[]' THEN 1 ELSE 0 END,
				` + opened + ` - 8000000000000, '', 'first_scan', 'resolved', ` + opened + ` - 7900000000000, '', 'upgraded' ` + found + ` WHERE f.vulnerability_id % 10 = 1`, []any{since}})
}
