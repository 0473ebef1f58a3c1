package scan_test

import (
	"slices"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/scan"
)

// rematch writes a row as a re-match leaves it.
func (h house) rematch(at time.Time, cause, state string, opened, resolved int) string {
	h.t.Helper()
	id := db.NewID()
	because := map[string]string{"failed": "match inventory: no"}[state]
	err := h.db.Write(h.t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(h.t.Context(), `INSERT INTO rematch (id, cause, state, revision_before, revision, engine, records_new, records_changed, records_gone,
			components, nodes, opened, resolved, unchanged, error, started_at, finished_at) VALUES ($1, $2, $3, 'old', 'new', '1', 3, 2, 1, 40, 7, $4, $5, 9, $6, $7, $8)`,
			id, cause, state, opened, resolved, because, at.UnixMicro(), at.Add(2*time.Second).UnixMicro())
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

// entries reads a whole report in pages of a size.
func (h house) entries(q scan.ReportQuery, limit int) []scan.ReportEntry {
	h.t.Helper()
	all := []scan.ReportEntry{}
	for cursor := ""; ; {
		page, err := h.Report(h.t.Context(), q, rest.Paging{Limit: limit, Cursor: cursor})
		if err != nil || page.Items == nil {
			h.t.Fatal(page, err)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// complete carries a scan of a node to its end, with these components.
func (h house) complete(node string, components ...sbom.Component) string {
	h.t.Helper()
	id := h.scanned(node, components)
	h.wantState(id, scan.Complete)
	return id
}

var (
	affected = sbom.Component{Ecosystem: "Debian:12", Name: "gzip", Version: "1.3.5-10"}
	mended   = sbom.Component{Ecosystem: "Debian:12", Name: "gzip", Version: "1.12-1"}
	harmless = sbom.Component{Ecosystem: "amzn:2023", Name: "bash", Version: "5.2"}
)

func TestReport(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web, image := h.node("web"), h.node("image")
		err := h.db.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE node SET kind = 'image' WHERE id = $1`, image)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		first := h.complete(web, affected)
		h.clock.Advance(time.Hour)
		clean := h.complete(image, harmless)
		h.clock.Advance(time.Hour)
		known := h.rematch(h.clock.Now(), "feed", "complete", 5, 1)
		h.clock.Advance(time.Hour)
		again := h.complete(web, affected, harmless)
		failed := h.start(image)
		if _, err := h.Cancel(t.Context(), failed); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Hour)
		idle, stuck := h.rematch(h.clock.Now(), "engine", "running", 0, 0), h.rematch(h.clock.Now(), "engine", "failed", 0, 0)
		going := h.start(image)
		for _, c := range []struct {
			query scan.ReportQuery
			want  []string
		}{
			{scan.ReportQuery{}, []string{going, idle, stuck, failed, again, known, clean, first}},
			{scan.ReportQuery{Kind: scan.KindScan}, []string{going, failed, again, clean, first}},
			{scan.ReportQuery{Kind: scan.KindRematch}, []string{idle, stuck, known}},
			{scan.ReportQuery{Trigger: "feed"}, []string{known}},
			{scan.ReportQuery{Trigger: scan.OnDemand}, []string{going, failed, again, clean, first}},
			{scan.ReportQuery{Trigger: scan.ByUpload}, []string{}},
			{scan.ReportQuery{Node: web}, []string{again, first}},
			{scan.ReportQuery{Node: image, State: scan.Queued}, []string{going}},
			{scan.ReportQuery{Node: image, Trigger: scan.OnDemand}, []string{going, failed, clean}},
			{scan.ReportQuery{NodeKind: "image"}, []string{going, failed, clean}},
			{scan.ReportQuery{State: scan.Complete}, []string{again, known, clean, first}},
			{scan.ReportQuery{State: "running"}, []string{idle}},
			{scan.ReportQuery{State: scan.Queued}, []string{going}},
			{scan.ReportQuery{State: scan.Failed}, []string{stuck}},
			{scan.ReportQuery{Worst: "unknown"}, []string{again, first}},
			{scan.ReportQuery{Worst: "malicious"}, []string{}},
			{scan.ReportQuery{Changed: true}, []string{known, first}},
			{scan.ReportQuery{Changed: true, NodeKind: "host"}, []string{first}},
			{scan.ReportQuery{From: noon.Add(time.Hour), To: noon.Add(3 * time.Hour)}, []string{known, clean}},
			{scan.ReportQuery{Run: "none"}, []string{}},
			{scan.ReportQuery{Schedule: "none"}, []string{}},
		} {
			for _, limit := range []int{1, 2, 100} {
				got := []string{}
				for _, e := range h.entries(c.query, limit) {
					got = append(got, e.ID)
				}
				slices.Sort(got) // those of one moment are in the order of their ids
				want := slices.Sorted(slices.Values(c.want))
				if !slices.Equal(got, want) {
					t.Errorf("%+v in pages of %d: %q; want %q", c.query, limit, got, want)
				}
			}
		}
		all := h.entries(scan.ReportQuery{}, 3)
		if !slices.IsSortedFunc(all, func(a, b scan.ReportEntry) int { return b.At.Compare(a.At) }) {
			t.Error("the report is not newest first")
		}
		one := h.entries(scan.ReportQuery{Node: web}, 10)
		if o := one[1]; o.Opened == 0 || o.Resolved != 0 || o.Unchanged != 0 || o.Counts == nil || total(*o.Counts) != o.Opened || o.Feed == nil || o.Duration < 0 {
			t.Errorf("the first scan = %+v", o)
		}
		if o := one[0]; o.Opened != 0 || o.Unchanged != one[1].Opened {
			t.Errorf("the scan after it = %+v", o)
		}
		if r := h.entries(scan.ReportQuery{Trigger: "feed"}, 1)[0]; r.Node != nil || r.Counts != nil || r.Duration != 2 || r.Opened != 5 || r.Unchanged != 9 ||
			r.Components != 40 || r.Feed.Revision != "new" || *r.Rematch != (scan.Rematch{RevisionBefore: "old", RecordsNew: 3, RecordsChanged: 2, RecordsGone: 1, Nodes: 7}) {
			t.Errorf("re-match = %+v", r)
		}
		if r := h.entries(scan.ReportQuery{State: scan.Failed}, 1)[0]; r.Kind != scan.KindRematch || r.Error != "match inventory: no" {
			t.Errorf("a re-match that failed = %+v", r)
		}
		// A member of a team sees scans of its nodes, and nothing that tells of others.
		team := access.With(t.Context(), access.Principal{Role: access.Viewer, Scope: `node.kind == "image"`})
		page, err := h.Report(team, scan.ReportQuery{}, rest.Paging{Limit: 10})
		if err != nil || len(page.Items) != 3 {
			t.Errorf("the team sees %+v, %v", page.Items, err)
		}
	})
}

func total(c fleet.Counts) int {
	return c.Malicious + c.Critical + c.High + c.Medium + c.Low + c.Unknown
}

func TestChangesAndCompare(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web, other := h.node("web"), h.node("other")
		first := h.complete(web, affected)
		h.clock.Advance(time.Hour)
		same := h.complete(web, affected, harmless)
		h.clock.Advance(time.Hour)
		patched := h.complete(web, mended)
		elsewhere := h.complete(other, affected)
		n := h.get(first).Opened
		for _, c := range []struct {
			id                          string
			opened, resolved, unchanged int
			because                     string
		}{{first, n, 0, 0, "first_scan"}, {same, 0, 0, n, "first_scan"}, {patched, 0, n, 0, "upgraded"}} {
			for _, limit := range []int{1, 100} {
				got := scan.Changes{}
				for cursor := ""; ; {
					page, err := h.Changes(t.Context(), c.id, scan.ChangeQuery{}, rest.Paging{Limit: limit, Cursor: cursor})
					if err != nil {
						t.Fatal(err)
					}
					got.Opened, got.Resolved, got.Unchanged = page.Opened, page.Resolved, page.Unchanged
					got.Items = append(got.Items, page.Items...)
					if cursor = page.Next; cursor == "" {
						break
					}
				}
				for _, o := range got.Items { // they are all resolved by now
					if o.DeployedAt != nil {
						t.Errorf("%s of %s is deployed at %v", o.Vulnerability, c.id, o.DeployedAt)
					}
				}
				if got.Opened != c.opened || got.Resolved != c.resolved || got.Unchanged != c.unchanged || len(got.Items) != n || got.Items[0].Because != c.because {
					t.Errorf("changes of %s = %+v; want %+v", c.id, got, c)
				}
			}
		}
		open, err := h.Changes(t.Context(), elsewhere, scan.ChangeQuery{}, rest.Paging{Limit: 100})
		if err != nil || len(open.Items) != n || open.Items[0].DeployedAt == nil || !open.Items[0].DeployedAt.Equal(h.clock.Now()) {
			t.Errorf("changes of %s = %+v, %v", elsewhere, open, err)
		}
		none, err := h.Changes(t.Context(), same, scan.ChangeQuery{Change: scan.Opened}, rest.Paging{Limit: 10})
		if err != nil || none.Items == nil || len(none.Items) != 0 {
			t.Errorf("opened by a scan that opened nothing: %+v, %v", none, err)
		}
		for _, c := range []struct {
			from, to                    string
			opened, resolved, unchanged int
			components                  scan.ComponentChanges
		}{
			{first, same, 0, 0, n, scan.ComponentChanges{Added: 1, Unchanged: 1}},
			{same, patched, 0, n, 0, scan.ComponentChanges{Added: 1, Removed: 2}},
			{patched, elsewhere, n, 0, 0, scan.ComponentChanges{Added: 1, Removed: 1}},
			{first, first, 0, 0, n, scan.ComponentChanges{Unchanged: 1}},
		} {
			got := scan.Comparison{}
			for cursor := ""; ; {
				page, err := h.Compare(t.Context(), scan.CompareQuery{From: c.from, To: c.to}, rest.Paging{Limit: 1, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				page.Items = append(got.Items, page.Items...)
				got = page
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			if got.Opened != c.opened || got.Resolved != c.resolved || got.Unchanged != c.unchanged || got.Components != c.components || len(got.Items) != n {
				t.Errorf("compared: %+v; want %+v", got, c)
			}
			if c.unchanged > 0 && !slices.Equal(got.Items[0].FromVersions, []string{"1.3.5-10"}) {
				t.Errorf("versions of %+v", got.Items[0])
			}
		}
		queued := h.start(web)
		_, err = h.Compare(t.Context(), scan.CompareQuery{From: queued, To: first}, rest.Paging{Limit: 1})
		wantProblem(t, err, 422)
		_, err = h.Compare(t.Context(), scan.CompareQuery{From: "none", To: first}, rest.Paging{Limit: 1})
		wantProblem(t, err, 404)
	})
}
