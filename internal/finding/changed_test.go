package finding_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/feed/feedtest"
	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// lines are what is noted, as far as a test says: "vulnerability package state because".
func lines(t *testing.T, found []finding.Noted, err error) []string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(found, func(a, b finding.Noted) int { return int(a.ID - b.ID) }) {
		t.Errorf("%+v are not in the order of their ids", found)
	}
	lines := []string{}
	for _, n := range found {
		lines = append(lines, fmt.Sprint(n.Vulnerability, " ", n.Package, " ", n.State, " ", n.Because))
	}
	slices.Sort(lines)
	return lines
}

// What a scan opened and resolved is told of it alone, whatever became of that since.
func TestChangedByScans(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{heartbleed, {"D-2", "Debian:12", "bash", "", "CVE-2026-2", medium}, {"D-3", "Debian:12", "bash", "", "CVE-2026-3", ""}}}
		node, other := h.node("web-1"), h.node("web-2")
		h.scan(other, rev, vulnerable)
		first, _, _ := h.scan(node, rev, vulnerable)
		second, _, _ := h.scan(node, rev, fixed, bash)
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-3", Status: finding.FalsePositive})
		check := func(what, scan string, read func(context.Context, db.Querier, finding.Cause) ([]finding.Noted, error), want ...string) {
			t.Helper()
			found, err := read(t.Context(), h.db.Read(), finding.Cause{ID: scan, Node: node})
			if got := lines(t, found, err); !slices.Equal(got, want) {
				t.Errorf("%s %s %q; want %q", scan, what, got, want)
			}
		}
		check("opened", first, h.OpenedBy, heartbleed.vulnerability+" openssl resolved first_scan")
		check("resolved", first, h.ResolvedBy)
		check("opened", second, h.OpenedBy, "CVE-2026-2 bash open installed", "CVE-2026-3 bash decided installed")
		check("resolved", second, h.ResolvedBy, heartbleed.vulnerability+" openssl resolved upgraded")

		found, err := h.OpenedBy(t.Context(), h.db.Read(), finding.Cause{ID: first, Node: node})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		got := found[0]
		if got.VulnerabilityID == 0 || got.ID == 0 {
			t.Errorf("noted without ids: %+v", got)
		}
		got.ID, got.VulnerabilityID = 0, 0
		want := finding.Noted{
			Vulnerability: heartbleed.vulnerability, NodeID: node, Ecosystem: "Debian", Package: "openssl", Severity: risk.Critical, Rank: 4, Fixable: true,
			OpenedAt: noon.Add(2 * time.Hour), Because: finding.FirstScan, State: finding.Resolved,
		}
		if got != want {
			t.Errorf("noted %+v; want %+v", got, want)
		}
	})
}

// What a re-match opened and resolved is told of it alone, on all nodes.
func TestChangedByRematches(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		corrected := feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-1"}}
		first := p.Publish(corrected)
		one, two := h.node("web-1"), h.node("web-2")
		for _, node := range []string{one, two} {
			h.scan(node, first, goModule("example.org/a", "1.0.0"))
		}
		corrected.Fixed = "0.9.0"
		disclosed := []feedtest.Record{
			{ID: "GO-4", Ecosystem: "Go", Package: "example.org/a", Fixed: "1.1.0", Aliases: []string{"CVE-2026-4"}},
			{ID: "GO-5", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-5"}},
		}
		p.Publish(append(disclosed, corrected)...)
		h.rematch(p)
		id := dbtest.Text(t, h.db.Read(), `SELECT id FROM rematch`)
		began := h.clock.Now()
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-5", Status: finding.FalsePositive, Node: one})
		later := p.Publish(disclosed[1], corrected)
		h.scan(two, later, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
		scanned := h.clock.Now()
		for name, c := range map[string]struct {
			read func(context.Context, db.Querier, finding.Cause) ([]finding.Noted, error)
			from time.Time
			want []string
		}{
			"opened": {h.OpenedBy, began, []string{
				"CVE-2026-4 example.org/a open disclosed", "CVE-2026-4 example.org/a resolved disclosed",
				"CVE-2026-5 example.org/a decided disclosed", "CVE-2026-5 example.org/a open disclosed",
			}},
			"resolved":       {h.ResolvedBy, began, []string{"CVE-2026-1 example.org/a resolved corrected", "CVE-2026-1 example.org/a resolved corrected"}},
			"opened later":   {h.OpenedBy, began.Add(time.Microsecond), []string{}},
			"resolved later": {h.ResolvedBy, began.Add(time.Microsecond), []string{}},
		} {
			found, err := c.read(t.Context(), h.db.Read(), finding.Cause{ID: id, From: c.from, To: scanned})
			if got := lines(t, found, err); !slices.Equal(got, c.want) {
				t.Errorf("%s: %q; want %q", name, got, c.want)
			}
		}
		for name, read := range map[string]func(context.Context, db.Querier, finding.Cause) ([]finding.Noted, error){"opened": h.OpenedBy, "resolved": h.ResolvedBy} {
			if found, err := read(t.Context(), h.db.Read(), finding.Cause{ID: id, From: noon, To: began.Add(-time.Microsecond)}); err != nil || len(found) != 0 {
				t.Errorf("%s before: %+v, %v", name, found, err)
			}
		}
	})
}

func TestUnresolved(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{heartbleed, {"D-2", "Debian:12", "bash", "", "CVE-2026-2", medium}}}
		one, two, three := h.node("web-1"), h.node("web-2"), h.node("web-3")
		for _, node := range []string{one, two, three} {
			h.scan(node, rev, vulnerable, bash)
		}
		h.scan(three, rev, bash)
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: finding.FalsePositive, Node: one})
		open, decided := int64(0), int64(0)
		for _, o := range h.occurrences(one) {
			if o.State == finding.Open {
				open = o.ID
			} else {
				decided = o.ID
			}
		}
		for w, want := range map[finding.Which]int{
			{Vulnerability: "CVE-2026-2"}:                          2,
			{Vulnerability: heartbleed.vulnerability}:              2,
			{Vulnerability: heartbleed.vulnerability, Node: two}:   1,
			{Vulnerability: heartbleed.vulnerability, Node: three}: 0,
			{Vulnerability: "CVE-2026-99"}:                         0,
			{Node: one}:                                            1,
			{Node: two}:                                            2,
			{Node: "nobody"}:                                       0,
			{Occurrence: open}:                                     1,
			{Occurrence: decided}:                                  0,
			{Occurrence: open, Node: two}:                          0,
			{Vulnerability: "CVE-2026-2", Decided: true}:           1,
			{Node: one, Decided: true}:                             1,
			{Node: two, Decided: true}:                             0,
			{Occurrence: decided, Decided: true}:                   1,
		} {
			got := 0
			for after := int64(0); ; got++ {
				found, err := h.Unresolved(t.Context(), h.db.Read(), w, after, 1)
				if err != nil || len(found) > 1 {
					t.Fatal(found, err)
				}
				if len(found) == 0 {
					break
				}
				state, because := finding.Open, finding.FirstScan
				if w.Decided {
					state, because = finding.Decided, ""
				}
				if after = found[0].ID; found[0].State != state || found[0].Because != because {
					t.Errorf("%+v: %+v", w, found[0])
				}
			}
			if got != want {
				t.Errorf("%+v: %d are not resolved; want %d", w, got, want)
			}
		}
		if found, err := h.Unresolved(t.Context(), h.db.Read(), finding.Which{Decided: true}, 0, 1); err == nil {
			t.Errorf("of nothing, %+v is not resolved", found)
		}
	})
}

func TestBackground(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{
			{"D-1", "Debian:12", "openssl", "3.0.15-1", "CVE-2026-1", critical},
			{"D-1", "Debian:11", "openssl", "1.1.1w-0", "CVE-2026-1", critical},
			{"PYSEC-1", "PyPI", "cryptography", "42.0.0", "CVE-2026-1", critical},
			{"D-2", "Debian:12", "bash", "", "CVE-2026-2", ""},
		}}
		bullseye := deb("libssl1.1", "openssl", "1.1.1k-1")
		bullseye.Ecosystem = "Debian:11"
		h.scan(h.node("web-1"), rev, vulnerable, bash, python("cryptography", "41.0.0"))
		h.scan(h.node("web-2"), rev, bullseye)
		if err := h.Reassess(t.Context(), intelligence{"CVE-2026-1": {EPSS: &risk.EPSS{Score: 0.25}}}); err != nil {
			t.Fatal(err)
		}
		// What only an inventory of before had is told no more.
		h.scan(h.node("web-3"), revision{"earlier", []advisory{{"D-1", "Debian:12", "openssl", "3.0.99-1", "CVE-2026-1", critical}}}, vulnerable)
		h.scan(h.node("web-3"), rev, []sbom.Component{}...)
		h.execute(`UPDATE vulnerability SET aliases = '["GHSA-1"]', summary = 'It overflows.' WHERE name = 'CVE-2026-1'`)
		ids := map[string]int64{}
		for _, name := range []string{"CVE-2026-1", "CVE-2026-2"} {
			found, err := h.Unresolved(t.Context(), h.db.Read(), finding.Which{Vulnerability: name}, 0, 1)
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			ids[name] = found[0].VulnerabilityID
		}
		got, err := h.Background(t.Context(), h.db.Read(), []int64{ids["CVE-2026-1"], ids["CVE-2026-2"], 99})
		want := map[int64]finding.Background{
			ids["CVE-2026-1"]: {
				Aliases: []string{"GHSA-1"}, Summary: "It overflows.", Score: 9.8, EPSS: 0.25,
				Fixed: map[string][]string{"Debian\x00openssl": {"1.1.1w-0", "3.0.15-1"}, "PyPI\x00cryptography": {"42.0.0"}},
			},
			ids["CVE-2026-2"]: {Aliases: []string{}, Fixed: map[string][]string{}},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	})
}

// explained has questions tell how they would be answered instead.
type explained struct {
	db.Querier
	plan *[]string
}

func (e explained) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := e.Querier.QueryContext(ctx, `EXPLAIN QUERY PLAN `+query, args...)
	if err != nil {
		return nil, err
	}
	err = db.Each(rows, func(scan db.Scan) error {
		var id, parent, unused int
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		*e.plan = append(*e.plan, detail)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.Querier.QueryContext(ctx, query, args...)
}

// Of millions of occurrences none is read that is not asked for.
func TestChangedReadsByIndex(t *testing.T) {
	const byID = "INTEGER PRIMARY KEY (rowid=?)"
	h := newHouse(t, dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), migrations...))
	for name, c := range map[string]struct {
		ask  func(q db.Querier) ([]finding.Noted, error)
		want []string
	}{
		"opened by a scan": {func(q db.Querier) ([]finding.Noted, error) {
			return h.OpenedBy(t.Context(), q, finding.Cause{ID: "s", Node: "n"})
		}, []string{"occurrence_open (node_number=?", "occurrence_history (node_number=?"}},
		"resolved by a scan": {func(q db.Querier) ([]finding.Noted, error) {
			return h.ResolvedBy(t.Context(), q, finding.Cause{ID: "s", Node: "n"})
		}, []string{"occurrence_history (node_number=?"}},
		"opened by a re-match": {func(q db.Querier) ([]finding.Noted, error) {
			return h.OpenedBy(t.Context(), q, finding.Cause{ID: "r", From: noon, To: noon})
		}, []string{
			"occurrence_alike_open (<expr>=? AND opened_at>? AND opened_at<?)", "occurrence_alike_decided (<expr>=? AND opened_at>? AND opened_at<?)",
			"occurrence_alike_resolved (<expr>=? AND opened_at>? AND opened_at<?)",
		}},
		"resolved by a re-match": {func(q db.Querier) ([]finding.Noted, error) {
			return h.ResolvedBy(t.Context(), q, finding.Cause{ID: "r", From: noon, To: noon})
		}, []string{"occurrence_resolved (resolved_at>? AND resolved_at<?)"}},
		"open of a vulnerability": {func(q db.Querier) ([]finding.Noted, error) {
			return h.Unresolved(t.Context(), q, finding.Which{Vulnerability: "v"}, 0, 1)
		}, []string{byID, "occurrence_vulnerability (vulnerability_id=?)"}},
		"open on a node": {func(q db.Querier) ([]finding.Noted, error) {
			return h.Unresolved(t.Context(), q, finding.Which{Node: "n"}, 0, 1)
		}, []string{byID, "occurrence_open (node_number=?)"}},
		"open of a vulnerability on a node": {func(q db.Querier) ([]finding.Noted, error) {
			return h.Unresolved(t.Context(), q, finding.Which{Vulnerability: "v", Node: "n"}, 0, 1)
		}, []string{byID, "occurrence_open (node_number=? AND vulnerability_id=?)"}},
		"decided of a vulnerability": {func(q db.Querier) ([]finding.Noted, error) {
			return h.Unresolved(t.Context(), q, finding.Which{Vulnerability: "v", Decided: true}, 0, 1)
		}, []string{byID, "occurrence_vulnerability (vulnerability_id=?)"}},
		"decided on a node": {func(q db.Querier) ([]finding.Noted, error) {
			return h.Unresolved(t.Context(), q, finding.Which{Node: "n", Decided: true}, 0, 1)
		}, []string{byID, "occurrence_open (node_number=?)"}},
		"retired with a node": {func(q db.Querier) ([]finding.Noted, error) {
			return h.RetiredWith(t.Context(), q, "n", noon)
		}, []string{"occurrence_history (node_number=?"}},
		"due on a day": {func(q db.Querier) ([]finding.Noted, error) {
			return h.BecameOverdue(t.Context(), q, noon, noon, finding.Due{Critical: 7})
		}, []string{"occurrence_alike_open (<expr>=? AND opened_at>? AND opened_at<?)", "occurrence_alike_open (<expr>=? AND opened_at>? AND opened_at<?)"}},
		"an open one": {func(q db.Querier) ([]finding.Noted, error) {
			return h.Unresolved(t.Context(), q, finding.Which{Occurrence: 1}, 0, 1)
		}, []string{byID, byID}},
	} {
		plan := []string{}
		if _, err := c.ask(explained{h.db.Read(), &plan}); err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, line := range plan {
			if index, found := strings.CutPrefix(line, "SEARCH occurrence USING "); found {
				got = append(got, strings.TrimPrefix(index, "INDEX "))
			} else if strings.HasPrefix(line, "SCAN occurrence") || strings.HasPrefix(line, "SCAN v") {
				t.Errorf("%s: %s", name, line)
			}
		}
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: by %q; want %q", name, got, c.want)
		}
	}
}
