package finding_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
)

var (
	nothingKnown = revision{"r0", []advisory{{"DEBIAN-CVE-2026-1", "Debian:12", "nginx", "", "CVE-2026-1", ""}}}
	known        = revision{"r1", []advisory{heartbleed}}

	pillow = revision{"p", []advisory{{"PYSEC-1", "PyPI", "Pillow", "10.2.0", "CVE-2023-50447", critical}}}

	vulnerable = deb("libssl3", "openssl", "3.0.11-1")
	patched    = deb("libssl3", "openssl", "3.0.13-1") // newer, and affected all the same
	fixed      = deb("libssl3", "openssl", "3.0.15-1")
	bash       = deb("bash", "bash", "5.2-1")
)

func python(name, version string) sbom.Component {
	return sbom.Component{Ecosystem: "PyPI", Name: name, Version: version}
}

// step is what a scan finds installed, and what is known then.
type step struct {
	rev        revision
	components []sbom.Component
}

// Why an occurrence begins and ends, each told by the scans of one node.
func TestReasons(t *testing.T) {
	for name, test := range map[string]struct {
		scans            []step
		opened, resolved string
	}{
		"the first scan finds it": {
			scans:  []step{{known, []sbom.Component{vulnerable}}},
			opened: finding.FirstScan,
		},
		"the package is installed": {
			scans:  []step{{known, []sbom.Component{bash}}, {known, []sbom.Component{bash, vulnerable}}},
			opened: finding.Installed,
		},
		"the first scan found an empty machine": {
			scans:  []step{{known, nil}, {known, []sbom.Component{vulnerable}}},
			opened: finding.Installed,
		},
		"a vulnerable version replaces a fixed one": {
			scans:  []step{{known, []sbom.Component{fixed}}, {known, []sbom.Component{vulnerable}}},
			opened: finding.Installed,
		},
		"what is there is disclosed": {
			scans:  []step{{nothingKnown, []sbom.Component{vulnerable}}, {known, []sbom.Component{vulnerable}}},
			opened: finding.Disclosed,
		},
		"what is there is disclosed while another binary of it comes": {
			scans: []step{
				{nothingKnown, []sbom.Component{vulnerable}},
				{known, []sbom.Component{vulnerable, deb("openssl", "openssl", "3.0.11-1")}},
			},
			opened: finding.Disclosed,
		},
		"it is upgraded": {
			scans:  []step{{known, []sbom.Component{vulnerable}}, {known, []sbom.Component{fixed}}},
			opened: finding.FirstScan, resolved: finding.Upgraded,
		},
		"it is upgraded with the whole release": {
			scans: []step{{known, []sbom.Component{vulnerable}}, {known, []sbom.Component{{
				Ecosystem: "Debian:13", Name: "libssl3t64", Version: "3.5.0-1", Source: sbom.SourcePackage{Name: "openssl", Version: "3.5.0-1"},
			}}}},
			opened: finding.FirstScan, resolved: finding.Upgraded,
		},
		"it is removed": {
			scans:  []step{{known, []sbom.Component{vulnerable, bash}}, {known, []sbom.Component{bash}}},
			opened: finding.FirstScan, resolved: finding.Removed,
		},
		"everything is removed": {
			scans:  []step{{known, []sbom.Component{vulnerable}}, {known, nil}},
			opened: finding.FirstScan, resolved: finding.Removed,
		},
		"the advisory is withdrawn": {
			scans:  []step{{known, []sbom.Component{vulnerable}}, {nothingKnown, []sbom.Component{vulnerable}}},
			opened: finding.FirstScan, resolved: finding.Corrected,
		},
		"it is upgraded, under a name that advisories write otherwise": {
			scans:  []step{{pillow, []sbom.Component{python("Pillow", "9.0.0")}}, {pillow, []sbom.Component{python("Pillow", "10.2.0")}}},
			opened: finding.FirstScan, resolved: finding.Upgraded,
		},
		"it is upgraded, and is written otherwise itself": {
			scans:  []step{{pillow, []sbom.Component{python("Pillow", "9.0.0")}}, {pillow, []sbom.Component{python("pillow", "10.2.0")}}},
			opened: finding.FirstScan, resolved: finding.Upgraded,
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				node := h.node("web-1")
				var opened, resolved int64
				for _, s := range test.scans {
					_, o, r := h.scan(node, s.rev, s.components...)
					opened, resolved = opened+o, resolved+r
				}
				all := h.occurrences(node)
				if len(all) != 1 {
					t.Fatalf("occurrences = %+v; want one", all)
				}
				got := all[0]
				if got.OpenedBecause != test.opened || got.ResolvedBecause != test.resolved || got.ResolvedAt.IsZero() != (test.resolved == "") {
					t.Errorf("opened because %q, resolved because %q; want %q and %q", got.OpenedBecause, got.ResolvedBecause, test.opened, test.resolved)
				}
				if opened != 1 || (resolved == 1) != (test.resolved != "") {
					t.Errorf("the scans say %d opened and %d resolved", opened, resolved)
				}
			})
		})
	}
}

func TestOccurrenceSurvivesAnUpgradeThatDoesNotFix(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.scan(node, known, vulnerable)
		before := h.occurrences(node)
		if _, opened, resolved := h.scan(node, known, patched); opened != 0 || resolved != 0 {
			t.Errorf("opened %d, resolved %d; want nothing", opened, resolved)
		}
		after := h.occurrences(node)
		if len(before) == 1 && len(after) == 1 && after[0].DeployedAt != nil && after[0].DeployedAt.Equal(noon.Add(2*time.Hour)) {
			before[0].DeployedAt = after[0].DeployedAt // the version is another
		}
		if len(before) != 1 || len(after) != 1 || before[0] != after[0] {
			t.Errorf("occurrences = %+v; want %+v unchanged, but for when it was deployed", after, before)
		}
		if want := noon.Add(time.Hour); !after[0].OpenedAt.Equal(want) || after[0].Package != "openssl" || after[0].Ecosystem != "Debian" {
			t.Errorf("occurrence = %+v; want it opened at %v", after[0], want)
		}
	})
}

// Open while any installed version is affected.
func TestOccurrenceOfSeveralComponents(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		old := deb("openssl", "openssl", "3.0.11-1")
		h.scan(node, known, vulnerable, old)
		if _, _, resolved := h.scan(node, known, fixed, old); resolved != 0 {
			t.Error("resolved while one of two packages is affected")
		}
		_, _, resolved := h.scan(node, known, fixed, deb("openssl", "openssl", "3.0.15-1"))
		if all := h.occurrences(node); resolved != 1 || len(all) != 1 || all[0].ResolvedBecause != finding.Upgraded {
			t.Errorf("resolved %d; occurrences = %+v", resolved, all)
		}
	})
}

func TestReopenedIsANewRow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.scan(node, known, vulnerable)
		h.scan(node, known, fixed)
		h.scan(node, known, vulnerable)
		all := h.occurrences(node)
		if len(all) != 2 || all[0].ID == all[1].ID || all[0].ResolvedAt.IsZero() || !all[1].ResolvedAt.IsZero() {
			t.Fatalf("occurrences = %+v; want a resolved and an open one", all)
		}
		if all[0].OpenedBecause != finding.FirstScan || all[1].OpenedBecause != finding.Installed {
			t.Errorf("opened because %s, then %s", all[0].OpenedBecause, all[1].OpenedBecause)
		}
	})
}

func TestApplyRepeated(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.scan(node, known, vulnerable)
		before := h.had[node]
		document := h.put(deb("nginx", "nginx", "1.22-1"))
		after := finding.State{Inventory: document.Inventory.ID, Result: h.match(document, nothingKnown)}
		for i, want := range []int64{1, 0} {
			var opened, resolved int64
			dbtest.Write(t, h.db, func(tx *db.Tx) (err error) {
				opened, resolved, err = h.Apply(t.Context(), tx, node, "again", before, after, nil)
				return err
			})
			if opened != want || resolved != want {
				t.Errorf("time %d: opened %d, resolved %d; want %d", i+1, opened, resolved, want)
			}
		}
	})
}

func TestNodesAreApart(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first, second := h.node("web-1"), h.node("web-2")
		h.scan(first, known, vulnerable)
		h.scan(second, known, vulnerable)
		h.scan(first, known, fixed)
		if all := h.occurrences(second); len(all) != 1 || !all[0].ResolvedAt.IsZero() || all[0].Node.Name != "web-2" {
			t.Errorf("the other node's occurrences = %+v", all)
		}
	})
}

func TestOccurrenceList(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{id: "many"}
		for i := range 7 {
			rev.advisories = append(rev.advisories, advisory{fmt.Sprintf("D-%d", i), "Debian:12", "openssl", "3.0.15-1", fmt.Sprintf("CVE-2026-%d", i), medium})
		}
		node, other := h.node("web-1"), h.node("web-2")
		h.scan(node, rev, vulnerable)
		h.scan(other, rev, vulnerable)
		h.scan(other, rev, fixed)
		for q, want := range map[finding.OccurrenceQuery]int{
			{State: "open"}:                              7,
			{State: "resolved"}:                          7,
			{State: "all"}:                               14,
			{State: "open", Node: other}:                 0,
			{State: "all", Vulnerability: "CVE-2026-3"}:  2,
			{State: "open", Vulnerability: "CVE-2026-3"}: 1,
			{State: "all", Vulnerability: "CVE-2026-99"}: 0,
		} {
			ids := []int64{}
			for cursor := ""; ; {
				page, err := h.Occurrences(t.Context(), q, rest.Paging{Limit: 3, Cursor: cursor})
				if err != nil || page.Items == nil {
					t.Fatal(page, err)
				}
				for _, o := range page.Items {
					ids = append(ids, o.ID)
				}
				if cursor = page.Next; cursor == "" {
					break
				}
			}
			newestFirst := slices.IsSortedFunc(ids, func(a, b int64) int { return int(b - a) })
			if len(ids) != want || !newestFirst || len(slices.Compact(ids)) != want {
				t.Errorf("%+v: %v; want %d, newest first", q, ids, want)
			}
		}
	})
}
