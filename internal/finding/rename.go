package finding

import (
	"context"
	"errors"
	"fmt"

	"patrol/internal/match"
	"patrol/internal/platform/db"
)

// A vulnerability may be known by a GHSA long before it has a CVE. Then its row is
// renamed: what was found stays found, since when, and with what was decided about
// it. If the CVE has a row of its own already, the two become the older one.

// former is a row whose name is another name of a vulnerability now.
type former struct {
	id        int64
	name, now string
}

// renameVulnerabilities gives rows their new names, before rows are looked up by
// name.
func renameVulnerabilities(ctx context.Context, tx *db.Tx, rev Revision, vulnerabilities []match.Vulnerability) error {
	formers, err := findFormer(ctx, tx, vulnerabilities)
	if err != nil {
		return err
	}
	renamed := make(map[int64]bool)
	for _, f := range formers {
		// A record with two CVEs was one row: the first of the two keeps it.
		if _, ownName, err := rev.Vulnerability(f.name); err != nil || ownName || renamed[f.id] {
			if err != nil {
				return err
			}
			continue
		}
		renamed[f.id] = true
		if err := rename(ctx, tx, f); err != nil {
			return fmt.Errorf("rename vulnerability %s to %s: %w", f.name, f.now, err)
		}
	}
	return nil
}

func findFormer(ctx context.Context, tx *db.Tx, vulnerabilities []match.Vulnerability) ([]former, error) {
	pairs := [][2]string{}
	for _, v := range vulnerabilities {
		for _, names := range [][]string{v.Aliases, v.Records} {
			for _, name := range names {
				if name != v.Name && !match.IsCVE(name) {
					pairs = append(pairs, [2]string{name, v.Name})
				}
			}
		}
	}
	text, err := db.ToJSON(pairs)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT v.id, v.name, j.value->>1 FROM json_each($1) AS j JOIN vulnerability AS v ON v.name = j.value->>0 ORDER BY 3, 1`, text)
	return db.All(rows, err, func(scan db.Scan) (f former, err error) { return f, scan(&f.id, &f.name, &f.now) })
}

func rename(ctx context.Context, tx *db.Tx, f former) error {
	row := tx.QueryRowContext(ctx, `SELECT id FROM vulnerability WHERE name = $1`, f.now)
	other, err := db.One(row, db.Value[int64])
	keep := f.id
	// What was decided is about the vulnerability, not about its name.
	if _, err := tx.ExecContext(ctx, `UPDATE decision SET vulnerability = $2 WHERE vulnerability = $1`, f.name, f.now); err != nil {
		return err
	}
	switch {
	case errors.Is(err, db.ErrNotFound):
	case err != nil:
		return err
	default:
		keep = min(f.id, other)
		if err := merge(ctx, tx, keep, max(f.id, other)); err != nil {
			return err
		}
	}
	for _, statement := range []string{
		`UPDATE vulnerability SET name = $2 WHERE id = $1`,
		`UPDATE finding SET name = $2 WHERE vulnerability_id = $1`,
		`UPDATE affected SET name = $2 WHERE vulnerability_id = $1`,
	} {
		if _, err := tx.ExecContext(ctx, statement, keep, f.now); err != nil {
			return err
		}
	}
	return reconsider(ctx, tx, f.now)
}

// merge moves all that hangs on one row to another and removes it.
func merge(ctx context.Context, tx *db.Tx, keep, drop int64) error {
	return countVulnerabilities(ctx, tx, []int64{keep, drop}, func() error { return move(ctx, tx, keep, drop) })
}

// move does so. Where both have the same, the older one's stays.
func move(ctx context.Context, tx *db.Tx, keep, drop int64) error {
	for _, statement := range []string{
		`UPDATE occurrence SET opened_at = least.opened_at FROM (
			SELECT k.id AS id, min(d.opened_at) AS opened_at FROM occurrence AS k JOIN occurrence AS d
			ON d.node_number = k.node_number AND d.package_number = k.package_number
			WHERE k.vulnerability_id = $1 AND d.vulnerability_id = $2 AND k.resolved_at IS NULL AND d.resolved_at IS NULL GROUP BY k.id
		) AS least WHERE occurrence.id = least.id AND least.opened_at < occurrence.opened_at`,
		`DELETE FROM occurrence WHERE vulnerability_id = $2 AND resolved_at IS NULL AND (node_number, package_number) IN (
			SELECT node_number, package_number FROM occurrence WHERE vulnerability_id = $1 AND resolved_at IS NULL)`,
		`UPDATE occurrence SET vulnerability_id = $1 WHERE vulnerability_id = $2`,
		// All alike, until the vulnerability is assessed by its new name.
		`UPDATE occurrence SET severity = v.severity, rank = v.rank, kev = COALESCE(v.kev, 0) FROM vulnerability AS v
			WHERE v.id = $1 AND v.id <> $2 AND occurrence.vulnerability_id = v.id`,
		`UPDATE affected SET vulnerability_id = $1 WHERE vulnerability_id = $2 AND NOT EXISTS (SELECT 1 FROM affected WHERE vulnerability_id = $1)`,
		`UPDATE affected SET first_seen = d.first_seen FROM affected AS d
			WHERE affected.vulnerability_id = $1 AND d.vulnerability_id = $2 AND d.first_seen < affected.first_seen`,
		`DELETE FROM affected WHERE vulnerability_id <> $1 AND vulnerability_id = $2`,
		`DELETE FROM affected_package WHERE vulnerability_id <> $1 AND vulnerability_id = $2`,
		`INSERT INTO finding (component_id, vulnerability_id, name, ecosystem, package, fixed, advisories, severity, rank)
			SELECT component_id, CAST($1 AS BIGINT), name, ecosystem, package, fixed, advisories, severity, rank FROM finding WHERE vulnerability_id = $2
			ON CONFLICT (component_id, vulnerability_id, package, fixed, advisories) DO NOTHING`,
		`INSERT INTO result_finding (result_id, finding_id)
			SELECT r.result_id, k.id FROM result_finding AS r JOIN finding AS d ON d.id = r.finding_id
			JOIN finding AS k ON k.component_id = d.component_id AND k.package = d.package AND k.fixed = d.fixed AND k.advisories = d.advisories
			WHERE k.vulnerability_id = $1 AND d.vulnerability_id = $2
			ON CONFLICT (result_id, finding_id) DO NOTHING`,
		`DELETE FROM result_finding WHERE finding_id IN (SELECT id FROM finding WHERE vulnerability_id <> $1 AND vulnerability_id = $2)`,
		`DELETE FROM finding WHERE vulnerability_id <> $1 AND vulnerability_id = $2`,
		`UPDATE finding SET results = (SELECT count(*) FROM result_finding AS r WHERE r.finding_id = finding.id
				AND EXISTS (SELECT 1 FROM node_result AS n WHERE n.result_id = r.result_id))
			WHERE vulnerability_id = $1 AND vulnerability_id <> $2`,
		// An occurrence is about the findings of both now.
		`UPDATE occurrence SET fixable = COALESCE((SELECT max(CASE WHEN f.fixed <> '[]' THEN 1 ELSE 0 END) FROM finding AS f
				WHERE f.vulnerability_id = occurrence.vulnerability_id AND f.ecosystem = occurrence.ecosystem AND f.package = occurrence.package
				AND EXISTS (SELECT 1 FROM node_result AS n JOIN result_finding AS r ON r.result_id = n.result_id WHERE n.node_id = occurrence.node_id AND r.finding_id = f.id)), fixable)
			WHERE vulnerability_id = $1 AND vulnerability_id <> $2 AND state IN ('open', 'decided')`,
		`DELETE FROM vulnerability WHERE id <> $1 AND id = $2`,
	} {
		if _, err := tx.ExecContext(ctx, statement, keep, drop); err != nil {
			return err
		}
	}
	return nil
}
