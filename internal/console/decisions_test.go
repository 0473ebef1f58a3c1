package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

const vexPath = "/api/v1/decisions/openvex"

func TestOpenVEXOverHTTP(t *testing.T) {
	h := openHouse(t, publish(t))
	token := h.token(auth.API)
	const good = `{"vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:npm/a@1"}], "status": "not_affected", "impact_statement": "no"}`
	document := func(statements ...string) string {
		return `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://vendor.example/1", "author": "Vendor", "timestamp": "2026-04-01T00:00:00Z", "version": 1, "statements": [` + strings.Join(statements, ",") + `]}`
	}
	came := into[finding.Imported](t, h.ask("POST", vexPath, token, document(good)))
	if len(came.Created) != 1 || came.Unused == nil || came.Present == nil {
		t.Errorf("imported %+v", came)
	}
	exported := h.ask("GET", vexPath, token, "")
	if exported.StatusCode != http.StatusOK || !strings.Contains(exported.body, `"@id":"pkg:npm/a@1"`) {
		t.Errorf("exported %d: %s", exported.StatusCode, exported.body)
	}
	if came := into[finding.Imported](t, h.ask("POST", vexPath, token, exported.body)); len(came.Present) != 1 || len(came.Created) != 0 {
		t.Errorf("imported what was exported: %+v", came)
	}
	refused := h.ask("POST", vexPath, token, document(good, `{"vulnerability": {"name": "CVE-2026-1"}, "status": "harmless"}`))
	wantProblem(t, refused, http.StatusUnprocessableEntity)
	if !strings.Contains(refused.body, "statements[1].status") {
		t.Errorf("the problem does not name the field: %s", refused.body)
	}
	wantProblem(t, h.ask("POST", vexPath+"?selector=nonsense", token, document(good)), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("POST", vexPath, token, strings.Repeat(" ", finding.VEXLimit+1)), http.StatusRequestEntityTooLarge)
	wantProblem(t, h.ask("POST", "/api/v1/decisions", token, `{"vulnerability": "a\u0000", "status": "false_positive", "reason": "r"}`), http.StatusUnprocessableEntity)
}

// What is kept for ever is kept, and the rest for as long as the settings say.
func TestRetain(t *testing.T) {
	h := openHouse(t, publish(t))
	settings, err := h.operations.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Write(t, h.db, func(tx *db.Tx) error {
		return audit.Record(t.Context(), tx, time.Now().AddDate(-3, 0, 0), "thing.made", audit.Subject{Kind: "thing"}, nil, nil)
	})
	days := settings.Retention.Audit
	for _, c := range []struct{ days, left int }{{0, 1}, {days, 0}} {
		settings.Retention.Audit = c.days
		if _, err := h.operations.Set(t.Context(), settings); err != nil {
			t.Fatal(err)
		}
		h.operations.RetainOnce(t.Context(), h.sweeps()...)
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE action = 'thing.made'`); n != c.left {
			t.Errorf("kept for %d days: %d entries are left; want %d", c.days, n, c.left)
		}
	}
	if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE action = 'settings.changed' AND before_state IS NOT NULL`); n != 2 {
		t.Errorf("%d changes of the settings are audited; want 2", n)
	}
}
