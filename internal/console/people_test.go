package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

type opened struct {
	Token string
	User  auth.User
}

func TestInvitationOverHTTP(t *testing.T) {
	h := openHouse(t, publish(t))
	admin := h.token(auth.API)
	invited := into[auth.Invitation](t, h.ask("POST", "/api/v1/users", admin, `{"username":"ada","role":"operator"}`))
	if strings.Contains(h.ask("GET", "/api/v1/users", admin, "").body, invited.Token) {
		t.Error("the list shows the invitation")
	}
	wantProblem(t, h.ask("GET", "/api/v1/nodes", invited.Token, ""), http.StatusUnauthorized)
	accepted := h.ask("POST", "/api/v1/session/invitation", "", `{"token":"`+invited.Token+`","password":"`+password+`"}`)
	session := into[opened](t, accepted)
	if session.User.Role != access.Operator || len(accepted.Cookies()) != 1 || !accepted.Cookies()[0].HttpOnly {
		t.Errorf("%+v, cookies %v", session, accepted.Cookies())
	}
	if got := h.ask("GET", "/api/v1/nodes", session.Token, ""); got.StatusCode != http.StatusOK {
		t.Errorf("nodes answer %d", got.StatusCode)
	}
	wantProblem(t, h.ask("POST", "/api/v1/users", session.Token, `{"username":"bob","role":"admin"}`), http.StatusForbidden)
	wantProblem(t, h.ask("POST", "/api/v1/users", admin, `{"username":"bob","role":"public"}`), http.StatusUnprocessableEntity)
	user := "/api/v1/users/" + session.User.ID
	if got := into[auth.Account](t, h.ask("PATCH", user, admin, `{"role":"viewer"}`)); got.Role != access.Viewer {
		t.Errorf("the edited user is %+v", got)
	}
	wantProblem(t, h.ask("POST", "/api/v1/feed/update", session.Token, ""), http.StatusForbidden)
	change := `{"old":"` + password + `","password":"` + password + ` changed"}`
	if got := h.ask("PUT", "/api/v1/session/password", session.Token, change); got.StatusCode != http.StatusNoContent {
		t.Errorf("changing the password answers %d: %s", got.StatusCode, got.body)
	}
	if got := h.ask("DELETE", user, admin, ""); got.StatusCode != http.StatusNoContent {
		t.Errorf("deleting answers %d: %s", got.StatusCode, got.body)
	}
	wantProblem(t, h.ask("GET", "/api/v1/nodes", session.Token, ""), http.StatusUnauthorized)
	wantProblem(t, h.ask("DELETE", user, admin, ""), http.StatusNotFound)
}

func TestThrottleOverHTTP(t *testing.T) {
	h := openHouse(t, publish(t))
	wrong := `{"username":"admin","password":"wrong"}`
	for range 5 {
		wantProblem(t, h.ask("POST", "/api/v1/session", "", wrong), http.StatusUnauthorized)
	}
	// A client that nobody vouches for does not choose its address.
	got := h.ask("POST", "/api/v1/session", "", `{"username":"admin","password":"`+password+`"}`, "X-Forwarded-For", "198.51.100.1")
	wantProblem(t, got, http.StatusTooManyRequests)
	if after := got.Header.Get("Retry-After"); after != "1" {
		t.Errorf("Retry-After is %q; want the one second that is left", after)
	}
}

func TestAuditTellsOfEveryChange(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	h.install()
	admin := into[opened](t, h.ask("POST", "/api/v1/session", "", `{"username":"admin","password":"`+password+`"}`)).Token
	node := into[rest.Page[struct{ ID string }]](t, h.ask("GET", "/api/v1/nodes", admin, "")).Items[0].ID
	type made struct{ ID, Token string }
	token := into[made](t, h.ask("POST", "/api/v1/tokens", admin, `{"kind":"ci","name":"pipeline","expires_in":7}`))
	h.ask("DELETE", "/api/v1/tokens/"+token.ID, admin, "")
	schedule := into[made](t, h.ask("POST", "/api/v1/schedules", admin, `{"name":"mine","cron":"@daily","selector":"true"}`))
	h.ask("PATCH", "/api/v1/schedules/"+schedule.ID, admin, `{"enabled":true}`)
	scan := into[rest.Page[made]](t, h.ask("POST", "/api/v1/scans", admin, `{"nodes":["`+node+`"]}`)).Items[0]
	h.ask("POST", "/api/v1/scans", admin, `{"nodes":["`+node+`"]}`) // joins the one under way
	h.ask("POST", "/api/v1/scans/"+scan.ID+"/cancel", admin, "")
	h.ask("POST", "/api/v1/schedules/"+schedule.ID+"/run", admin, "")
	h.ask("DELETE", "/api/v1/schedules/"+schedule.ID, admin, "")
	h.ask("POST", "/api/v1/feed/update", admin, "")
	h.ask("POST", "/api/v1/session", "", `{"username":"admin","password":"wrong"}`)
	h.ask("DELETE", "/api/v1/session", admin, "")

	reader := h.token(auth.API)
	page := into[rest.Page[audit.Entry]](t, h.ask("GET", "/api/v1/audit", reader, ""))
	want := []string{ // newest first
		"token.created by console", "session.ended by admin", "session.refused by ", "feed.update_requested by admin", "schedule.deleted by admin",
		"schedule.run by admin", "scan.cancelled by admin", "scan.started by admin", "schedule.edited by admin", "schedule.created by admin",
		"token.revoked by admin", "token.created by admin", "session.opened by admin", "agent.enrolled by console", "user.created by console",
	}
	for i, e := range page.Items {
		name := e.Actor.Name
		if e.Actor.Kind == audit.Console {
			name = audit.Console
		}
		if i >= len(want) || e.Action+" by "+name != want[i] {
			t.Errorf("entry %d is %s by %s", i, e.Action, name)
		}
		if wantAddress := e.Actor.Kind != audit.Console; (e.Address == "127.0.0.1") != wantAddress {
			t.Errorf("%s came from %q", e.Action, e.Address)
		}
		for _, state := range []string{string(e.Before), string(e.After)} {
			if strings.Contains(state, "patrol_") || strings.Contains(state, "argon2") || strings.Contains(state, password) {
				t.Errorf("%s holds a secret: %s", e.Action, state)
			}
		}
	}
	if len(page.Items) != len(want) {
		t.Errorf("%d entries; want %d", len(page.Items), len(want))
	}
	edited := into[rest.Page[audit.Entry]](t, h.ask("GET", "/api/v1/audit?"+url.Values{"action": {"schedule.edited"}, "actor": {"admin"}, "subject": {schedule.ID}}.Encode(), reader, ""))
	if len(edited.Items) != 1 || !strings.Contains(string(edited.Items[0].Before), `"enabled":false`) || !strings.Contains(string(edited.Items[0].After), `"enabled":true`) {
		t.Errorf("the edit is told as %+v", edited.Items)
	}
}

// Members of a team see its nodes and what is on them, and nothing of the others.
// Every route that they may call is asked for here.
func TestMembersOfATeam(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	h.install() // on web-1
	admin := h.token(auth.API)
	inside := into[rest.Page[struct{ ID string }]](t, h.ask("GET", "/api/v1/nodes", admin, "")).Items[0].ID
	out, err := h.fleet.Register(t.Context(), wire.RegisterRequest{Key: "key of another agent", Facts: wire.Facts{Protocol: wire.Version, Name: "db-1"}})
	if err != nil {
		t.Fatal(err)
	}
	outside := out.Node
	scans := into[rest.Page[struct {
		ID   string
		Node struct{ ID string }
	}]](t, h.ask("POST", "/api/v1/scans", admin, `{"nodes":["`+inside+`","`+outside+`"]}`)).Items
	member := h.user(access.Operator, `node.name == "web-1"`)

	asked := map[string]bool{}
	ask := func(method, route, path, body string) answer {
		t.Helper()
		asked[method+" "+route] = true
		return h.ask(method, path, member, body)
	}
	for _, list := range []string{
		"/api/v1/nodes", "/api/v1/scans", "/api/v1/findings", "/api/v1/occurrences", "/api/v1/vulnerabilities", "/api/v1/decisions", "/api/v1/events/log",
		"/api/v1/reports/vulnerability-scans", "/api/v1/reports/trend",
	} {
		got := ask("GET", list, list, "")
		shown := list == "/api/v1/nodes" || list == "/api/v1/scans" || list == "/api/v1/events/log" || list == "/api/v1/reports/vulnerability-scans"
		if got.StatusCode != http.StatusOK || strings.Contains(got.body, outside) || strings.Contains(got.body, inside) != shown {
			t.Errorf("%s answers %d: %s", list, got.StatusCode, got.body)
		}
	}
	const export = "/api/v1/reports/vulnerability-scans/export"
	if got := ask("GET", export, export+"?format=csv", ""); got.StatusCode != http.StatusOK || strings.Contains(got.body, outside) || !strings.Contains(got.body, inside) {
		t.Errorf("the export answers %d: %s", got.StatusCode, got.body)
	}
	for _, s := range scans {
		path := "/api/v1/scans/" + s.ID
		status := map[bool][]int{true: {http.StatusOK, http.StatusOK, http.StatusConflict, http.StatusUnprocessableEntity}}[s.Node.ID == inside]
		for i, route := range []struct{ pattern, path string }{
			{"/api/v1/scans/{id}/findings", path + "/findings"},
			{"/api/v1/scans/{id}/changes", path + "/changes"},
			{"/api/v1/scans/{id}/export", path + "/export?format=csv"},
			{"/api/v1/scans/compare", "/api/v1/scans/compare?from=" + s.ID + "&to=" + s.ID},
		} {
			want := http.StatusNotFound
			if status != nil {
				want = status[i] // it has only begun
			}
			if got := ask("GET", route.pattern, route.path, ""); got.StatusCode != want {
				t.Errorf("%s answers %d: %s; want %d", route.path, got.StatusCode, got.body, want)
			}
		}
		if s.Node.ID == inside {
			into[struct{}](t, ask("GET", "/api/v1/scans/{id}", path, ""))
			into[struct{}](t, ask("POST", "/api/v1/scans/{id}/cancel", path+"/cancel", ""))
			continue
		}
		wantProblem(t, ask("GET", "/api/v1/scans/{id}", path, ""), http.StatusNotFound)
		wantProblem(t, ask("POST", "/api/v1/scans/{id}/cancel", path+"/cancel", ""), http.StatusNotFound)
		wantProblem(t, ask("GET", "/api/v1/findings", "/api/v1/findings?scan="+s.ID, ""), http.StatusNotFound)
	}
	into[struct{}](t, ask("GET", "/api/v1/nodes/{id}", "/api/v1/nodes/"+inside, ""))
	wantProblem(t, ask("GET", "/api/v1/nodes/{id}", "/api/v1/nodes/"+outside, ""), http.StatusNotFound)
	wantProblem(t, ask("GET", "/api/v1/findings", "/api/v1/findings?node="+outside, ""), http.StatusNotFound)
	wantProblem(t, ask("POST", "/api/v1/scans", "/api/v1/scans", `{"nodes":["`+outside+`"]}`), http.StatusUnprocessableEntity)
	if got := ask("POST", "/api/v1/scans", "/api/v1/scans", `{"selector":"true"}`); strings.Contains(got.body, outside) || !strings.Contains(got.body, inside) {
		t.Errorf("a selector starts %s", got.body)
	}
	digest := sbom.Digest(h.document())
	into[struct{}](t, ask("GET", "/api/v1/sboms/{id}", "/api/v1/sboms/"+digest, ""))
	stranger := h.user(access.Viewer, `node.name == "db-1"`)
	wantProblem(t, h.ask("GET", "/api/v1/sboms/"+digest, stranger, ""), http.StatusNotFound)
	into[struct{}](t, ask("GET", "/api/v1/feed", "/api/v1/feed", ""))
	wantProblem(t, h.ask("GET", "/api/v1/schedules", member, ""), http.StatusForbidden)
	components := into[rest.Page[struct {
		ID    int64
		Nodes int
	}]](t, ask("GET", "/api/v1/components", "/api/v1/components", "")).Items
	if len(components) != 1 || components[0].Nodes != 1 {
		t.Errorf("components are %+v", components)
	}
	path := fmt.Sprintf("/api/v1/components/%d/nodes", components[0].ID)
	if got := ask("GET", "/api/v1/components/{id}/nodes", path, ""); !strings.Contains(got.body, inside) {
		t.Errorf("%s answers %s", path, got.body)
	}
	wantProblem(t, h.ask("GET", path, stranger, ""), http.StatusNotFound)
	if got := h.ask("GET", "/api/v1/components", stranger, ""); !strings.Contains(got.body, `"items":[]`) {
		t.Errorf("components of another team: %s", got.body)
	}
	wantProblem(t, ask("GET", "/api/v1/vulnerabilities/{id}", "/api/v1/vulnerabilities/CVE-1999-1", ""), http.StatusNotFound)
	const decision = `{"vulnerability":"CVE-1999-1","status":"false_positive","reason":"we looked"`
	everywhere := into[struct{ ID string }](t, h.ask("POST", "/api/v1/decisions", admin, decision+`}`)).ID
	foreign := into[struct{ ID string }](t, h.ask("POST", "/api/v1/decisions", admin, decision+`,"node":"`+outside+`"}`)).ID
	if got := ask("GET", "/api/v1/decisions", "/api/v1/decisions", ""); !strings.Contains(got.body, everywhere) || strings.Contains(got.body, foreign) {
		t.Errorf("decisions are %s", got.body)
	}
	into[struct{}](t, ask("GET", "/api/v1/decisions/{id}", "/api/v1/decisions/"+everywhere, ""))
	wantProblem(t, ask("GET", "/api/v1/decisions/{id}", "/api/v1/decisions/"+foreign, ""), http.StatusNotFound)
	events := h.ask("GET", "/api/v1/events/log", member, "").body
	for _, unseen := range []string{outside, foreign, "schedule."} {
		if strings.Contains(events, unseen) {
			t.Errorf("events tell of %s: %s", unseen, events)
		}
	}
	for _, seen := range []string{"node.registered", "scan.cancelled", everywhere} {
		if !strings.Contains(events, seen) {
			t.Errorf("events do not tell of %s: %s", seen, events)
		}
	}
	token := h.teamToken(`node.name == "web-1"`)
	if got := h.ask("GET", "/api/v1/nodes", token, ""); !strings.Contains(got.body, inside) || strings.Contains(got.body, outside) {
		t.Errorf("nodes are, to the token of a team, %s", got.body)
	}
	asked["GET /api/v1/events"] = true           // see TestStreamEndsWithAccess
	asked["PUT /api/v1/session/password"] = true // is about nobody's nodes
	eachOperation(h, func(route string, op *huma.Operation) {
		if rest.IsScoped(op) && !asked[route] {
			t.Errorf("members of a team may call %s, and this test does not", route)
		}
	})
}
