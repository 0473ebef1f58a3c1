package finding_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/access"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// inTeam is the context of a viewer who sees what a selector means.
func inTeam(t *testing.T, selector string) context.Context {
	return access.With(t.Context(), access.Principal{Kind: "user", Role: access.Viewer, Scope: selector})
}

// seen reads all pages of vulnerabilities: "name nodes packages decided".
func (h house) seen(ctx context.Context, q finding.VulnerabilityQuery) []string {
	h.t.Helper()
	all := []string{}
	for cursor := ""; ; {
		page, err := h.Vulnerabilities(ctx, q, rest.Paging{Limit: 2, Cursor: cursor})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, v := range page.Items {
			all = append(all, fmt.Sprint(v.Name, " ", v.AffectedNodes, " ", v.AffectedPackages, " ", v.DecidedNodes))
		}
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

func TestVulnerabilitiesOfATeam(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web1, _, _ := askable(h)
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: finding.FalsePositive, Node: web1})
		web := inTeam(t, `node.name == "web-1"`)
		for q, want := range map[finding.VulnerabilityQuery][]string{
			{}:                     {"CVE-2026-1 1 1 0", "CVE-2025-3 1 1 0"},
			{State: "decided"}:     {"CVE-2026-2 0 0 1"},
			{State: "all"}:         {"CVE-2026-1 1 1 0", "CVE-2026-2 0 0 1", "CVE-2025-3 1 1 0"},
			{Severity: "critical"}: {"CVE-2026-1 1 1 0"},
			{KEV: "true"}:          {"CVE-2025-3 1 1 0"},
			{Fixable: "false"}:     {},
			{Name: "CVE-2025-"}:    {"CVE-2025-3 1 1 0"},
			{Sort: "first_seen"}:   {"CVE-2025-3 1 1 0", "CVE-2026-1 1 1 0"},
		} {
			if got := h.seen(web, q); !slices.Equal(got, want) {
				t.Errorf("%+v: %q; want %q", q, got, want)
			}
		}
		// Who sees every node through a team is told what the kept numbers say.
		for _, state := range []string{"open", "decided", "all"} {
			for _, sort := range []string{"severity", "nodes", "first_seen"} {
				q := finding.VulnerabilityQuery{State: state, Sort: sort}
				if got, want := h.seen(inTeam(t, "true"), q), h.seen(t.Context(), q); !slices.Equal(got, want) {
					t.Errorf("%+v: a team of all nodes is told %q; all are %q", q, got, want)
				}
			}
		}
		for _, name := range h.names() {
			all, err := h.Vulnerability(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			team, err := h.Vulnerability(inTeam(t, "true"), name)
			if err != nil || !reflect.DeepEqual(team, all) {
				t.Errorf("a team of all nodes is told %+v, %v; all are %+v", team, err, all)
			}
		}
		v, err := h.Vulnerability(web, "CVE-2026-1")
		if err != nil || v.AffectedNodes != 1 || len(v.Packages) != 1 || v.Packages[0].Nodes != 1 {
			t.Errorf("the team is told %+v, %v", v, err)
		}
		_, err = h.Vulnerability(web, "CVE-2025-4") // which is on another node
		wantKind(t, err, problem.KindNotFound)
	})
}

// names are those of all vulnerabilities.
func (h house) names() []string {
	h.t.Helper()
	page, err := h.Vulnerabilities(h.t.Context(), finding.VulnerabilityQuery{State: "all"}, rest.Paging{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	names := []string{}
	for _, v := range page.Items {
		names = append(names, v.Name)
	}
	return names
}

func TestDecisionsOfATeam(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web1, web2, _ := askable(h)
		until := h.clock.Now().Add(time.Hour)
		theirs := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2025-3", Status: finding.FalsePositive, Node: web1})
		everywhere := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-1", Status: finding.RiskAccepted, Until: &until})
		selected := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: finding.FalsePositive, Selector: `node.name in ["web-1", "web-2"]`})
		foreign := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: finding.FalsePositive, Node: web2})
		others := h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: finding.FalsePositive, Selector: `node.name == "web-2"`})
		web := inTeam(t, `node.name == "web-1"`)
		page, err := h.Decisions(web, finding.DecisionQuery{}, rest.Paging{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, d := range page.Items {
			got[d.ID] = d.Occurrences
		}
		want := map[string]int{theirs.ID: 1, everywhere.ID: 1, selected.ID: 1}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the team is told %v; want %v", got, want)
		}
		for id, count := range want {
			if d, err := h.Decision(web, id); err != nil || d.Occurrences != count {
				t.Errorf("Decision = %+v, %v", d, err)
			}
		}
		for _, d := range []finding.Decision{foreign, others} {
			_, err := h.Decision(web, d.ID)
			wantKind(t, err, problem.KindNotFound)
		}
		if d, err := h.Decision(t.Context(), everywhere.ID); err != nil || d.Occurrences != 3 {
			t.Errorf("to who sees all: %+v, %v", d, err)
		}
	})
}

func wantKind(t *testing.T, err error, kind problem.Kind) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != kind {
		t.Errorf("error = %v; want a problem of kind %d", err, kind)
	}
}

// Members of every team may read what is told of a decision about all nodes: it
// does not say how many occurrences there are on those that they do not see.
func TestEventsToEverybodyCountNothing(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web1, _, _ := askable(h)
		end := func(r finding.DecisionRequest) {
			t.Helper()
			until := h.clock.Now().Add(2 * time.Hour)
			r.Vulnerability, r.Status, r.Until = "CVE-2026-1", finding.RiskAccepted, &until
			revoked, ended := h.decide(r), h.decide(r)
			if err := h.Revoke(t.Context(), revoked.ID); err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(time.Hour)
			if err := h.Warn(t.Context(), 24*time.Hour); err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(time.Hour)
			if err := h.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			for kind, id := range map[string]string{"created": ended.ID, "revoked": revoked.ID, "expiring": ended.ID, "expired": ended.ID} {
				if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM event WHERE type = $1 AND subject = $2`, "decision."+kind, id); n != 1 {
					t.Errorf("%d events of %s; want 1", n, kind)
				}
			}
		}
		end(finding.DecisionRequest{})
		if n := h.count(`SELECT count(*) FROM event WHERE audience = '*' AND type LIKE 'decision.%' AND data LIKE '%"occurrences"%'`); n != 0 {
			t.Errorf("%d events tell everybody how many occurrences there are", n)
		}
		end(finding.DecisionRequest{Node: web1})
		end(finding.DecisionRequest{Selector: `true`})
		if n := h.count(`SELECT count(*) FROM event WHERE type IN ('decision.revoked', 'decision.expiring', 'decision.expired') AND data LIKE '%"occurrences"%'`); n != 6 {
			t.Errorf("%d events tell those who see the nodes how many; want 6", n)
		}
	})
}
