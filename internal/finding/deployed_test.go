package finding_test

import (
	"maps"
	"testing"
	"time"

	"patrol/internal/feed/feedtest"
	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
)

// hour is how many hours after noon a moment is; 0 for none.
func hour(at *time.Time) int {
	if at == nil {
		return 0
	}
	return int(at.Sub(noon) / time.Hour)
}

// Since when the package is there that an occurrence is in, each told by the scans
// of one node, hour by hour.
func TestDeployed(t *testing.T) {
	for name, test := range map[string]struct {
		scans []step
		want  int
		after bool // it was opened before
	}{
		"the first scan finds it": {
			scans: []step{{known, []sbom.Component{vulnerable}}}, want: 1,
		},
		"it is installed": {
			scans: []step{{known, []sbom.Component{bash}}, {known, []sbom.Component{bash, vulnerable}}, {known, []sbom.Component{bash, vulnerable}}}, want: 2,
		},
		"it is disclosed in what was always there": {
			scans: []step{{nothingKnown, []sbom.Component{vulnerable}}, {nothingKnown, []sbom.Component{vulnerable, bash}}, {known, []sbom.Component{vulnerable, bash}}}, want: 1,
		},
		"it is disclosed in what came later": {
			scans: []step{{nothingKnown, []sbom.Component{bash}}, {nothingKnown, []sbom.Component{bash, vulnerable}}, {known, []sbom.Component{bash, vulnerable}}}, want: 2,
		},
		"it is disclosed in what went and came back": {
			scans: []step{{nothingKnown, []sbom.Component{vulnerable}}, {nothingKnown, nil}, {nothingKnown, []sbom.Component{vulnerable}}, {known, []sbom.Component{vulnerable}}}, want: 3,
		},
		"it is disclosed while another binary of it comes": {
			scans: []step{{nothingKnown, []sbom.Component{bash}}, {nothingKnown, []sbom.Component{vulnerable}}, {known, []sbom.Component{vulnerable, deb("openssl", "openssl", "3.0.11-1")}}}, want: 2,
		},
		"it is disclosed, and the older of two binaries goes": {
			scans: []step{
				{nothingKnown, []sbom.Component{vulnerable}},
				{nothingKnown, []sbom.Component{vulnerable, deb("openssl", "openssl", "3.0.11-1")}},
				{known, []sbom.Component{vulnerable, deb("openssl", "openssl", "3.0.11-1")}},
				{known, []sbom.Component{deb("openssl", "openssl", "3.0.11-1")}},
			}, want: 2,
		},
		"it is disclosed, and upgraded to what is affected too": {
			scans: []step{{nothingKnown, []sbom.Component{vulnerable}}, {known, []sbom.Component{vulnerable}}, {known, []sbom.Component{patched}}}, want: 3, after: true,
		},
		"it is resolved": {
			scans: []step{{nothingKnown, []sbom.Component{vulnerable}}, {known, []sbom.Component{vulnerable}}, {known, []sbom.Component{fixed}}}, want: 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				node := h.node("web-1")
				for _, s := range test.scans {
					h.scan(node, s.rev, s.components...)
				}
				all := h.occurrences(node)
				if len(all) != 1 {
					t.Fatalf("occurrences = %+v; want one", all)
				}
				if got := hour(all[0].DeployedAt); got != test.want {
					t.Errorf("deployed %d h after noon; want %d", got, test.want)
				}
				if at := all[0].DeployedAt; at != nil && at.After(all[0].OpenedAt) != test.after {
					t.Errorf("deployed at %v, opened at %v", at, all[0].OpenedAt)
				}
			})
		})
	}
}

// A disclosure finds what each node has had since a day of its own; a member of a
// team is told the same of theirs, and a node that was retired nothing of before.
func TestDeployedBeforeADisclosure(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		before := p.Publish(feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/b", Aliases: []string{"CVE-2026-1"}})
		old, upgraded, back := h.node("web-1"), h.node("web-2"), h.node("web-3")
		h.scan(old, before, goModule("example.org/a", "1.0.0"))
		h.scan(upgraded, before, goModule("example.org/a", "0.9.0"))
		h.scan(back, before, goModule("example.org/a", "1.0.0"))
		h.scan(upgraded, before, goModule("example.org/a", "1.0.0"))
		dbtest.Write(t, h.db, func(tx *db.Tx) error { return h.fleet.Uninstalled(t.Context(), tx, back) })
		h.scan(back, before, goModule("example.org/a", "1.0.0"))
		p.Publish(feedtest.Record{ID: "GO-2", Ecosystem: "Go", Package: "example.org/a", Fixed: "1.1.0", Aliases: []string{"CVE-2026-2"}})
		h.rematch(p)
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: finding.FalsePositive, Node: upgraded})

		page, err := h.Occurrences(t.Context(), finding.OccurrenceQuery{State: "all"}, rest.Paging{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, o := range page.Items {
			got[o.Node.Name+" "+o.State+" "+o.OpenedBecause] = hour(o.DeployedAt)
		}
		want := map[string]int{"web-1 open disclosed": 1, "web-2 decided disclosed": 4, "web-3 open disclosed": 5}
		if !maps.Equal(got, want) {
			t.Errorf("deployed %v; want %v", got, want)
		}
		theirs, err := h.Occurrences(inTeam(t, `node.name == "web-1"`), finding.OccurrenceQuery{}, rest.Paging{Limit: 100})
		if err != nil || len(theirs.Items) != 1 || hour(theirs.Items[0].DeployedAt) != 1 {
			t.Errorf("the team sees %+v, %v", theirs.Items, err)
		}
	})
}
