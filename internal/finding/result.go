package finding

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/sbom"
)

// Unread is a component that could not be compared with the advisories of its
// package.
type Unread struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Reason    string `json:"reason"`
}

// Match returns the id of the result of an inventory under a revision, matching
// only if nobody has before. It may be repeated.
func (s *Service) Match(ctx context.Context, inventory int64, ecosystems []string, rev Revision) (result int64, err error) {
	row := s.db.Read().QueryRowContext(ctx, `SELECT result_id FROM result_of WHERE inventory_id = $1 AND revision = $2 AND engine = $3`,
		inventory, rev.ID(), match.EngineVersion)
	result, err = db.One(row, db.Value[int64])
	if !errors.Is(err, db.ErrNotFound) {
		return result, err
	}
	components, err := s.components(ctx, inventory)
	if err != nil {
		return 0, fmt.Errorf("read inventory %d: %w", inventory, err)
	}
	keys := make([]sbom.Key, 0, len(components))
	for key := range components {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, sbom.Key.Compare)
	matched, err := match.Inventory(rev, keys)
	if err != nil {
		return 0, err
	}
	rows, vulnerabilities, err := toRows(rev, matched, components)
	if err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := renameVulnerabilities(ctx, tx, rev, vulnerabilities); err != nil {
			return err
		}
		assessed, err := keepVulnerabilities(ctx, tx, vulnerabilities, *s.known.Load())
		if err != nil {
			return fmt.Errorf("keep vulnerabilities: %w", err)
		}
		found, err := keepFindings(ctx, tx, rows)
		if err != nil {
			return fmt.Errorf("keep findings: %w", err)
		}
		if err := s.rate(ctx, tx, assessed); err != nil {
			return fmt.Errorf("rate findings: %w", err)
		}
		ids := make([]int64, len(found))
		for i, f := range found {
			ids[i] = f.id
		}
		results, err := keepResults(ctx, tx, []content{{ids, match.Uncovered(rev, ecosystems), unread(matched)}})
		if err != nil {
			return fmt.Errorf("keep result: %w", err)
		}
		result = results[0]
		_, err = tx.ExecContext(ctx, `INSERT INTO result_of (inventory_id, revision, engine, result_id) VALUES ($1, $2, $3, $4)
			ON CONFLICT (inventory_id, revision, engine) DO NOTHING`, inventory, rev.ID(), match.EngineVersion, result)
		return err
	})
	return result, err
}

func (s *Service) components(ctx context.Context, inventory int64) (map[sbom.Key]int64, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT c.id, c.ecosystem, c.name, c.version, c.source_name, c.source_version
		FROM inventory_component AS i JOIN component AS c ON c.id = i.component_id WHERE i.inventory_id = $1`, inventory)
	if err != nil {
		return nil, err
	}
	found := make(map[sbom.Key]int64)
	return found, db.Each(rows, func(scan db.Scan) error {
		var id int64
		var k sbom.Key
		err := scan(&id, &k.Ecosystem, &k.Name, &k.Version, &k.SourceName, &k.SourceVersion)
		found[k] = id
		return err
	})
}

// row is a finding on its way into the database as one element of a JSON list.
type row struct {
	Component     int64    `json:"component"`
	Vulnerability string   `json:"vulnerability"`
	Ecosystem     string   `json:"ecosystem"`
	Package       string   `json:"package"`
	Fixed         []string `json:"fixed"`
	Advisories    []string `json:"advisories"`
}

func toRows(rev Revision, matched *match.Result, components map[sbom.Key]int64) ([]row, []match.Vulnerability, error) {
	rows := []row{}
	known := make(map[string]bool)
	vulnerabilities := []match.Vulnerability{}
	for key, findings := range matched.Findings {
		for _, f := range findings {
			rows = append(rows, row{components[key], f.Vulnerability, f.Ecosystem, f.Package, list(f.Fixed), list(f.Advisories)})
			if known[f.Vulnerability] {
				continue
			}
			known[f.Vulnerability] = true
			v, err := vulnerability(rev, f.Vulnerability)
			if err != nil {
				return nil, nil, err
			}
			vulnerabilities = append(vulnerabilities, v)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.Vulnerability, b.Vulnerability))
	})
	slices.SortFunc(vulnerabilities, func(a, b match.Vulnerability) int { return cmp.Compare(a.Name, b.Name) })
	return rows, vulnerabilities, nil
}

func keepVulnerabilities(ctx context.Context, tx *db.Tx, vulnerabilities []match.Vulnerability, known Intelligence) ([]assessment, error) {
	type column struct {
		assessment
		Aliases []string `json:"aliases"`
		Summary string   `json:"summary"`
		Stated  stated   `json:"stated"`
	}
	columns, assessed := make([]column, len(vulnerabilities)), make([]assessment, len(vulnerabilities))
	for i, v := range vulnerabilities {
		said := statedOf(v)
		a, err := assess(known, v.Name, said)
		if err != nil {
			return nil, err
		}
		columns[i], assessed[i] = column{a, list(v.Aliases), v.Summary, said}, a
	}
	text, err := db.ToJSON(columns)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO vulnerability (name, aliases, summary, stated, severity, rank, cvss, words, epss, kev, ssvc)
		SELECT value->>'name', value->>'aliases', value->>'summary', value->>'stated', `+assessedColumns+`
		FROM json_each($1) AS j WHERE TRUE
		ON CONFLICT (name) DO UPDATE SET aliases = excluded.aliases, summary = excluded.summary, stated = excluded.stated,
			severity = excluded.severity, rank = excluded.rank, cvss = excluded.cvss, words = excluded.words,
			epss = excluded.epss, kev = excluded.kev, ssvc = excluded.ssvc`, text)
	return assessed, err
}

// kept is a finding that has a row, and the component that it is about.
type kept struct{ id, component int64 }

// said is what makes a finding: equal ones are one row.
type said struct {
	component                             int64
	vulnerability, pkg, fixed, advisories string
}

func (r row) said() said {
	return said{r.Component, r.Vulnerability, r.Package, strings.Join(r.Fixed, "\x00"), strings.Join(r.Advisories, "\x00")}
}

// keepFindings returns the findings, new and known, sorted by id. Most are known: those
// of their components are read, which costs less than to have each looked for.
func keepFindings(ctx context.Context, tx *db.Tx, findings []row) ([]kept, error) {
	known, err := knownFindings(ctx, tx, findings)
	if err != nil {
		return nil, err
	}
	found, fresh := make([]kept, 0, len(findings)), []row{}
	for _, f := range findings {
		if id, there := known[f.said()]; there {
			found = append(found, kept{id, f.Component})
		} else {
			fresh = append(fresh, f)
		}
	}
	text, err := db.ToJSON(fresh)
	if err != nil {
		return nil, err
	}
	if err := numberPackages(ctx, tx, text); err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `INSERT INTO finding (component_id, vulnerability_id, name, ecosystem, package, fixed, advisories)
		SELECT CAST(value->>'component' AS BIGINT), v.id, v.name, value->>'ecosystem', value->>'package', value->>'fixed', value->>'advisories'
		FROM json_each($1) AS j JOIN vulnerability AS v ON v.name = value->>'vulnerability' WHERE TRUE
		ON CONFLICT (component_id, vulnerability_id, package, fixed, advisories) DO NOTHING RETURNING id, component_id`, text)
	inserted, err := db.All(rows, err, func(scan db.Scan) (k kept, err error) { return k, scan(&k.id, &k.component) })
	if err != nil {
		return nil, err
	}
	found = append(found, inserted...)
	slices.SortFunc(found, func(a, b kept) int { return cmp.Compare(a.id, b.id) })
	return found, nil
}

// knownFindings returns the ids of what has been found of the vulnerabilities of
// findings in their components.
func knownFindings(ctx context.Context, tx *db.Tx, findings []row) (map[said]int64, error) {
	components, names := make([]int64, len(findings)), make([]string, len(findings))
	for i, f := range findings {
		components[i], names[i] = f.Component, f.Vulnerability
	}
	slices.Sort(components)
	slices.Sort(names)
	list, err := db.Column(slices.Compact(components))
	if err != nil {
		return nil, err
	}
	among, err := db.Column(slices.Compact(names))
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, component_id, name, package, fixed, advisories FROM finding
		WHERE component_id `+db.AmongIDs+` AND name `+db.Among(`$2`), list, among)
	if err != nil {
		return nil, err
	}
	known := make(map[said]int64)
	return known, db.Each(rows, func(scan db.Scan) error {
		var id int64
		var r row
		err := scan(&id, &r.Component, &r.Vulnerability, &r.Package, db.JSON{Into: &r.Fixed}, db.JSON{Into: &r.Advisories})
		known[r.said()] = id
		return err
	})
}

// content is what makes a result: equal contents are one.
type content struct {
	findings  []int64 // ids, sorted
	uncovered []match.NotAssessed
	unread    []Unread // sorted
}

// keepResults returns the ids of the results of these contents.
func keepResults(ctx context.Context, tx *db.Tx, contents []content) ([]int64, error) {
	results, pairs := make([][3]string, len(contents)), make(map[string][]int64, len(contents))
	for i, c := range contents {
		parts := [3]string{}
		for k, part := range []any{c.findings, c.uncovered, c.unread} {
			text, err := db.ToJSON(part)
			if err != nil {
				return nil, err
			}
			parts[k] = text
		}
		sum := sha256.Sum256([]byte(parts[0] + parts[1] + parts[2]))
		digest := "sha256:" + hex.EncodeToString(sum[:])
		results[i], pairs[digest] = [3]string{digest, parts[1], parts[2]}, c.findings
	}
	fresh, err := insertResults(ctx, tx, results)
	if err != nil {
		return nil, err
	}
	holds := [][2]int64{}
	for digest, id := range fresh {
		for _, f := range pairs[digest] {
			holds = append(holds, [2]int64{id, f})
		}
	}
	slices.SortFunc(holds, func(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	text, err := db.ToJSON(holds)
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO result_finding (result_id, finding_id)
		SELECT CAST(value->>0 AS BIGINT), CAST(value->>1 AS BIGINT) FROM json_each($1) AS j`, text)
	if err != nil {
		return nil, err
	}
	list, err := db.ToJSON(results)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT r.id FROM json_each($1) AS j JOIN result AS r ON r.digest = value->>0 ORDER BY j.key`, list)
	return db.All(rows, err, db.Value[int64])
}

// insertResults writes the results that are not there, and returns their ids by
// digest.
func insertResults(ctx context.Context, tx *db.Tx, results [][3]string) (map[string]int64, error) {
	text, err := db.ToJSON(results)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `INSERT INTO result (digest, uncovered, unread) SELECT value->>0, value->>1, value->>2 FROM json_each($1) AS j WHERE TRUE
		ON CONFLICT (digest) DO NOTHING RETURNING digest, id`, text)
	if err != nil {
		return nil, err
	}
	fresh := make(map[string]int64)
	return fresh, db.Each(rows, func(scan db.Scan) error {
		var digest string
		var id int64
		err := scan(&digest, &id)
		fresh[digest] = id
		return err
	})
}

// unread returns what could not be compared, in an order that does not depend on
// what else was asked about.
func unread(matched *match.Result) []Unread {
	found := []Unread{}
	for _, u := range matched.Unread {
		found = append(found, newUnread(u))
	}
	slices.SortFunc(found, Unread.compare)
	return found
}

func newUnread(u match.Unread) Unread {
	return Unread{u.Component.Ecosystem, u.Component.Name, u.Component.Version, u.Err.Error()}
}

func (u Unread) compare(o Unread) int {
	return cmp.Or(cmp.Compare(u.Ecosystem, o.Ecosystem), cmp.Compare(u.Name, o.Name), cmp.Compare(u.Version, o.Version), cmp.Compare(u.Reason, o.Reason))
}
