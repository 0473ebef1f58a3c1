package finding_test

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
)

// published is a feed as OSV lays it out, with a store that it is installed in.
type published struct {
	*feed.Service
	t     *testing.T
	store *feed.Store
	dir   string
}

func (h house) feed() published {
	h.t.Helper()
	store, err := feed.Open(filepath.Join(h.t.TempDir(), "feed"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = store.Close() })
	dir := h.t.TempDir()
	return published{feed.NewService(store, h.db, feed.Settings{URL: dir}, h.clock.Now), h.t, store, dir}
}

// record is an OSV record about one package, as far as the tests need it.
type record struct {
	id, ecosystem, pkg, fixed string
	aliases, upstream         []string
	withdrawn                 bool
	summary                   string
}

// json is the record as OSV has it, modified at a time of its own if it says
// something else.
func (r record) json() map[string]any {
	sum := sha256.Sum256(fmt.Append(nil, r))
	modified := time.Date(2026, 1, 1, 0, 0, int(sum[0])*256+int(sum[1]), 0, time.UTC)
	events := []map[string]string{{"introduced": "0"}}
	if r.fixed != "" {
		events = append(events, map[string]string{"fixed": r.fixed})
	}
	kind := "ECOSYSTEM"
	if r.ecosystem == "Go" {
		kind = "SEMVER"
	}
	out := map[string]any{
		"id": r.id, "modified": modified.Format(time.RFC3339), "summary": r.summary, "aliases": list(r.aliases), "upstream": list(r.upstream),
		"affected": []any{map[string]any{
			"package": map[string]string{"ecosystem": r.ecosystem, "name": r.pkg},
			"ranges":  []any{map[string]any{"type": kind, "events": events}},
		}},
	}
	if r.withdrawn {
		out["withdrawn"] = modified.Format(time.RFC3339)
	}
	return out
}

func list(items []string) []string { return append([]string{}, items...) }

// publish installs a feed of the records.
func (p published) publish(records ...record) *feed.Revision {
	p.t.Helper()
	sources := map[string][]record{}
	for _, r := range records {
		base := match.Base(r.ecosystem)
		sources[base] = append(sources[base], r)
	}
	for base, records := range sources {
		if err := os.MkdirAll(filepath.Join(p.dir, base), 0o755); err != nil {
			p.t.Fatal(err)
		}
		file, err := os.Create(filepath.Join(p.dir, base, "all.zip"))
		if err != nil {
			p.t.Fatal(err)
		}
		archive := zip.NewWriter(file)
		for _, r := range records {
			w, err := archive.Create(r.id + ".json")
			if err != nil {
				p.t.Fatal(err)
			}
			if err := json.NewEncoder(w).Encode(r.json()); err != nil {
				p.t.Fatal(err)
			}
		}
		if err := archive.Close(); err != nil {
			p.t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			p.t.Fatal(err)
		}
	}
	if _, err := p.store.Update(p.t.Context(), feed.Options{URL: p.dir, AllowOlder: true}); err != nil {
		p.t.Fatal(err)
	}
	rev, err := p.store.Current(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return rev
}

func (h house) rematch(p published) {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	rev, settled, err := p.Newest(h.t.Context())
	if err != nil || !settled {
		h.t.Fatal(settled, err)
	}
	if err := h.Rematch(h.t.Context(), p, rev); err != nil {
		h.t.Fatal(err)
	}
}

// rematches are the re-matches so far, one line each.
func (h house) rematches() string {
	h.t.Helper()
	return dbtest.Text(h.t, h.db.Read(), `SELECT COALESCE(string_agg(line, '; '), '') FROM (SELECT cause || ' ' || state || ', ' || records_new || '+' || records_changed || '-' || records_gone
		|| ', nodes ' || nodes || ', opened ' || opened || ', resolved ' || resolved || ', unchanged ' || unchanged AS line FROM rematch ORDER BY id) AS r`)
}

func goModule(name, version string) sbom.Component {
	return sbom.Component{Ecosystem: "Go", Name: name, Version: version, Locations: []string{"app"}}
}

func wheel(name, version string) sbom.Component {
	return sbom.Component{Ecosystem: "PyPI", Name: name, Version: version, Locations: []string{"usr/lib/python3"}}
}

// What is disclosed today is found on a node that is not scanned again, and what is
// corrected or withdrawn is resolved, with the reason.
func TestRematchOpensAndResolves(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		corrected := record{id: "GO-1", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-1"}}
		withdrawn := record{id: "GO-2", ecosystem: "Go", pkg: "example.org/b", aliases: []string{"CVE-2026-2"}}
		stays := record{id: "GO-3", ecosystem: "Go", pkg: "example.org/b", aliases: []string{"CVE-2026-3"}}
		first := p.publish(corrected, withdrawn, stays)
		one, two, other := h.node("web-1"), h.node("web-2"), h.node("db-1")
		for _, node := range []string{one, two} {
			h.scan(node, first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
		}
		h.scan(other, first, goModule("example.org/c", "1.0.0"))
		h.rematch(p)
		if got := h.rematches(); got != "" {
			t.Errorf("where nothing is behind: %s", got)
		}

		corrected.fixed, withdrawn.withdrawn, stays.fixed = "0.9.0", true, "2.0.0"
		disclosed := record{id: "GO-4", ecosystem: "Go", pkg: "example.org/a", fixed: "1.1.0", aliases: []string{"CVE-2026-4"}}
		p.publish(corrected, withdrawn, stays, disclosed)
		h.rematch(p)
		for _, node := range []string{one, two} {
			got := []string{}
			for _, o := range h.occurrences(node) {
				got = append(got, fmt.Sprintf("%s %s %s %s%s fixable %v", o.Vulnerability, o.Package, o.State, o.OpenedBecause, "/"+o.ResolvedBecause, o.Fixable))
			}
			slices.Sort(got)
			want := []string{
				"CVE-2026-1 example.org/a resolved first_scan/corrected fixable false",
				"CVE-2026-2 example.org/b resolved first_scan/withdrawn fixable false",
				"CVE-2026-3 example.org/b open first_scan/ fixable true",
				"CVE-2026-4 example.org/a open disclosed/ fixable true",
			}
			if !slices.Equal(got, want) {
				t.Errorf("occurrences\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		if got, want := h.rematches(), "feed complete, 1+3-0, nodes 3, opened 2, resolved 4, unchanged 2"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'node.rematched'`); n != 2 {
			t.Errorf("%d events tell of nodes; want one for each that something changed on", n)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'rematch.completed'`); n != 1 {
			t.Errorf("%d events tell of the whole", n)
		}
		if n := h.count(`SELECT count(DISTINCT revision) FROM result_of`); n != 1 {
			t.Errorf("what inventories gave is remembered of %d revisions", n)
		}
		h.wantCounted("the re-match")
		h.rematch(p)
		if got := h.count(`SELECT count(*) FROM rematch`); got != 1 {
			t.Errorf("%d re-matches where there was nothing to do", got)
		}
	})
}

// What steps mean is compared before the transaction that takes them, and anew if it no
// longer stands there.
func TestComparisonStands(t *testing.T) {
	changes := map[string]string{
		"nothing":                      ``,
		"something else":               `UPDATE vulnerability SET kev = 1 WHERE name = 'CVE-2026-9'`,
		"it is exploited":              `UPDATE vulnerability SET kev = 1 WHERE name = 'CVE-2026-2'`,
		"it is worse":                  `UPDATE finding SET rank = 5 WHERE name = 'CVE-2026-2'`,
		"another vulnerability it is":  `UPDATE finding SET vulnerability_id = (SELECT id FROM vulnerability WHERE name = 'CVE-2026-9') WHERE name = 'CVE-2026-2'`,
		"a result has another finding": `INSERT INTO result_finding (result_id, finding_id) SELECT n.result_id, f.id FROM node_result AS n, finding AS f WHERE f.name = 'CVE-2026-2'`,
		"somebody has decided about it": `INSERT INTO decision (id, vulnerability, package, status, justification, reason, author, node_id, selector, created_at)
			VALUES ('1', 'CVE-2026-2', '', 'false_positive', '', '', '', '', '', 0)`,
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				p := h.feed()
				known := record{id: "GO-9", ecosystem: "Go", pkg: "example.org/b", aliases: []string{"CVE-2026-9"}}
				unnamed := record{id: "GHSA-9", ecosystem: "Go", pkg: "example.org/b"}
				first := p.publish(known, unnamed)
				h.scan(h.node("web-1"), first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
				second := p.publish(known, unnamed, record{id: "GO-2", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-2"}})
				h.match(h.put(goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0")), second)
				stands, err := h.Compared(t.Context(), second)
				if err != nil {
					t.Fatal(err)
				}
				switch change {
				case "":
				case "merge":
					unnamed.aliases = []string{"CVE-2026-9"}
					h.scan(h.node("web-2"), p.publish(known, unnamed), goModule("example.org/b", "1.0.0"))
				default:
					h.execute(change)
				}
				want := name == "nothing" || name == "something else"
				if got, err := stands(); err != nil || got != want {
					t.Errorf("stands: %v, %v; want %v", got, err, want)
				}
			})
		})
	}
}

func TestSweepRematches(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i, state := range []string{"failed", "complete", "running"} {
			h.execute(`INSERT INTO rematch (id, cause, state, revision_before, revision, engine, records_new, records_changed, records_gone, components, nodes,
				opened, resolved, unchanged, started_at, finished_at) VALUES ($1, 'feed', $2, '', '', '1', 0, 0, 0, 0, 0, 0, 0, 0, 0, $3)`, fmt.Sprint(i), state, i+1)
		}
		removed, err := h.SweepRematches(t.Context(), time.UnixMicro(2))
		if left := h.count(`SELECT count(*) FROM rematch`); err != nil || removed != 1 || left != 2 {
			t.Errorf("removed %d, left %d, %v; want one that ended before", removed, left, err)
		}
	})
}

// A node of which more is open than its result says, and vulnerabilities that somebody
// decided about, go the way that a scan goes.
func TestRematchOfWhatDependsOnTheNode(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		a := record{id: "GO-1", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-1"}}
		first := p.publish(a)
		blind, sees := h.node("web-1"), h.node("web-2")
		h.scan(sees, first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
		h.scan(blind, first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
		// What could not be looked at at last is open still.
		document := h.put(goModule("example.org/b", "1.0.0"))
		after := finding.State{Inventory: document.Inventory.ID, Result: h.match(document, first)}
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			if err := h.fleet.Installed(t.Context(), tx, blind, document); err != nil {
				return err
			}
			_, _, err := h.Apply(t.Context(), tx, blind, "scan", h.had[blind], after, []sbom.Key{goModule("example.org/a", "1.0.0").Key()})
			return err
		})
		if _, err := h.Decide(t.Context(), finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: "false_positive", Reason: "known", Node: sees}, "admin"); err != nil {
			t.Fatal(err)
		}
		p.publish(a, record{id: "GO-2", ecosystem: "Go", pkg: "example.org/b", aliases: []string{"CVE-2026-2"}})
		h.rematch(p)
		for node, want := range map[string]string{sees: "CVE-2026-1 open, CVE-2026-2 decided", blind: "CVE-2026-1 open, CVE-2026-2 open"} {
			got := []string{}
			for _, o := range h.occurrences(node) {
				got = append(got, o.Vulnerability+" "+o.State)
			}
			if got := strings.Join(got, ", "); got != want {
				t.Errorf("%s; want %s", got, want)
			}
		}
		h.wantCounted("the re-match")
	})
}

// One inventory that cannot be matched leaves only its own nodes behind, and holds up
// neither the rest of the fleet nor the sweep. The re-match says why it failed, and is
// complete once it can be. The fault is an index that lets the inventory have no second
// result.
func TestRematchAroundAFault(t *testing.T) {
	const fault = "unique constraint"
	mend := func(h house, _ string, _ *feed.Revision) { h.execute(`DROP INDEX fault`) }
	for name, test := range map[string]struct {
		engine string // by whose rules the fleet was matched before
		end    func(h house, node string, rev *feed.Revision)
	}{
		"the fault is mended":                   {match.EngineVersion, mend},
		"the fault is mended, by new rules too": {"before", mend},
		"the node has something else now": {"before", func(h house, node string, rev *feed.Revision) {
			h.scan(node, rev, goModule("example.org/a", "1.3.0"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				p := h.feed()
				first := p.publish(record{id: "GO-1", ecosystem: "Go", pkg: "example.org/a", fixed: "1.0.0", aliases: []string{"CVE-2026-1"}})
				faulty, sound := h.node("web-1"), h.node("web-2")
				h.scan(faulty, first, goModule("example.org/a", "1.1.0"))
				h.scan(sound, first, goModule("example.org/a", "1.2.0"))
				rev := p.publish(record{id: "GO-1", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-1"}})
				inventory := h.count(`SELECT inventory_id FROM node WHERE name = 'web-1'`)
				h.execute(fmt.Sprintf(`UPDATE result_of SET engine = '%s'`, test.engine))
				h.execute(fmt.Sprintf(`CREATE UNIQUE INDEX fault ON result_of (inventory_id) WHERE inventory_id = %d`, inventory))
				h.execute(`INSERT INTO result (digest, uncovered, unread) VALUES ('that nothing needs', '[]', '[]')`)
				for range 2 {
					if err := h.Rematch(t.Context(), p, rev); err == nil || !strings.Contains(strings.ToLower(err.Error()), fault) {
						t.Errorf("Rematch = %v", err)
					}
				}
				if f, s := h.occurrences(faulty), h.occurrences(sound); len(f) != 0 || len(s) != 1 {
					t.Errorf("%d occurrences where the fault is, %d where there is none", len(f), len(s))
				}
				digest := dbtest.Text(t, h.db.Read(), `SELECT digest FROM inventory WHERE id = $1`, inventory)
				if got := dbtest.Text(t, h.db.Read(), `SELECT state || ': ' || error FROM rematch`); !strings.HasPrefix(got, "failed: match inventory "+digest) ||
					!strings.Contains(strings.ToLower(got), fault) {
					t.Errorf("it says %q", got)
				}
				if n := h.count(`SELECT count(*) FROM event WHERE type = 'rematch.failed'`); n != 1 {
					t.Errorf("%d events tell that it failed; want one, however often it is tried", n)
				}
				if n, err := h.SweepResults(t.Context(), h.clock.Now()); err != nil || n != 1 {
					t.Errorf("%d results were swept, %v; want the one that nothing needs", n, err)
				}

				test.end(h, faulty, rev)
				h.rematch(p)
				if f := h.occurrences(faulty); len(f) != 1 {
					t.Errorf("%d occurrences where the fault was", len(f))
				}
				if got := dbtest.Text(t, h.db.Read(), `SELECT state || error FROM rematch`); got != "complete" {
					t.Errorf("in the end it is %q", got)
				}
				if n := h.count(`SELECT count(*) FROM event WHERE type = 'rematch.completed'`); n != 1 {
					t.Errorf("%d events tell that it is over", n)
				}
			})
		})
	}
}

// A node that cannot be moved holds up no other.
func TestRematchAroundANode(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		first := p.publish(record{id: "GO-0", ecosystem: "Go", pkg: "example.org/b"})
		faulty, sound := h.node("web-1"), h.node("web-2")
		for _, node := range []string{faulty, sound} {
			h.scan(node, first, goModule("example.org/a", "1.1.0"))
		}
		rev := p.publish(record{id: "GO-0", ecosystem: "Go", pkg: "example.org/b"},
			record{id: "GO-1", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-1"}},
			record{id: "GO-2", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-2"}})
		h.execute(`CREATE UNIQUE INDEX fault ON occurrence (node_id) WHERE node_id = '` + faulty + `'`)
		if err := h.Rematch(t.Context(), p, rev); err == nil || !strings.Contains(err.Error(), "node "+faulty) {
			t.Errorf("Rematch = %v", err)
		}
		if f, s := h.occurrences(faulty), h.occurrences(sound); len(f) != 0 || len(s) != 2 {
			t.Errorf("%d occurrences on the node that cannot move, %d on the other", len(f), len(s))
		}
		h.execute(`DROP INDEX fault`)
		h.rematch(p)
		if f := h.occurrences(faulty); len(f) != 2 {
			t.Errorf("%d occurrences once it can", len(f))
		}
	})
}

// A console that was killed in the middle goes on: whichever transactions it had
// done, each occurrence and each event is there once in the end.
func TestRematchGoesOn(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		first := p.publish(record{id: "GO-1", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-1"}})
		for i := range 4 {
			h.scan(h.node(fmt.Sprintf("web-%d", i)), first, goModule("example.org/a", fmt.Sprintf("1.%d.0", i)))
		}
		rev := p.publish(record{id: "GO-1", ecosystem: "Go", pkg: "example.org/a", fixed: "1.2.0", aliases: []string{"CVE-2026-1"}},
			record{id: "GO-2", ecosystem: "Go", pkg: "example.org/a", aliases: []string{"CVE-2026-2"}})
		h.clock.Advance(time.Hour)
		for looks := range 100 {
			// It is killed when it looks at the clock, which each transaction does.
			ctx, kill := context.WithCancel(t.Context())
			left := looks
			s := finding.NewService(h.db, h.fleet, func() time.Time {
				if left--; left < 0 {
					kill()
				}
				return h.clock.Now()
			})
			s.MoveOneByOne()
			err := s.Rematch(ctx, p, rev)
			kill()
			if err == nil {
				break
			}
			h.wantCounted(fmt.Sprintf("%d looks at the clock", looks))
		}
		if got, want := h.rematches(), "feed complete, 1+1-0, nodes 4, opened 4, resolved 2, unchanged 2"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'node.rematched'`); n != 4 {
			t.Errorf("%d events tell of nodes", n)
		}
		h.wantCounted("the re-match")
	})
}

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
	rev := p.publish(w.records...)
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
		rev = p.publish(w.records...)
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
	records []record
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
	pick := func() *record { return &w.records[w.r.IntN(len(w.records))] }
	fixed := func() string { return []string{"", "1.1.0", "1.2.0", "1.3.0"}[w.r.IntN(4)] }
	name := func() []string { return []string{fmt.Sprintf("CVE-2026-%d", 100+w.r.IntN(9))} }
	switch n := w.r.IntN(9); {
	case len(w.records) < 6 || n < 2:
		w.made++
		pkg := packages[w.r.IntN(len(packages))]
		r := record{id: fmt.Sprintf("GHSA-%04d", w.made), ecosystem: pkg.ecosystem, pkg: pkg.name, fixed: fixed()}
		switch w.r.IntN(3) {
		case 0:
			r.aliases = name()
		case 1:
			if len(w.records) > 0 {
				r.aliases = []string{pick().id}
			}
		}
		w.records = append(w.records, r)
	case n == 2:
		i := w.r.IntN(len(w.records))
		w.records = slices.Delete(w.records, i, i+1)
	case n == 3:
		r := pick()
		r.withdrawn = !r.withdrawn
	case n == 4:
		pick().fixed = fixed()
	case n == 5:
		pick().aliases = name()
	case n == 7: // what is said of them changes, and nothing that is found
		for range 4 {
			pick().summary += "!"
		}
	case n == 6:
		pick().aliases = append(name(), name()...) // one vulnerability becomes two
	default:
		pick().aliases = nil
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
