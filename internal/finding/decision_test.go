package finding_test

import (
	"errors"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/wire"
)

func (h house) decide(r finding.DecisionRequest) finding.Decision {
	h.t.Helper()
	if r.Reason == "" {
		r.Reason = "we looked"
	}
	d, err := h.Decide(h.t.Context(), r, "ada")
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// wantStates counts the occurrences that are open and decided, in lists and in the
// numbers beside them.
func (h house) wantStates(when string, open, decided int) {
	h.t.Helper()
	for state, want := range map[string]int{finding.Open: open, finding.Decided: decided} {
		if got := h.occurrencesOf(finding.OccurrenceQuery{State: state}, 3); len(got) != want {
			h.t.Errorf("%s: %d occurrences are %s; want %d", when, len(got), state, want)
		}
	}
	counted := 0
	for _, node := range []string{"web-1", "web-2", "web-3"} {
		n, err := h.fleet.List(h.t.Context(), fleet.Query{Name: node}, rest.Paging{Limit: 1})
		if err != nil || len(n.Items) != 1 {
			h.t.Fatal(n, err)
		}
		c := n.Items[0].Counts
		counted += c.Malicious + c.Critical + c.High + c.Medium + c.Low + c.Unknown
		decided -= n.Items[0].Decided
	}
	if counted != open || decided != 0 {
		h.t.Errorf("%s: nodes count %d open, and are wrong by %d decided; want %d", when, counted, decided, open)
	}
	h.wantCounted(when)
}

// A decision applies at once, to what its scope means and no more.
func TestScopeOfDecisions(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web1, _, _ := askable(h)
		h.wantStates("before", 7, 0)
		for name, c := range map[string]struct {
			request finding.DecisionRequest
			decided int
		}{
			"everywhere":      {finding.DecisionRequest{Vulnerability: "CVE-2026-1"}, 3},
			"a package":       {finding.DecisionRequest{Vulnerability: "CVE-2026-1", Package: "jinja2"}, 1},
			"a node":          {finding.DecisionRequest{Vulnerability: "CVE-2026-1", Node: web1}, 1},
			"a selector":      {finding.DecisionRequest{Vulnerability: "CVE-2026-1", Selector: `node.name == "web-2"`}, 2},
			"nobody":          {finding.DecisionRequest{Vulnerability: "CVE-2026-1", Selector: `node.labels.env == "none"`}, 0},
			"found nowhere":   {finding.DecisionRequest{Vulnerability: "CVE-1999-1"}, 0},
			"another package": {finding.DecisionRequest{Vulnerability: "CVE-2026-1", Package: "bash"}, 0},
		} {
			c.request.Status = finding.FalsePositive
			d := h.decide(c.request)
			if d.Occurrences != c.decided || d.Author != "ada" || !d.ExpiredAt.IsZero() {
				t.Errorf("%s: %+v; want %d occurrences", name, d, c.decided)
			}
			h.wantStates(name, 7-c.decided, c.decided)
			if err := h.Revoke(t.Context(), d.ID); err != nil {
				t.Fatal(err)
			}
			h.wantStates(name+" revoked", 7, 0)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type IN ('decision.created', 'decision.revoked')`); n != 14 {
			t.Errorf("%d events; want 14", n)
		}
	})
}

// What is found later is decided from the start; a vulnerability of which all is
// decided is no longer among those of the fleet.
func TestDecisionsOutlastScans(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		d := h.decide(finding.DecisionRequest{Vulnerability: heartbleed.vulnerability, Status: finding.NotAffected, Justification: "vulnerable_code_not_present"})
		h.scan(node, known, vulnerable)
		all := h.occurrencesOf(finding.OccurrenceQuery{State: "all"}, 10)
		if len(all) != 1 || all[0].State != finding.Decided || all[0].DecisionID != d.ID || !all[0].ResolvedAt.IsZero() {
			t.Fatalf("occurrences = %+v; want one, decided", all)
		}
		if got := h.vulnerabilities(finding.VulnerabilityQuery{}, 10); len(got) != 0 {
			t.Errorf("open: %q", got)
		}
		if got := h.vulnerabilities(finding.VulnerabilityQuery{State: "decided"}, 10); len(got) != 1 {
			t.Errorf("decided: %q", got)
		}
		h.scan(node, known, fixed)
		if all := h.occurrences(node); len(all) != 1 || all[0].State != finding.Resolved {
			t.Errorf("after the upgrade: %+v", all)
		}
		h.wantCounted("the upgrade")
	})
}

// A selector is asked again when the node is scanned.
func TestDecisionFollowsLabels(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.scan(node, known, vulnerable)
		d := h.decide(finding.DecisionRequest{Vulnerability: heartbleed.vulnerability, Status: finding.FalsePositive, Selector: `node.labels.env == "test"`})
		for _, label := range []string{"test", "production", "test"} {
			want := 0
			if label == "test" {
				want = 1
			}
			facts := wire.Facts{Protocol: wire.Version, Name: "web-1", Labels: map[string]string{"env": label}}
			if _, err := h.fleet.Heartbeat(t.Context(), node, facts); err != nil {
				t.Fatal(err)
			}
			h.scan(node, known, vulnerable)
			if d, err := h.Decision(t.Context(), d.ID); err != nil || d.Occurrences != want {
				t.Errorf("labelled %s: %+v, %v; want %d occurrences", label, d, err, want)
			}
			h.wantCounted("labels")
		}
	})
}

func TestDecisionExpires(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		askable(h)
		until := h.clock.Now().Add(time.Hour)
		d := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.RiskAccepted, Until: &until, Selector: `true`})
		expire := func() {
			if err := h.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		expire()
		h.wantStates("before its time", 4, 3)
		h.clock.Advance(time.Hour)
		expire()
		h.wantStates("after its time", 7, 0)
		expire() // says it once
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM event WHERE type = 'decision.expired' AND subject = $1 AND data LIKE '%"occurrences":3%'`, d.ID); n != 1 {
			t.Errorf("%d events tell of it", n)
		}
		for state, want := range map[string]int{"active": 0, "expired": 1, "all": 1} {
			page, err := h.Decisions(t.Context(), finding.DecisionQuery{State: state}, rest.Paging{Limit: 10})
			if err != nil || len(page.Items) != want {
				t.Errorf("%s: %+v, %v", state, page, err)
			}
		}
	})
}

// The console looks again at the moment at which the next decision ends.
func TestDecisionEndsOnTime(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		askable(h)
		until := h.clock.Now().Add(10 * time.Second)
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.RiskAccepted, Until: &until})
		for _, want := range []struct {
			wait    time.Duration
			decided int
		}{{10 * time.Second, 3}, {time.Minute, 0}} {
			wait, err := h.Attend(t.Context(), 0)
			if err != nil || wait != want.wait {
				t.Errorf("looks again after %v, %v; want %v", wait, err, want.wait)
			}
			h.wantStates("looked", 7-want.decided, want.decided)
			h.clock.Advance(wait)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'decision.expiring'`); n != 0 {
			t.Errorf("%d warnings, which are turned off", n)
		}
	})
}

func TestDecideRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		past, future := noon.Add(-time.Hour), noon.Add(time.Hour)
		for name, r := range map[string]finding.DecisionRequest{
			"no end":              {Status: finding.RiskAccepted},
			"an end that is past": {Status: finding.RiskAccepted, Until: &past},
			"no justification":    {Status: finding.NotAffected},
			"a justification":     {Status: finding.RiskAccepted, Until: &future, Justification: "component_not_present"},
			"two scopes":          {Status: finding.FalsePositive, Node: "n", Selector: "true"},
			"no selector":         {Status: finding.FalsePositive, Selector: "node.colour == 1"},
			"a node there is not": {Status: finding.FalsePositive, Node: "none"},
		} {
			r.Vulnerability, r.Reason = "CVE-2026-1", "none"
			var p *problem.Error
			if _, err := h.Decide(t.Context(), r, "ada"); !errors.As(err, &p) {
				t.Errorf("%s: %v; want a problem", name, err)
			}
		}
		if n := h.count(`SELECT count(*) FROM decision`); n != 0 {
			t.Errorf("%d were kept", n)
		}
	})
}
