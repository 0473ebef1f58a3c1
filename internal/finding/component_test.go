package finding_test

import (
	"errors"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
)

// What a decision about a component silences: occurrences that are about nothing
// else, and no others.
func TestDecisionsAboutComponents(t *testing.T) {
	everything := revision{"r1", []advisory{
		heartbleed,
		{"PYSEC-1", "PyPI", "Pillow", "", heartbleed.vulnerability, critical},
		{"GHSA-1", "npm", "@babel/core", "", heartbleed.vulnerability, critical},
	}}
	libssl, openssl, other := deb("libssl3", "openssl", "3.0.11-1"), deb("openssl", "openssl", "3.0.11-1"), deb("libssl3", "openssl", "3.0.9-1")
	jammy := sbom.Component{Ecosystem: "Debian:11", Name: "libssl3", Version: "3.0.11-1", Source: sbom.SourcePackage{Name: "openssl", Version: "3.0.11-1"}}
	cases := map[string]struct {
		installed  []sbom.Component
		components []string
		decided    int
	}{
		"its version":            {[]sbom.Component{libssl}, []string{"pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12"}, 1},
		"any release":            {[]sbom.Component{libssl}, []string{"pkg:deb/debian/libssl3@3.0.11-1"}, 1},
		"any version":            {[]sbom.Component{libssl, other}, []string{"pkg:deb/debian/libssl3?distro=bookworm"}, 1},
		"another version":        {[]sbom.Component{libssl}, []string{"pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12"}, 0},
		"another release":        {[]sbom.Component{jammy}, []string{"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12"}, 0},
		"another ecosystem":      {[]sbom.Component{libssl}, []string{"pkg:pypi/libssl3@3.0.11-1"}, 0},
		"one of two versions":    {[]sbom.Component{libssl, other}, []string{"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12"}, 0},
		"both of two versions":   {[]sbom.Component{libssl, other}, []string{"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12", "pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12"}, 1},
		"one binary of a source": {[]sbom.Component{libssl, openssl}, []string{"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12"}, 0},
		"the source":             {[]sbom.Component{libssl, openssl}, []string{"pkg:deb/debian/openssl@3.0.11-1?arch=source&distro=debian-12"}, 1},
		"the source elsewhere":   {[]sbom.Component{libssl, other}, []string{"pkg:deb/debian/openssl@3.0.11-1?arch=source&distro=debian-12"}, 0},
		"one of two packages":    {[]sbom.Component{libssl, python("pillow", "9.0")}, []string{"pkg:pypi/pillow@9.0"}, 1},
		"a name in other case":   {[]sbom.Component{python("Pillow", "9.0")}, []string{"pkg:pypi/pillow@9.0"}, 1},
		"a namespace":            {[]sbom.Component{{Ecosystem: "npm", Name: "@babel/core", Version: "7.0.0"}}, []string{"pkg:npm/%40babel/core@7.0.0"}, 1},
	}
	each(t, func(t *testing.T, h house) {
		for name, c := range cases {
			node := h.node(name)
			h.scan(node, everything, c.installed...)
			all := len(h.occurrences(node))
			for _, purl := range c.components {
				h.decide(finding.DecisionRequest{Vulnerability: heartbleed.vulnerability, Status: finding.FalsePositive, Component: purl, Node: node})
			}
			for _, when := range []string{"at once", "after a scan"} {
				decided := h.occurrencesOf(finding.OccurrenceQuery{Node: node, State: finding.Decided}, 10)
				open := h.occurrencesOf(finding.OccurrenceQuery{Node: node}, 10)
				if len(decided) != c.decided || all-len(decided) != len(open) {
					t.Errorf("%s, %s: %d of %d are decided; want %d", name, when, len(decided), all, c.decided)
				}
				h.scan(node, everything, c.installed...)
			}
		}
		h.wantCounted("all")
	})
}

// An upgrade to a version of which nothing was said counts, and what could not be
// looked at is not taken for what was said.
func TestDecidedComponentChanges(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.scan(node, known, vulnerable)
		h.decide(finding.DecisionRequest{Vulnerability: heartbleed.vulnerability, Status: finding.FalsePositive, Component: "pkg:deb/debian/libssl3@3.0.11-1"})
		want := func(when, state string) {
			t.Helper()
			if all := h.occurrences(node); len(all) != 1 || all[0].State != state {
				t.Errorf("%s: %+v; want it %s", when, all, state)
			}
			h.wantCounted(when)
		}
		want("decided", finding.Decided)
		h.scan(node, known, patched)
		want("another version", finding.Open)
		h.scan(node, known, vulnerable, patched)
		want("both", finding.Open)

		// The one that nothing was said of cannot be read.
		document := h.put(vulnerable)
		after := finding.State{Inventory: document.Inventory.ID, Result: h.match(document, known)}
		apply := func(unseen ...sbom.Key) {
			dbtest.Write(t, h.db, func(tx *db.Tx) error {
				_, _, err := h.Apply(t.Context(), tx, node, "scan-x", h.had[node], after, unseen)
				return err
			})
		}
		apply(patched.Key())
		if all := h.occurrences(node); len(all) != 1 || all[0].State != finding.Open {
			t.Errorf("with one unseen: %+v", all)
		}
		apply()
		want("it is gone", finding.Decided)
	})
}

func TestComponentsThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for _, purl := range []string{
			"openssl", "pkg:generic/openssl@1", "pkg:oci/nginx@sha256:00", "pkg:maven/a/b@1?repository_url=https://elsewhere.example", "pkg:golang/example.com/m@1.0.0#sub/package",
		} {
			_, err := h.Decide(t.Context(), finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.FalsePositive, Reason: "none", Component: purl}, "ada")
			var p *problem.Error
			if !errors.As(err, &p) || p.Field != "component" {
				t.Errorf("%s: %v; want a problem of the field component", purl, err)
			}
		}
	})
}

// A selector is asked again once the fleet says that a node has changed, without a
// scan; and of all nodes by who begins to follow.
func TestSelectorsFollowNodes(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.scan(node, known, vulnerable)
		d := h.decide(finding.DecisionRequest{Vulnerability: heartbleed.vulnerability, Status: finding.FalsePositive, Selector: `"env" in node.labels && node.labels.env == "test"`})
		last, err := h.AskAll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := func(when string, occurrences int) {
			t.Helper()
			if d, err := h.Decision(t.Context(), d.ID); err != nil || d.Occurrences != occurrences {
				t.Errorf("%s: %+v, %v; want %d occurrences", when, d, err, occurrences)
			}
			h.wantCounted(when)
		}
		for _, label := range []string{"test", "production", "test"} {
			if _, err := h.fleet.SetLabels(t.Context(), node, fleet.LabelChange{Set: map[string]string{"env": label}}); err != nil {
				t.Fatal(err)
			}
			before := last
			if last, err = h.AskAfter(t.Context(), last, map[string]bool{}); err != nil || last <= before {
				t.Fatal(last, err)
			}
			want("labelled "+label, map[string]int{"test": 1}[label])
		}
		if last, err = h.AskAfter(t.Context(), last, map[string]bool{}); err != nil { // past what it told itself
			t.Fatal(err)
		}
		if again, err := h.AskAfter(t.Context(), last, map[string]bool{}); err != nil || again != last {
			t.Errorf("read on to %d, %v; want %d", again, err, last)
		}
		// Whoever was away when it changed finds it all the same.
		if _, err := h.fleet.SetLabels(t.Context(), node, fleet.LabelChange{Remove: []string{"env"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.AskAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		want("asked of all", 0)
	})
}

// An end is told of before it comes, once; of a short decision when half of it is
// over.
func TestDecisionWarns(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		askable(h)
		const day = 24 * time.Hour
		taken := h.clock.Now()
		decide := func(after time.Duration) finding.Decision {
			until := taken.Add(after)
			return h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.RiskAccepted, Until: &until})
		}
		long, short := decide(30*day), decide(4*day)
		for _, at := range []struct {
			passed      time.Duration
			long, short int
		}{{0, 0, 0}, {day, 0, 0}, {2 * day, 0, 1}, {3 * day, 0, 1}, {22 * day, 0, 1}, {23 * day, 1, 1}, {24 * day, 1, 1}} {
			h.clock.Advance(taken.Add(at.passed).Sub(h.clock.Now()))
			for range 2 {
				if err := h.Expire(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := h.Warn(t.Context(), 7*day); err != nil {
					t.Fatal(err)
				}
			}
			for d, want := range map[string]int{long.ID: at.long, short.ID: at.short} {
				if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM event WHERE type = 'decision.expiring' AND subject = $1 AND data LIKE '%"until":%'`, d); n != want {
					t.Errorf("after %v: %d events warn; want %d", at.passed, n, want)
				}
			}
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'decision.expired'`); n != 1 {
			t.Errorf("%d have expired; want the short one", n)
		}
	})
}
