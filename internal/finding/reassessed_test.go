package finding_test

import (
	"slices"
	"sync"
	"testing"

	"patrol/internal/finding"
	"patrol/internal/platform/event"
	"patrol/internal/risk"
)

// told returns the data of the events of a type since it was last asked.
func (h house) told(kind string, after *int64) []string {
	h.t.Helper()
	events, err := event.After(h.t.Context(), h.db.Read(), *after, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	found := []string{}
	for _, e := range events {
		if *after = e.ID; e.Type == kind {
			found = append(found, e.Subject+" "+string(e.Data))
		}
	}
	return found
}

// That what is open is worse than was known is told once, and nothing else is.
func TestReassessedIsTold(t *testing.T) {
	listed := func(vectors ...string) risk.Intelligence {
		known := risk.Intelligence{KEV: &risk.KEV{Listed: true}}
		for _, v := range vectors {
			known.CVSS = append(known.CVSS, risk.Vector{Vector: v, Source: "CISA-ADP"})
		}
		return known
	}
	rated := func(vector string) risk.Intelligence {
		return risk.Intelligence{CVSS: []risk.Vector{{Vector: vector, Source: "CISA-ADP"}}}
	}
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{
			{"D-1", "Debian:12", "openssl", "", "CVE-2026-1", ""},
			{"D-2", "Debian:12", "openssl", "", "CVE-2026-2", ""},
			{"D-3", "Debian:12", "bash", "", "CVE-2026-3", ""},    // resolved
			{"D-4", "Debian:12", "openssl", "", "CVE-2026-4", ""}, // decided
			{"P-1", "PyPI", "jinja2", "", "CVE-2026-2", ""},
		}}
		web, other := h.node("web-1"), h.node("web-2")
		h.scan(web, rev, vulnerable, bash, python("jinja2", "2.9"))
		h.scan(web, rev, vulnerable, python("jinja2", "2.9"))
		h.scan(other, rev, vulnerable)
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-4", Status: finding.FalsePositive})
		last := int64(0)
		check := func(when string, want ...string) {
			t.Helper()
			if got := h.told("vulnerability.reassessed", &last); !slices.Equal(got, want) {
				t.Errorf("%s: %q; want %q", when, got, want)
			}
		}
		check("opened")
		for _, step := range []struct {
			when  string
			known intelligence
			want  []string
		}{
			{"nothing known", intelligence{}, nil},
			{"all of them rated", intelligence{"CVE-2026-1": rated(medium), "CVE-2026-3": rated(critical), "CVE-2026-4": rated(critical)}, []string{
				`CVE-2026-1 {"vulnerability":"CVE-2026-1","severity_before":"unknown","severity":"medium","kev_before":false,"kev":false,"nodes":2}`,
			}},
			{"one worse, one exploited", intelligence{"CVE-2026-1": rated(critical), "CVE-2026-2": listed()}, []string{
				`CVE-2026-1 {"vulnerability":"CVE-2026-1","severity_before":"medium","severity":"critical","kev_before":false,"kev":false,"nodes":2}`,
				`CVE-2026-2 {"vulnerability":"CVE-2026-2","severity_before":"unknown","severity":"unknown","kev_before":false,"kev":true,"nodes":2}`,
			}},
			{"one no more exploited", intelligence{"CVE-2026-1": rated(critical)}, nil},
			{"exploited, and less severe", intelligence{"CVE-2026-1": listed(medium)}, []string{
				`CVE-2026-1 {"vulnerability":"CVE-2026-1","severity_before":"critical","severity":"medium","kev_before":false,"kev":true,"nodes":2}`,
			}},
		} {
			for _, again := range []string{"", ", again"} {
				if err := h.Reassess(t.Context(), step.known); err != nil {
					t.Fatal(err)
				}
				want := step.want
				if again != "" {
					want = nil
				}
				check(step.when+again, want...)
			}
		}
		// What is known comes with advisories, too, by whatever is matched first.
		worse := revision{"worse", slices.Clone(rev.advisories)}
		worse.advisories[1].vector = critical
		h.scan(other, worse, vulnerable)
		check("advisories", `CVE-2026-2 {"vulnerability":"CVE-2026-2","severity_before":"unknown","severity":"critical","kev_before":false,"kev":false,"nodes":2}`)
	})
}

// Consoles that learn of it at the same time tell it once.
func TestReassessedByTwoConsoles(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{{"D-1", "Debian:12", "openssl", "", "CVE-2026-1", ""}}}
		h.scan(h.node("web-1"), rev, vulnerable)
		var consoles sync.WaitGroup
		for range 4 {
			console := finding.NewService(h.db, h.fleet, h.clock.Now)
			consoles.Go(func() {
				if err := console.Reassess(t.Context(), intelligence{"CVE-2026-1": {KEV: &risk.KEV{Listed: true}}}); err != nil {
					t.Error(err)
				}
			})
		}
		consoles.Wait()
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'vulnerability.reassessed'`); n != 1 {
			t.Errorf("it is told %d times", n)
		}
	})
}
