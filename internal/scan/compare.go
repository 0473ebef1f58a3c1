package scan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// CompareQuery names two complete scans, of one node or of two.
type CompareQuery struct {
	From   string `query:"from" required:"true" doc:"Id of a scan."`
	To     string `query:"to" required:"true" doc:"Id of the scan to compare it with."`
	Change string `query:"change" enum:"opened,resolved,unchanged" doc:"Only what the second alone found, the first alone, or both."`
}

// Comparison is a page of what two scans found, with how much there is in all.
type Comparison struct {
	rest.Page[Difference]
	From      ReportEntry `json:"from"`
	To        ReportEntry `json:"to"`
	Opened    int         `json:"opened" doc:"Found by the second alone."`
	Resolved  int         `json:"resolved" doc:"Found by the first alone."`
	Unchanged int         `json:"unchanged" doc:"Found by both."`
	// Components are compared by name and version.
	Components ComponentChanges `json:"components"`
}

// ComponentChanges count how two inventories differ.
type ComponentChanges struct {
	Added     int `json:"added"`
	Removed   int `json:"removed"`
	Unchanged int `json:"unchanged"`
}

// Difference is a vulnerability in a package that one or both of two scans found.
type Difference struct {
	Change        string        `json:"change" enum:"opened,resolved,unchanged"`
	Vulnerability string        `json:"vulnerability"`
	Severity      risk.Severity `json:"severity"`
	Ecosystem     string        `json:"ecosystem" doc:"Without its release."`
	Package       string        `json:"package" doc:"As the advisory names it."`
	// FromVersions and ToVersions are the affected versions that each scan found.
	FromVersions []string `json:"from_versions"`
	ToVersions   []string `json:"to_versions"`
}

// compare orders by change, then worst first.
func (d Difference) compare(other Difference) int {
	return cmp.Or(
		cmp.Compare(place(d.Change), place(other.Change)), cmp.Compare(other.Severity.Rank(), d.Severity.Rank()),
		cmp.Compare(d.Vulnerability, other.Vulnerability), cmp.Compare(d.Ecosystem, other.Ecosystem), cmp.Compare(d.Package, other.Package),
	)
}

// Compare tells what the second of two complete scans found that the first did not,
// and the reverse. Both are compared as results, by vulnerability, ecosystem without
// its release, and package, so that an upgrade which does not help changes nothing.
func (s *Service) Compare(ctx context.Context, q CompareQuery, p rest.Paging) (Comparison, error) {
	var after Difference
	if err := p.Decode(&after); err != nil {
		return Comparison{}, err
	}
	var out Comparison
	var scans [2]Scan
	for i, id := range []string{q.From, q.To} {
		var err error
		if scans[i], err = s.Get(ctx, id); err != nil {
			return out, err
		}
		if scans[i].State != Complete {
			return out, problem.Invalid([]string{"from", "to"}[i], "scan %s is %s: only complete scans can be compared", id, scans[i].State)
		}
	}
	out.From, out.To = scans[0].entry(), scans[1].entry()
	differences, err := s.differences(ctx, q.From, q.To)
	if err == nil {
		out.Components, err = s.componentChanges(ctx, q.From, q.To)
	}
	if err != nil {
		return out, fmt.Errorf("compare scans %s and %s: %w", q.From, q.To, err)
	}
	items := []Difference{}
	for _, d := range differences {
		switch d.Change {
		case Opened:
			out.Opened++
		case Resolved:
			out.Resolved++
		default:
			out.Unchanged++
		}
		if (q.Change == "" || q.Change == d.Change) && (p.Cursor == "" || d.compare(after) > 0) && len(items) <= p.Limit {
			items = append(items, d)
		}
	}
	out.Page, err = rest.NewPage(items, p.Limit, func(d Difference) any {
		d.FromVersions, d.ToVersions = nil, nil // the cursor need not hold them
		return d
	})
	return out, err
}

// differences reads what two scans found, sorted. What one scan finds is bounded by
// the size of its SBOM.
func (s *Service) differences(ctx context.Context, from, to string) ([]Difference, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT CASE s.id WHEN $1 THEN 0 ELSE 1 END, f.name, f.rank, f.ecosystem, f.package,
			c.ecosystem, c.name, c.version, c.source_name, c.source_version
		FROM (SELECT $1 AS id, result_id FROM scan WHERE id = $1 UNION ALL SELECT 'to', result_id FROM scan WHERE id = $2) AS s
		JOIN result_finding AS r ON r.result_id = s.result_id JOIN finding AS f ON f.id = r.finding_id JOIN component AS c ON c.id = f.component_id`, from, to)
	if err != nil {
		return nil, err
	}
	type identity struct{ vulnerability, ecosystem, pkg string }
	type found struct {
		rank     int
		versions [2][]string
		in       [2]bool
	}
	all := make(map[identity]*found)
	err = db.Each(rows, func(scan db.Scan) error {
		var side, rank int
		var id identity
		var c sbom.Key
		if err := scan(&side, &id.vulnerability, &rank, &id.ecosystem, &id.pkg, &c.Ecosystem, &c.Name, &c.Version, &c.SourceName, &c.SourceVersion); err != nil {
			return err
		}
		f := all[id]
		if f == nil {
			f = &found{}
			all[id] = f
		}
		_, version := match.Subject(c)
		f.rank, f.in[side], f.versions[side] = max(f.rank, rank), true, append(f.versions[side], version)
		return nil
	})
	list := make([]Difference, 0, len(all))
	for id, f := range all {
		change := Unchanged
		switch f.in {
		case [2]bool{false, true}:
			change = Opened
		case [2]bool{true, false}:
			change = Resolved
		}
		list = append(list, Difference{change, id.vulnerability, risk.OfRank(f.rank), id.ecosystem, id.pkg, distinct(f.versions[0]), distinct(f.versions[1])})
	}
	slices.SortFunc(list, Difference.compare)
	return list, err
}

func distinct(versions []string) []string {
	slices.SortFunc(versions, strings.Compare)
	return orEmpty(slices.Compact(versions))
}

func (s *Service) componentChanges(ctx context.Context, from, to string) (c ComponentChanges, err error) {
	const inventory = `(SELECT b.inventory_id FROM scan AS s JOIN sbom AS b ON b.id = s.sbom_id WHERE s.id = `
	const of = `SELECT component_id FROM inventory_component WHERE inventory_id = ` + inventory
	err = s.db.Read().QueryRowContext(ctx, `SELECT (SELECT count(*) FROM (`+of+`$2) EXCEPT `+of+`$1)) AS added),
		(SELECT count(*) FROM (`+of+`$1) EXCEPT `+of+`$2)) AS removed), (SELECT count(*) FROM (`+of+`$1) INTERSECT `+of+`$2)) AS kept)`, from, to).
		Scan(&c.Added, &c.Removed, &c.Unchanged)
	return c, err
}
