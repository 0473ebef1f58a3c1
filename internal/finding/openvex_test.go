package finding_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

func (h house) importVEX(document string, scope finding.VEXScope) finding.Imported {
	h.t.Helper()
	came, err := h.Import(h.t.Context(), []byte(document), scope, "grace")
	if err != nil {
		h.t.Fatal(err)
	}
	return came
}

func (h house) export() string {
	h.t.Helper()
	document, err := h.Export(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	text, err := json.Marshal(document)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// requests are what holds, as it was asked for, oldest first.
func (h house) requests() []finding.DecisionRequest {
	h.t.Helper()
	page, err := h.Decisions(h.t.Context(), finding.DecisionQuery{}, rest.Paging{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	requests := []finding.DecisionRequest{}
	for _, d := range slices.Backward(page.Items) {
		requests = append(requests, d.DecisionRequest)
	}
	return requests
}

// What is exported gives the same decisions when it is imported: here none, for
// they are there; and all of them where they are not.
func TestExportAndImport(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web1, _, _ := askable(h)
		until := h.clock.Now().Add(30*24*time.Hour + 123*time.Microsecond)
		for _, r := range []finding.DecisionRequest{
			{Vulnerability: "CVE-2026-1", Status: finding.FalsePositive},
			{Vulnerability: "CVE-2026-1", Status: finding.FalsePositive, Package: "jinja2", Until: &until},
			{Vulnerability: "CVE-2026-1", Status: finding.FalsePositive, Package: "@babel/core, or (what) else?"},
			{Vulnerability: "CVE-2026-2", Status: finding.NotAffected, Justification: "vulnerable_code_not_present", Component: "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12"},
			{Vulnerability: "CVE-2026-2", Status: finding.NotAffected, Justification: "component_not_present", Node: web1, Until: &until, Reason: "one\ntwo until then"},
			{Vulnerability: "GHSA-xxxx", Status: finding.RiskAccepted, Until: &until, Selector: `node.labels.env == "test"`, Component: "pkg:pypi/jinja2"},
			{Vulnerability: "CVE-2026-3", Status: finding.RiskAccepted, Until: &until, Selector: `node.name in ["a/b", "ü?#%"]`, Package: "bash", Reason: "accepted:\nuntil: later"},
			{Vulnerability: "CVE-2026-3", Status: finding.RiskAccepted, Until: &until},
		} {
			h.decide(r)
		}
		want, document := h.requests(), h.export()
		if again := h.export(); again != document {
			t.Errorf("the same decisions are another document:\n%s\n%s", document, again)
		}
		came := h.importVEX(document, finding.VEXScope{})
		if len(came.Created) != 0 || len(came.Present) != len(want) || len(came.Unused) != 0 || len(h.requests()) != len(want) {
			t.Errorf("imported again: %+v", came)
		}
		page, err := h.Decisions(t.Context(), finding.DecisionQuery{}, rest.Paging{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Items {
			if err := h.Revoke(t.Context(), d.ID); err != nil {
				t.Fatal(err)
			}
		}
		came = h.importVEX(document, finding.VEXScope{})
		if len(came.Created) != len(want) || len(came.Unused) != 0 {
			t.Errorf("imported elsewhere: %+v", came)
		}
		got := h.requests()
		for i := range want {
			if want[i].Until != nil && (got[i].Until == nil || !got[i].Until.Equal(*want[i].Until)) {
				t.Errorf("until %v; want %v", got[i].Until, want[i].Until)
			}
			got[i].Until = want[i].Until
			if got[i] != want[i] {
				t.Errorf("imported %+v; want %+v", got[i], want[i])
			}
		}
		h.wantCounted("the import")
		if d, err := h.Decision(t.Context(), came.Created[0].Decision); err != nil || d.Author != "grace" {
			t.Errorf("%+v, %v; want it to be of who imported it", d, err)
		}
		if n := h.count(`SELECT count(*) FROM audit WHERE action = 'decision.created'`); n != 2*len(want) {
			t.Errorf("%d entries in the audit log; want %d", n, 2*len(want))
		}
	})
}

// statement is one about libssl3 on Debian 12, with other members.
func statement(members string) string {
	return `{"vulnerability": {"name": "CVE-2014-0160"}, "products": [{"@id": "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12"}], ` + members + `}`
}

func vex(statements ...string) string {
	return `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vendor.example/vex/1", "author": "Vendor", "timestamp": "2026-04-01T00:00:00Z", "version": 1, "statements": [` + strings.Join(statements, ", ") + `]}`
}

// What others say silences just that, and what cannot be used is told.
func TestImport(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		for name, c := range map[string]struct {
			document string
			scope    finding.VEXScope
			decided  int    // occurrences
			unused   string // the reasons
		}{
			"a justification":     {document: vex(statement(`"status": "not_affected", "justification": "vulnerable_code_not_present"`)), decided: 1},
			"an impact":           {document: vex(statement(`"status": "not_affected", "impact_statement": "it is compiled without heartbeats"`)), decided: 1},
			"neither":             {document: vex(statement(`"status": "not_affected"`)), unused: "neither a justification"},
			"fixed":               {document: vex(statement(`"status": "fixed"`)), unused: "it says fixed"},
			"under_investigation": {document: vex(statement(`"status": "under_investigation"`)), unused: "it says under_investigation"},
			"affected":            {document: vex(statement(`"status": "affected", "action_statement": "Upgrade"`)), unused: "that the product is affected"},
			"a risk that ended":   {document: vex(statement(`"status": "affected", "action_statement": "Accept the risk until 2026-01-01T00:00:00Z: why not"`)), unused: "is past"},
			"an alias":            {document: vex(`{"vulnerability": {"name": "GHSA-1", "aliases": ["GHSA-2", "CVE-2014-0160"]}, "products": ["pkg:deb/debian/libssl3@3.0.11-1"], "status": "not_affected", "impact_statement": "no"}`), decided: 1},
			"another version":     {document: vex(`{"vulnerability": "CVE-2014-0160", "products": ["pkg:deb/debian/libssl3@3.0.1-1"], "status": "not_affected", "impact_statement": "no"}`)},
			"no product":          {document: vex(`{"vulnerability": "CVE-2014-0160", "status": "not_affected", "impact_statement": "no"}`), unused: "names no product"},
			"no purl":             {document: vex(`{"vulnerability": "CVE-2014-0160", "products": ["https://vendor.example/router"], "status": "not_affected", "impact_statement": "no"}`), unused: "is no purl"},
			"no such node":        {document: vex(`{"vulnerability": "CVE-2014-0160", "products": ["urn:patrol:node:none"], "status": "not_affected", "impact_statement": "no"}`), unused: `no node`},
			"no selector":         {document: vex(`{"vulnerability": "CVE-2014-0160", "products": ["urn:patrol:selector:nonsense"], "status": "not_affected", "impact_statement": "no"}`), unused: "selector"},
			"a part of something": {
				document: vex(`{"vulnerability": "CVE-2014-0160", "products": [{"@id": "pkg:oci/app@sha256%3Aabc", "subcomponents": [{"@id": "pkg:deb/debian/libssl3@3.0.11-1"}]}], "status": "not_affected", "impact_statement": "no"}`),
				unused:   "a part of pkg:oci/app",
			},
			"a part of what is there": {
				document: vex(`{"vulnerability": "CVE-2014-0160", "products": [{"@id": "pkg:oci/app@sha256%3Aabc", "subcomponents": [{"@id": "pkg:deb/debian/libssl3@3.0.11-1"}]}], "status": "not_affected", "impact_statement": "no"}`),
				scope:    finding.VEXScope{Node: node}, decided: 1,
			},
			"the last word": {
				document: vex(statement(`"status": "affected", "timestamp": "2026-04-03T00:00:00Z"`), statement(`"status": "not_affected", "impact_statement": "no", "timestamp": "2026-04-02T00:00:00Z"`)),
				unused:   "statement 1 speaks later",
			},
		} {
			h.scan(node, known, vulnerable)
			came := h.importVEX(c.document, c.scope)
			if got := len(h.occurrencesOf(finding.OccurrenceQuery{State: finding.Decided}, 10)); got != c.decided {
				t.Errorf("%s: %d occurrences are decided; want %d: %+v", name, got, c.decided, came)
			}
			reasons := ""
			for _, u := range came.Unused {
				reasons += u.Reason + "\n"
			}
			if (c.unused == "") != (reasons == "") || !strings.Contains(reasons, c.unused) {
				t.Errorf("%s: unused because %q; want %q", name, reasons, c.unused)
			}
			again := h.importVEX(c.document, c.scope)
			if len(again.Created) != 0 || len(again.Present) != len(came.Created) || len(again.Unused) != len(came.Unused) {
				t.Errorf("%s, again: %+v", name, again)
			}
			for _, made := range came.Created {
				if err := h.Revoke(t.Context(), made.Decision); err != nil {
					t.Fatal(err)
				}
			}
			h.wantCounted(name)
		}
	})
}

// A document may know a vulnerability by a name that it had before its CVE.
func TestImportKnowsOtherNames(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.scan(h.node("web-1"), known, vulnerable)
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE vulnerability SET aliases = '["GHSA-1"]'`)
			return err
		})
		document := vex(`{"vulnerability": "GHSA-1", "products": ["pkg:deb/debian/libssl3@3.0.11-1"], "status": "not_affected", "impact_statement": "no"}`,
			`{"vulnerability": "GHSA-2", "products": ["pkg:deb/debian/libssl3@3.0.11-1"], "status": "not_affected", "impact_statement": "no"}`)
		came := h.importVEX(document, finding.VEXScope{})
		if len(came.Created) != 2 || came.Created[0].Vulnerability != heartbleed.vulnerability || came.Created[1].Vulnerability != "GHSA-2" {
			t.Errorf("imported %+v", came)
		}
		if len(h.occurrencesOf(finding.OccurrenceQuery{State: finding.Decided}, 10)) != 1 {
			t.Error("the occurrence of the CVE is not decided")
		}
	})
}

// A document that is malformed says where, and nothing of it is taken.
func TestImportRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		good := statement(`"status": "not_affected", "impact_statement": "no"`)
		many := strings.Repeat(`"pkg:npm/a@1",`, 20_000) + `"pkg:npm/a@1"`
		for _, c := range []struct{ document, field string }{
			{``, "document"},
			{`[]`, "document"},
			{`{"@context": "https://openvex.dev/ns/v0.2.0", "statements": []} {}`, "document"},
			{`{"statements": []}`, "@context"},
			{`{"@context": "https://cyclonedx.org", "statements": []}`, "@context"},
			{`{"@context": "https://openvex.dev/ns/v0.2.0"}`, "statements"},
			{`{"@context": "https://openvex.dev/ns/v0.2.0", "statements": 7}`, "statements"},
			{vex(good, `null`), "statements[1]"},
			{vex(good, `{"status": "fixed"}`), "statements[1].vulnerability.name"},
			{vex(good, statement(`"status": "harmless"`)), "statements[1].status"},
			{vex(good, statement(`"status": "not_affected", "justification": "because"`)), "statements[1].justification"},
			{vex(good, statement(`"status": "fixed", "timestamp": "yesterday"`)), "statements[1].timestamp"},
			{strings.Replace(vex(good), "2026-04-01T00:00:00Z", "April", 1), "timestamp"},
			{vex(`{"vulnerability": "CVE-2014-0160", "status": "fixed", "products": [` + many + `]}`), "statements"},
		} {
			_, err := h.Import(t.Context(), []byte(c.document), finding.VEXScope{}, "grace")
			var p *problem.Error
			if !errors.As(err, &p) || p.Kind != problem.KindInvalid || p.Field != c.field {
				t.Errorf("%s: %v; want a problem of %s", c.document[:min(len(c.document), 200)], err, c.field)
			}
		}
		for _, scope := range []finding.VEXScope{{Node: "n", Selector: "true"}, {Selector: "nonsense"}} {
			if _, err := h.Import(t.Context(), []byte(vex(good)), scope, "grace"); err == nil {
				t.Errorf("the scope %+v is taken", scope)
			}
		}
		if n := h.count(`SELECT count(*) FROM decision`); n != 0 {
			t.Errorf("%d decisions were taken", n)
		}
		// What both databases cannot hold is cleaned, not passed on.
		came := h.importVEX(vex(statement(`"status": "not_affected", "impact_statement": "a\u0000b`+strings.Repeat("ü", 4000)+`"`)), finding.VEXScope{})
		if len(came.Created) != 1 {
			t.Errorf("%+v", came)
		}
	})
}
