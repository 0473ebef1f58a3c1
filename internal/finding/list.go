package finding

import (
	"context"
	"fmt"
	"slices"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// Query says which findings a list holds; empty fields hold for all. Without a
// scan they are those of every node's last complete scan.
type Query struct {
	Scan          string `query:"scan" doc:"Id of a scan: what it found then."`
	Node          string `query:"node" doc:"Id of a node: what its last complete scan found."`
	Severity      string `query:"severity" enum:"malicious,critical,high,medium,low,unknown"`
	Vulnerability string `query:"vulnerability" doc:"Its name, such as CVE-2024-28757."`
}

// last is the sort key of a page's last finding.
type last struct {
	Rank int64  `json:"r"`
	Name string `json:"n"`
	ID   int64  `json:"i"`
}

// listed is a finding with what pages are cut by.
type listed struct {
	Finding
	rank   int64
	digest string
}

// List returns findings, worst first.
func (s *Service) List(ctx context.Context, q Query, p rest.Paging) (rest.Page[Finding], error) {
	after := last{Rank: 1 << 30}
	if err := p.Decode(&after); err != nil {
		return rest.Page[Finding]{}, err
	}
	scope, err := s.documents.Scope(ctx)
	if err != nil {
		return rest.Page[Finding]{}, err
	}
	if err := s.exists(ctx, q, scope); err != nil {
		return rest.Page[Finding]{}, err
	}
	// A finding that several documents hold is shown once, with the locations of
	// one of them.
	rows, err := s.db.Read().QueryContext(ctx, `SELECT f.id, f.rank, v.name, v.aliases, v.summary, f.severity, v.cvss, v.words, v.epss, v.kev, v.ssvc, f.package, f.fixed, f.advisories,
			c.ecosystem, c.name, c.version, c.source_name, c.source_version, c.purl, found.digest
		FROM (
			SELECT r.finding_id, min(b.digest) AS digest
			FROM scan AS s JOIN result_finding AS r ON r.result_id = s.result_id JOIN sbom AS b ON b.id = s.sbom_id
			WHERE s.state = 'complete' AND ($9 = 'null' OR s.node_id IN (SELECT value->>0 FROM json_each($9))) AND (CASE WHEN $1 <> '' THEN s.id = $1
				ELSE ($2 = '' OR s.node_id = $2) AND s.id = (SELECT max(id) FROM scan WHERE node_id = s.node_id AND state = 'complete') END)
			GROUP BY r.finding_id
		) AS found
		JOIN finding AS f ON f.id = found.finding_id
		JOIN vulnerability AS v ON v.id = f.vulnerability_id
		JOIN component AS c ON c.id = f.component_id
		WHERE ($3 = '' OR f.severity = $3) AND ($4 = '' OR v.name = $4)
		  AND (f.rank < $5 OR (f.rank = $5 AND (v.name, f.id) > ($6, CAST($7 AS BIGINT))))
		ORDER BY f.rank DESC, v.name, f.id LIMIT $8`,
		q.Scan, q.Node, q.Severity, q.Vulnerability, after.Rank, after.Name, after.ID, p.Limit+1, scope.Column)
	items, err := db.All(rows, err, readListed)
	if err != nil {
		return rest.Page[Finding]{}, fmt.Errorf("list findings: %w", err)
	}
	page, err := rest.NewPage(items, p.Limit, func(f listed) any { return last{f.rank, f.Vulnerability, f.ID} })
	if err != nil {
		return rest.Page[Finding]{}, err
	}
	return s.locate(ctx, page)
}

func readListed(scan db.Scan) (f listed, err error) {
	c := &f.Component
	var a risk.Assessment
	err = scan(&f.ID, &f.rank, &f.Vulnerability, db.JSON{Into: &f.Aliases}, &f.Summary, &f.Severity, db.JSON{Into: &f.CVSS},
		db.JSON{Into: &a.Words}, &f.EPSS, &f.KEV, db.JSON{Into: &f.SSVC}, &f.Package,
		db.JSON{Into: &f.Fixed}, db.JSON{Into: &f.Advisories},
		&c.Ecosystem, &c.Name, &c.Version, &c.Source.Name, &c.Source.Version, &c.PURL, &f.digest)
	f.Word = a.WordOf(c.Ecosystem)
	return f, err
}

// locate fills in the locations of a page, reading each document once.
func (s *Service) locate(ctx context.Context, page rest.Page[listed]) (rest.Page[Finding], error) {
	located := rest.Page[Finding]{Items: make([]Finding, len(page.Items)), Next: page.Next}
	documents := make(map[string]*sbom.Document)
	for i, f := range page.Items {
		doc := documents[f.digest]
		if doc == nil {
			var err error
			if doc, err = s.documents.Document(ctx, f.digest); err != nil {
				return located, err
			}
			documents[f.digest] = doc
		}
		located.Items[i] = f.Finding
		located.Items[i].Component.Locations = locations(doc, f.Component.Key())
	}
	return located, nil
}

// locations joins those of every component of that key; they differ in purl.
func locations(doc *sbom.Document, key sbom.Key) []string {
	first, _ := slices.BinarySearchFunc(doc.Components, key, func(c sbom.Component, k sbom.Key) int { return c.Key().Compare(k) })
	found := []string{}
	for _, c := range doc.Components[first:] {
		if c.Key() != key {
			break
		}
		found = append(found, c.Locations...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// exists refuses the id of a scan or node that is not there: an empty list would
// read as clean.
func (s *Service) exists(ctx context.Context, q Query, scope fleet.Scope) error {
	for noun, id := range map[string]string{"scan": q.Scan, "node": q.Node} {
		if id == "" {
			continue
		}
		column := map[string]string{"scan": "node_id", "node": "id"}[noun]
		var node string
		err := s.db.Read().QueryRowContext(ctx, `SELECT COALESCE(max(`+column+`), '') FROM `+noun+` WHERE id = $1`, id).Scan(&node)
		if err != nil {
			return fmt.Errorf("find %s %s: %w", noun, id, err)
		}
		if node == "" || !scope.Has(node) {
			return problem.NotFound(noun, id)
		}
	}
	return nil
}
