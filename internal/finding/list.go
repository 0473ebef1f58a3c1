package finding

import (
	"context"
	"fmt"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// Query says which findings a list holds; empty fields hold for all. Without a
// scan they are those of every node's last complete scan. Where a component stands
// is told of one node or one scan: a finding of the whole fleet stands in as many
// documents as nodes have it.
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
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return rest.Page[Finding]{}, err
	}
	if err := s.exists(ctx, q, scope); err != nil {
		return rest.Page[Finding]{}, err
	}
	var args arguments
	worst, digest, err := s.worstOf(ctx, &args, q, scope, after, p.Limit+1)
	if err != nil {
		return rest.Page[Finding]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT f.id, f.rank, f.name, v.aliases, v.summary, f.severity, v.cvss, v.words, v.epss, v.kev, v.ssvc, f.package, f.fixed, f.advisories,
			c.ecosystem, c.name, c.version, c.source_name, c.source_version, c.purl, `+digest+`
		FROM (`+worst+`) AS worst JOIN finding AS f ON f.id = worst.id
		JOIN vulnerability AS v ON v.id = f.vulnerability_id
		JOIN component AS c ON c.id = f.component_id
		ORDER BY f.rank DESC, f.name, f.id`, args...)
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

// worstOf selects the ids of a page's findings, and the digest of the document that
// says where they stand.
func (s *Service) worstOf(ctx context.Context, args *arguments, q Query, scope fleet.Scope, after last, limit int) (worst, digest string, err error) {
	from, where := `finding AS f`, `f.results > 0`
	visible := ""
	if scope.Column != fleet.All && q.Scan == "" && q.Node == "" {
		visible = ` AND h.node_id ` + db.Among(args.add(scope.Column))
	}
	digest = `''`
	switch {
	case q.Scan != "":
		scan := args.add(q.Scan)
		from = `result_finding AS r JOIN finding AS f ON f.id = r.finding_id`
		where = `r.result_id = (SELECT result_id FROM scan WHERE state = 'complete' AND id = ` + scan + `)`
		digest = `COALESCE((SELECT b.digest FROM scan AS s JOIN sbom AS b ON b.id = s.sbom_id WHERE s.id = ` + scan + `), '')`
	case q.Node != "":
		node := args.add(q.Node)
		from = `result_finding AS r JOIN finding AS f ON f.id = r.finding_id`
		where = `r.result_id = (SELECT result_id FROM node_result WHERE node_id = ` + node + `)`
		digest = `COALESCE((SELECT b.digest FROM node AS n JOIN sbom AS b ON b.id = n.sbom_id WHERE n.id = ` + node + `), '')`
	}
	if visible != "" {
		where += ` AND EXISTS (SELECT 1 FROM result_finding AS r JOIN node_result AS h ON h.result_id = r.result_id WHERE r.finding_id = f.id` + visible + `)`
	}
	rank := args.add(after.Rank)
	column := `f.rank`
	if q.Vulnerability != "" {
		id, err := s.idOf(ctx, q.Vulnerability)
		if err != nil {
			return "", "", err
		}
		where += ` AND f.vulnerability_id = ` + args.add(id)
		column = `f.rank + 0` // the vulnerability's index is the one to take
	}
	where += ` AND ` + column + ` <= ` + rank + ` AND (f.rank < ` + rank + ` OR (f.name, f.id) > (` + args.add(after.Name) + `, ` + args.add(after.ID) + `))`
	if q.Severity != "" {
		where += ` AND ` + column + ` = ` + args.add(risk.Severity(q.Severity).Rank())
	}
	return `SELECT f.id AS id FROM ` + from + ` WHERE ` + where + ` ORDER BY f.rank DESC, f.name, f.id LIMIT ` + args.add(limit), digest, nil
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

// locate fills in the locations of a page.
func (s *Service) locate(ctx context.Context, page rest.Page[listed]) (rest.Page[Finding], error) {
	located := rest.Page[Finding]{Items: make([]Finding, len(page.Items)), Next: page.Next}
	wanted := make(map[string][]sbom.Key)
	for _, f := range page.Items {
		if f.digest != "" {
			wanted[f.digest] = append(wanted[f.digest], f.Component.Key())
		}
	}
	locations, err := s.nodes.Locations(ctx, wanted)
	if err != nil {
		return located, err
	}
	for i, f := range page.Items {
		located.Items[i] = f.Finding
		located.Items[i].Component.Locations = list(locations[f.digest][f.Component.Key()])
	}
	return located, nil
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
