package console

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// unaudited are the routes that change something and write no entry, with why.
var unaudited = map[string]string{
	"POST /api/v1/schedules/preview":      "it asks what a schedule would do, and changes nothing",
	"POST /api/v1/rules/preview":          "it asks what a rule would have told, and changes nothing",
	"POST /api/v1/integrations/test":      "it sends a message that says it is a test, and changes nothing here",
	"POST /api/v1/integrations/{id}/test": "it sends a message that says it is a test, and changes nothing here",
	"POST /wire/v1/heartbeat":             "an agent's report of its machine, every 30 s; what is new in it is an event",
	"POST /wire/v1/children":              "an agent's report of its containers; each that comes or goes is an event",
	"POST /wire/v1/changed":               "an agent's report that packages changed; the scan because of it tells",
	"PUT /wire/v1/sboms/{digest}":         "an agent's document, named by what is in it",
	"POST /wire/v1/commands/claim":        "an agent takes up work that somebody asked for, whose entry tells of it",
	"POST /wire/v1/commands/{id}/extend":  "the same work goes on",
	"POST /wire/v1/commands/{id}/finish":  "the same work ends; the scan and its events tell how",
}

// TestEveryChangeIsAudited does once what each route that changes something is for,
// and looks for its entry in the audit log.
// vex is an OpenVEX document of which one decision is taken.
const vex = `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://example.org/vex","author":"vendor","timestamp":"2026-01-02T03:04:05Z","version":1,
	"statements":[{"vulnerability":{"name":"CVE-2024-3"},"products":[{"@id":"pkg:deb/debian/openssl@3.0.11"}],
	"status":"not_affected","justification":"vulnerable_code_not_present"}]}`

// far is an integration to which nothing is sent.
const far = `{"name":"x","kind":"http","settings":{"url":"https://hooks.example.com/patrol"}}`

// givenUp writes a delivery that was given up, and returns its id.
func (h *house) givenUp(integration string) string {
	h.t.Helper()
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		_, err := tx.ExecContext(h.t.Context(), `INSERT INTO notification (id, rule_id, cause, title, content, created_at) VALUES ('n', 'r', 'c', 't', '{}', 0)`)
		if err == nil {
			_, err = tx.ExecContext(h.t.Context(), `INSERT INTO delivery (id, integration_id, notification_id, rule_id, key, action, state, due_at, created_at)
				VALUES ('given-up', $1, 'n', 'r', 'k', 'told', 'dead', 0, 0)`, integration)
		}
		return err
	})
	return "given-up"
}

func TestEveryChangeIsAudited(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	h.install()
	admin := h.token(auth.API)
	type made struct{ ID, Token string }
	type list struct{ Items []made }
	node := into[list](t, h.ask("GET", "/api/v1/nodes", admin, "")).Items[0].ID
	create := func(path, body string) made {
		t.Helper()
		return into[made](t, h.ask("POST", "/api/v1/"+path, admin, body))
	}
	type invited struct {
		User  struct{ ID string }
		Token string
	}
	user := into[invited](t, h.ask("POST", "/api/v1/users", admin, `{"username":"bob","role":"viewer"}`))
	token, team := create("tokens", `{"kind":"ci","name":"x"}`), create("teams", `{"name":"x","selector":"true"}`)
	schedule := create("schedules", `{"name":"x","cron":"@daily","selector":"true"}`)
	decision := create("decisions", `{"vulnerability":"CVE-2024-1","status":"false_positive","reason":"we looked"}`)
	run := create("schedules/"+schedule.ID+"/run", "")
	scan := into[list](t, h.ask("POST", "/api/v1/scans", admin, `{"nodes":["`+node+`"]}`)).Items[0]
	signIn := func(secret string) string {
		return into[made](t, h.ask("POST", "/api/v1/session", "", `{"username":"admin","password":"`+secret+`"}`)).Token
	}
	session, enrolment := signIn(password), h.token(auth.Enrolment)
	told, other := create("integrations", far), create("integrations", strings.Replace(far, `"x"`, `"unused"`, 1))
	rule := create("rules", `{"name":"x","enabled":true,"types":["scan.failed"],"integrations":["`+told.ID+`"]}`)
	dead := h.givenUp(told.ID)
	asked := map[string]bool{}
	// In this order: what is deleted is needed before.
	for _, c := range []struct{ route, path, token, body string }{
		{"POST /api/v1/session", "session", "", `{"username":"admin","password":"` + password + `"}`},
		{"POST /api/v1/session/invitation", "session/invitation", "", `{"token":"` + user.Token + `","password":"` + password + `"}`},
		{"PUT /api/v1/session/password", "session/password", session, `{"old":"` + password + `","password":"` + password + ` changed"}`},
		{"DELETE /api/v1/session", "session", session, ""},
		{"POST /api/v1/users", "users", admin, `{"username":"ada","role":"viewer"}`},
		{"PATCH /api/v1/users/{id}", "users/" + user.User.ID, admin, `{"role":"operator"}`},
		{"POST /api/v1/users/{id}/invitation", "users/" + user.User.ID + "/invitation", admin, ""},
		{"DELETE /api/v1/users/{id}", "users/" + user.User.ID, admin, ""},
		{"POST /api/v1/teams", "teams", admin, `{"name":"y","selector":"true"}`},
		{"PATCH /api/v1/teams/{id}", "teams/" + team.ID, admin, `{"selector":"false"}`},
		{"DELETE /api/v1/teams/{id}", "teams/" + team.ID, admin, ""},
		{"POST /api/v1/tokens", "tokens", admin, `{"kind":"api","name":"y"}`},
		{"DELETE /api/v1/tokens/{id}", "tokens/" + token.ID, admin, ""},
		{"POST /api/v1/scans/{id}/cancel", "scans/" + scan.ID + "/cancel", admin, ""},
		{"POST /api/v1/scans", "scans", admin, `{"nodes":["` + node + `"]}`},
		{"POST /api/v1/sboms", "sboms?name=app&kind=image", admin, string(h.document())},
		{"PATCH /api/v1/nodes/{id}/labels", "nodes/" + node + "/labels", admin, `{"set":{"env":"test"}}`},
		{"DELETE /api/v1/nodes/{id}", "nodes/" + node, admin, ""},
		{"POST /api/v1/schedules", "schedules", admin, `{"name":"y","cron":"@daily","selector":"true"}`},
		{"PATCH /api/v1/schedules/{id}", "schedules/" + schedule.ID, admin, `{"enabled":true}`},
		{"POST /api/v1/schedules/{id}/pause", "schedules/" + schedule.ID + "/pause", admin, `{"reason":"we move"}`},
		{"POST /api/v1/schedules/{id}/resume", "schedules/" + schedule.ID + "/resume", admin, ""},
		{"POST /api/v1/schedules/{id}/runs/{run}/cancel", "schedules/" + schedule.ID + "/runs/" + run.ID + "/cancel", admin, ""},
		{"POST /api/v1/schedules/{id}/run", "schedules/" + schedule.ID + "/run", admin, ""},
		{"POST /api/v1/schedules/{id}/backfill", "schedules/" + schedule.ID + "/backfill", admin, `{"from":"2026-01-01T00:00:00Z"}`},
		{"DELETE /api/v1/schedules/{id}", "schedules/" + schedule.ID, admin, ""},
		{"POST /api/v1/decisions", "decisions", admin, `{"vulnerability":"CVE-2024-2","status":"false_positive","reason":"we looked"}`},
		{"POST /api/v1/decisions/openvex", "decisions/openvex", admin, vex},
		{"DELETE /api/v1/decisions/{id}", "decisions/" + decision.ID, admin, ""},
		{"POST /api/v1/feed/update", "feed/update", admin, ""},
		{"POST /api/v1/integrations", "integrations", admin, strings.Replace(far, `"x"`, `"y"`, 1)},
		{"PATCH /api/v1/integrations/{id}", "integrations/" + told.ID, admin, `{"enabled":false}`},
		{"POST /api/v1/integrations/{id}/redeliver", "integrations/" + other.ID + "/redeliver", admin, ""},
		{"POST /api/v1/deliveries/{id}/redeliver", "deliveries/" + dead + "/redeliver", admin, ""},
		{"POST /api/v1/secrets/rotate", "secrets/rotate", admin, ""},
		{"POST /api/v1/rules", "rules", admin, `{"name":"y","enabled":true,"types":["scan.*"],"integrations":[]}`},
		{"PUT /api/v1/rules/{id}", "rules/" + rule.ID, admin, `{"name":"x","enabled":false,"types":["scan.failed"],"integrations":[]}`},
		{"DELETE /api/v1/rules/{id}", "rules/" + rule.ID, admin, ""},
		{"DELETE /api/v1/integrations/{id}", "integrations/" + told.ID, admin, ""},
		{"PUT /api/v1/settings", "settings", admin, `{"retention":{"events_days":30,"occurrences_days":365,"scans_days":90,"audit_days":730},"decisions":{"warn_days":7},"due":{"malicious_days":1,"critical_days":7,"high_days":30,"medium_days":90,"low_days":180,"unknown_days":90,"kev_days":14}}`},
		{"POST /wire/v1/register", "/wire/v1/register", enrolment, `{"key":"key of an agent of this test","facts":{"protocol":1,"name":"web-9"}}`},
	} {
		method, _, _ := strings.Cut(c.route, " ")
		before := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit`)
		path := c.path
		if !strings.HasPrefix(path, "/") {
			path = "/api/v1/" + path
		}
		if got := h.ask(method, path, c.token, c.body); got.StatusCode/100 != 2 {
			t.Errorf("%s answers %d: %s", c.route, got.StatusCode, got.body)
		}
		if dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit`) == before {
			t.Errorf("%s is not in the audit log", c.route)
		}
		asked[c.route] = true
	}
	routes := h.routes()
	for route := range unaudited {
		if !slices.Contains(routes, route) {
			t.Errorf("%s is said not to be audited, and there is no such route", route)
		}
	}
	for _, route := range routes {
		method, _, _ := strings.Cut(route, " ")
		if changes := method != http.MethodGet; changes && !asked[route] && unaudited[route] == "" {
			t.Errorf("%s changes something: this test does not ask for it, nor says why it is not audited", route)
		}
	}
}
