package finding_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"patrol/internal/feed"
	"patrol/internal/feed/feedtest"
	"patrol/internal/finding"
	"patrol/internal/match"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
)

// TestRematchIsAsMatchingAll: whatever a feed becomes, what is open is what matching
// every inventory anew finds.
func TestRematchIsAsMatchingAll(t *testing.T) {
	seeds := uint64(2)
	if testing.Short() {
		seeds = 1
	}
	each(t, func(t *testing.T, h house) {
		for seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				h := h
				h.t = t
				h.randomRematches(rand.New(rand.NewPCG(seed, 7)), fmt.Sprint(seed))
			})
		}
	})
}

func (h house) randomRematches(r *rand.Rand, name string) {
	p := h.feed()
	w := world{r: r}
	for range 12 {
		w.change()
	}
	rev := p.Publish(w.records...)
	installed := map[string][]sbom.Component{}
	for i := range 5 {
		node := h.node(fmt.Sprintf("node-%s-%d", name, i))
		installed[node] = w.components()
		h.scan(node, rev, installed[node]...)
	}
	h.rematch(p) // those of the seeds before, too
	for step := range 4 {
		for range 1 + r.IntN(4) {
			w.change()
		}
		rev = p.Publish(w.records...)
		h.rematch(p)
		for node, components := range installed {
			h.wantAsMatched(node, rev, components, step)
		}
		h.wantCounted(fmt.Sprintf("step %d", step))
	}
}

// wantAsMatched compares what is open on a node, and the result that it holds, with
// what matching all of it finds.
func (h house) wantAsMatched(node string, rev *feed.Revision, components []sbom.Component, step int) {
	h.t.Helper()
	keys := []sbom.Key{}
	for _, c := range components {
		keys = append(keys, c.Key())
	}
	matched, err := match.Inventory(rev, keys)
	if err != nil {
		h.t.Fatal(err)
	}
	want := []string{}
	for _, found := range matched.Findings {
		for _, f := range found {
			want = append(want, f.Vulnerability+" "+f.Ecosystem+" "+f.Package)
		}
	}
	page, err := h.Occurrences(h.t.Context(), finding.OccurrenceQuery{Node: node}, rest.Paging{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	got := []string{}
	for _, o := range page.Items {
		got = append(got, o.Vulnerability+" "+o.Ecosystem+" "+o.Package)
	}
	slices.Sort(want)
	slices.Sort(got)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		h.t.Fatalf("step %d: open\n%s\nwant\n%s", step, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	const content = `SELECT COALESCE(string_agg(line, '; '), '') FROM (SELECT c.ecosystem || ' ' || c.name || ' ' || c.version || ' ' || f.name || ' ' || f.package || f.fixed || f.advisories AS line
		FROM result_finding AS r JOIN finding AS f ON f.id = r.finding_id JOIN component AS c ON c.id = f.component_id WHERE r.result_id = %d ORDER BY 1) AS l`
	held := h.count(`SELECT result_id FROM node_result WHERE node_id = '` + node + `'`)
	document := h.put(components...)
	h.execute(`DELETE FROM result_of WHERE inventory_id = ` + fmt.Sprint(document.Inventory.ID))
	whole := h.match(document, rev)
	if got, want := dbtest.Text(h.t, h.db.Read(), fmt.Sprintf(content, held)), dbtest.Text(h.t, h.db.Read(), fmt.Sprintf(content, whole)); got != want {
		h.t.Fatalf("step %d: result\n%s\nwant\n%s", step, got, want)
	}
}

// world makes up a feed that changes, and what may be installed.
type world struct {
	r       *rand.Rand
	records []feedtest.Record
	made    int
}

var packages = []struct{ ecosystem, name, installed string }{
	{"Go", "example.org/a", "example.org/a"},
	{"Go", "example.org/b", "example.org/b"},
	{"PyPI", "some-thing", "Some_Thing"},
	{"PyPI", "pillow", "Pillow"},
	{"Debian:12", "openssl", "libssl3"},
	{"Debian:12", "zlib", "zlib1g"},
	{"Debian", "zlib", "zlib1g"},
}

// change adds a record, takes one away, withdraws or corrects it, or gives it another
// name: one that nobody has, or one that another record has.
func (w *world) change() {
	pick := func() *feedtest.Record { return &w.records[w.r.IntN(len(w.records))] }
	fixed := func() string { return []string{"", "1.1.0", "1.2.0", "1.3.0"}[w.r.IntN(4)] }
	name := func() []string { return []string{fmt.Sprintf("CVE-2026-%d", 100+w.r.IntN(9))} }
	switch n := w.r.IntN(9); {
	case len(w.records) < 6 || n < 2:
		w.made++
		pkg := packages[w.r.IntN(len(packages))]
		r := feedtest.Record{ID: fmt.Sprintf("GHSA-%04d", w.made), Ecosystem: pkg.ecosystem, Package: pkg.name, Fixed: fixed()}
		switch w.r.IntN(3) {
		case 0:
			r.Aliases = name()
		case 1:
			if len(w.records) > 0 {
				r.Aliases = []string{pick().ID}
			}
		}
		w.records = append(w.records, r)
	case n == 2:
		i := w.r.IntN(len(w.records))
		w.records = slices.Delete(w.records, i, i+1)
	case n == 3:
		r := pick()
		r.Withdrawn = !r.Withdrawn
	case n == 4:
		pick().Fixed = fixed()
	case n == 5:
		pick().Aliases = name()
	case n == 7: // what is said of them changes, and nothing that is found
		for range 4 {
			pick().Summary += "!"
		}
	case n == 6:
		pick().Aliases = append(name(), name()...) // one vulnerability becomes two
	default:
		pick().Aliases = nil
	}
}

func (w *world) components() []sbom.Component {
	found := []sbom.Component{}
	for _, p := range packages[:6] {
		if w.r.IntN(4) == 0 {
			continue
		}
		version := []string{"1.0.0", "1.1.0", "1.2.0"}[w.r.IntN(3)]
		switch p.ecosystem {
		case "Go":
			found = append(found, goModule(p.installed, version))
		case "PyPI":
			found = append(found, wheel(p.installed, version))
		default:
			found = append(found, deb(p.installed, p.name, version))
		}
	}
	return found
}
