package finding_test

import (
	"testing"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// intelligence is what is known of a few vulnerabilities, from a catalogue that was asked.
type intelligence map[string]risk.Intelligence

func (k intelligence) Of(name string) (risk.Intelligence, error) {
	i := k[name]
	if i.KEV == nil {
		i.KEV = new(risk.KEV)
	}
	return i, nil
}

// TestReassess: what is known of a CVE beside its advisories changes what a finding
// means, without matching, for findings of before and of later.
func TestReassess(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		unrated := advisory{"DEBIAN-CVE-2026-1", "Debian:12", "nginx", "", "CVE-2026-1", ""}
		rev := revision{"r1", []advisory{heartbleed, unrated}}
		node := h.node("web")
		h.scan(node, rev, deb("libssl3", "openssl", "3.0.11-1"), deb("nginx", "nginx", "1.22"))
		check := func(when string, want map[string]finding.Finding) {
			t.Helper()
			page, err := h.List(t.Context(), finding.Query{Node: node}, rest.Paging{Limit: 10})
			if err != nil || len(page.Items) != len(want) {
				t.Fatalf("%s: %+v, %v", when, page.Items, err)
			}
			for _, got := range page.Items {
				w := want[got.Vulnerability]
				if got.Severity != w.Severity || !equal(got.EPSS, w.EPSS) || !equal(got.KEV, w.KEV) || (got.SSVC == nil) != (w.SSVC == nil) {
					t.Errorf("%s: got %+v, want %+v", when, got, w)
				}
			}
		}
		yes, no, score := true, false, 0.25
		check("before", map[string]finding.Finding{heartbleed.vulnerability: {Severity: risk.Critical}, "CVE-2026-1": {Severity: risk.Unknown}})

		beside := intelligence{"CVE-2026-1": {
			CVSS: []risk.Vector{{Vector: medium, Source: "CISA-ADP"}}, EPSS: &risk.EPSS{Score: score},
			KEV: &risk.KEV{Listed: true}, SSVC: &risk.SSVC{Exploitation: "active", Automatable: "no", TechnicalImpact: "total"},
		}}
		if err := h.Reassess(t.Context(), beside); err != nil {
			t.Fatal(err)
		}
		after := map[string]finding.Finding{
			heartbleed.vulnerability: {Severity: risk.Critical, KEV: &no},
			"CVE-2026-1":             {Severity: risk.Medium, KEV: &yes, EPSS: &score, SSVC: &risk.SSVC{}},
		}
		check("after", after)
		// It holds for what is matched from now on, too.
		h.scan(node, revision{"r2", rev.advisories}, deb("libssl3", "openssl", "3.0.11-1"), deb("nginx", "nginx", "1.22"))
		check("matched again", after)
		// A catalogue that is switched off says nothing any more.
		if err := h.Reassess(t.Context(), nobody{}); err != nil {
			t.Fatal(err)
		}
		check("switched off", map[string]finding.Finding{heartbleed.vulnerability: {Severity: risk.Critical}, "CVE-2026-1": {Severity: risk.Unknown}})
	})
}

type nobody struct{}

func (nobody) Of(string) (risk.Intelligence, error) { return risk.Intelligence{}, nil }

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// A word counts in the packages of who says it.
func TestSeverityOfOwnDistribution(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r1", []advisory{
			{"ALSA-2026:1", "AlmaLinux:9", "golang", "", "CVE-2026-1", "AlmaLinux: Important"},
			{"GO-2026-1", "Go", "stdlib", "", "CVE-2026-1", ""},
		}}
		node := h.node("build")
		h.scan(node, rev, sbom.Component{Ecosystem: "AlmaLinux:9", Name: "golang", Version: "1.22.1-1.el9"}, sbom.Component{Ecosystem: "Go", Name: "stdlib", Version: "1.22.1"})
		check := func(when string, want ...risk.Severity) {
			t.Helper()
			found, err := h.List(t.Context(), finding.Query{Node: node}, rest.Paging{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			open, err := h.Occurrences(t.Context(), finding.OccurrenceQuery{Node: node, State: "open"}, rest.Paging{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]risk.Severity{}
			for _, f := range found.Items {
				got[f.Component.Name] = f.Severity
			}
			for i, name := range []string{"golang", "stdlib"} {
				if got[name] != want[i] {
					t.Errorf("%s: finding in %s is %s, want %s", when, name, got[name], want[i])
				}
			}
			for _, o := range open.Items {
				if o.Severity != got[o.Package] {
					t.Errorf("%s: occurrence of %s is %s, its finding %s", when, o.Package, o.Severity, got[o.Package])
				}
			}
		}
		check("matched", risk.High, risk.Unknown)
		rated := intelligence{"CVE-2026-1": {CVSS: []risk.Vector{{Vector: medium, Source: "CISA-ADP"}}}}
		if err := h.Reassess(t.Context(), rated); err != nil {
			t.Fatal(err)
		}
		check("with a vector", risk.Medium, risk.Medium)
	})
}

// TestReassessMany: more vulnerabilities than fit one transaction; rows that did
// not change are not written.
func TestReassessMany(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4001)
				INSERT INTO vulnerability (name, aliases, summary, severity, rank, cvss, stated)
				SELECT 'CVE-2026-' || (10000 + i), '[]', '', 'unknown', 0, '[]', '{}' FROM n`)
			return err
		})
		if err := h.Reassess(t.Context(), intelligence{}); err != nil {
			t.Fatal(err)
		}
		if n := h.count(`SELECT count(*) FROM vulnerability WHERE kev = 0`); n != 4001 {
			t.Errorf("%d assessed, want 4001", n)
		}
	})
}
