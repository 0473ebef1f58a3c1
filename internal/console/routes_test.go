package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/rest"
)

// roles is every route with the role that it needs: a new route has to be
// written down here, with thought.
var roles = map[string]access.Role{
	"POST /api/v1/session":   access.Public,
	"GET /api/v1/session":    access.Public,
	"DELETE /api/v1/session": access.Public,

	"GET /api/v1/nodes":                 access.Viewer,
	"GET /api/v1/nodes/{id}":            access.Viewer,
	"GET /api/v1/sboms/{id}":            access.Viewer,
	"GET /api/v1/scans":                 access.Viewer,
	"GET /api/v1/scans/{id}":            access.Viewer,
	"GET /api/v1/findings":              access.Viewer,
	"GET /api/v1/occurrences":           access.Viewer,
	"GET /api/v1/vulnerabilities":       access.Viewer,
	"GET /api/v1/vulnerabilities/{id}":  access.Viewer,
	"GET /api/v1/components":            access.Viewer,
	"GET /api/v1/components/{id}/nodes": access.Viewer,
	"GET /api/v1/schedules":             access.Viewer,
	"GET /api/v1/schedules/{id}":        access.Viewer,
	"GET /api/v1/schedules/{id}/runs":   access.Viewer,
	"GET /api/v1/feed":                  access.Viewer,

	"GET /api/v1/decisions":      access.Viewer,
	"GET /api/v1/decisions/{id}": access.Viewer,

	"POST /api/v1/scans":              access.Operator,
	"POST /api/v1/decisions":          access.Operator,
	"DELETE /api/v1/decisions/{id}":   access.Operator,
	"POST /api/v1/scans/{id}/cancel":  access.Operator,
	"POST /api/v1/schedules":          access.Operator,
	"PATCH /api/v1/schedules/{id}":    access.Operator,
	"DELETE /api/v1/schedules/{id}":   access.Operator,
	"POST /api/v1/schedules/{id}/run": access.Operator,
	"POST /api/v1/feed/update":        access.Operator,

	"POST /api/v1/tokens":        access.Admin,
	"GET /api/v1/tokens":         access.Admin,
	"DELETE /api/v1/tokens/{id}": access.Admin,
}

// operations calls f for every operation of the API's description.
func operations(h house, f func(route string, op *huma.Operation)) {
	for path, item := range h.API(http.NewServeMux(), false).OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{
			"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete, "HEAD": item.Head, "OPTIONS": item.Options,
		} {
			if op != nil {
				f(method+" "+path, op)
			}
		}
	}
}

func TestEveryRouteStatesItsRole(t *testing.T) {
	h := openHouse(t, publish(t))
	seen := 0
	operations(h, func(route string, op *huma.Operation) {
		seen++
		role, ok := rest.RoleOf(op)
		if want, known := roles[route]; !ok || !known || role != want {
			t.Errorf("%s needs the role %q; the table says %q", route, role, want)
		}
		if op.Summary == "" || len(op.Tags) == 0 || op.OperationID == "" {
			t.Errorf("%s has no summary, tag or id", route)
		}
	})
	if seen != len(roles) {
		t.Errorf("%d routes; the table has %d", seen, len(roles))
	}
}

func TestRouteByRole(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	for kind, role := range map[string]access.Role{auth.API: access.Admin, auth.CI: access.Viewer, auth.Agent: "", auth.Enrolment: ""} {
		for route, needed := range roles {
			if needed == access.Public {
				continue
			}
			t.Run(kind+" "+route, func(t *testing.T) {
				method, path, _ := strings.Cut(route, " ")
				got := h.ask(method, strings.ReplaceAll(path, "{id}", "none"), h.token(kind), "")
				if !role.Includes(needed) {
					wantProblem(t, got, http.StatusForbidden)
				} else if got.StatusCode == http.StatusForbidden || got.StatusCode == http.StatusUnauthorized || got.StatusCode >= 500 {
					t.Errorf("answers %d: %s", got.StatusCode, got.body)
				}
			})
		}
	}
}

func TestWireByKind(t *testing.T) {
	h := openHouse(t, publish(t))
	for route, needed := range map[string]string{
		"POST /wire/v1/register":             auth.Enrolment,
		"POST /wire/v1/heartbeat":            auth.Agent,
		"POST /wire/v1/commands/claim":       auth.Agent,
		"POST /wire/v1/commands/none/extend": auth.Agent,
		"POST /wire/v1/commands/none/finish": auth.Agent,
		"PUT /wire/v1/sboms/none":            auth.Agent,
		"GET /wire/v1/stream":                auth.Agent,
	} {
		method, path, _ := strings.Cut(route, " ")
		wantProblem(t, h.ask(method, path, "", ""), http.StatusUnauthorized)
		for _, kind := range []string{auth.API, auth.CI, auth.Agent, auth.Enrolment} {
			if kind != needed {
				wantProblem(t, h.ask(method, path, h.token(kind), ""), http.StatusForbidden)
			}
		}
	}
}

// Without a token nothing is told, not even what there is.
func TestNoToken(t *testing.T) {
	h := openHouse(t, publish(t))
	asked := []string{
		"GET /api/v1/nonsense", "GET /api/v1", "GET /api/v1/", "GET /api/", "GET /api/nonsense", "GET /api/v2/nodes", "GET /api/v1/openapi.yaml", "GET /api/v1/openapi-nonsense",
		"GET /api/v1/session/nonsense", "PUT /api/v1/nodes", "PROPFIND /api/v1/nodes", "OPTIONS /api/v1/nodes", "GET /wire/v1/nonsense", "GET /wire/v1/register",
	}
	for route, role := range roles {
		if role != access.Public {
			asked = append(asked, route)
		}
	}
	for _, route := range asked {
		method, path, _ := strings.Cut(route, " ")
		for _, wrong := range []string{"", "wrong", "patrol_api_AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
			got := h.ask(method, path, wrong, "")
			wantProblem(t, got, http.StatusUnauthorized)
			if got.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s does not say how to show a token", route)
			}
		}
	}
	wantProblem(t, h.ask("GET", "/api/v1/nodes", "", "", "Authorization", "Basic YWRtaW46YWRtaW4="), http.StatusUnauthorized)
	wantProblem(t, h.ask("GET", "/api/v1/session", "", ""), http.StatusUnauthorized)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	h := openHouse(t, publish(t))
	token := h.token(auth.API)
	for _, path := range []string{"/api/v1/nonsense", "/api/v1/", "/api/v1/nodes/a/b", "/api/nonsense", "/wire/v1/nonsense"} {
		wantProblem(t, h.ask("GET", path, token, ""), http.StatusNotFound)
	}
	for route, allow := range map[string]string{
		"PUT /api/v1/nodes":       "GET",
		"PUT /api/v1/tokens":      "GET, POST",
		"POST /api/v1/tokens/x":   "DELETE",
		"PUT /api/v1/schedules/x": "GET, PATCH, DELETE",
		"GET /wire/v1/register":   "POST",
		"PUT /api/v1/session":     "GET, POST, DELETE",
	} {
		method, path, _ := strings.Cut(route, " ")
		got := h.ask(method, path, token, "")
		wantProblem(t, got, http.StatusMethodNotAllowed)
		if got.Header.Get("Allow") != allow {
			t.Errorf("%s: Allow is %q; want %q", route, got.Header.Get("Allow"), allow)
		}
	}
	for _, path := range []string{"/api/v1/nodes/none", "/api/v1/scans/none", "/api/v1/schedules/none", "/api/v1/schedules/none/runs", "/api/v1/sboms/none", "/api/v1/vulnerabilities/none", "/api/v1/components/none/nodes", "/api/v1/components/1/nodes"} {
		wantProblem(t, h.ask("GET", path, token, ""), http.StatusNotFound)
	}
}

func TestListsAreNeverNull(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	token := h.token(auth.API)
	schedules := into[struct{ Items []struct{ ID string } }](t, h.ask("GET", "/api/v1/schedules", token, ""))
	for _, path := range []string{"/nodes", "/scans", "/findings", "/occurrences", "/vulnerabilities", "/components", "/decisions", "/schedules/" + schedules.Items[0].ID + "/runs"} {
		got := h.ask("GET", "/api/v1"+path, token, "")
		if got.StatusCode != http.StatusOK || !strings.Contains(got.body, `"items":[]`) {
			t.Errorf("%s answers %d: %s", path, got.StatusCode, got.body)
		}
	}
	h.install()
	for _, path := range []string{"/nodes", "/schedules", "/tokens", "/feed"} {
		if got := h.ask("GET", "/api/v1"+path, token, ""); got.StatusCode != http.StatusOK || strings.Contains(got.body, "null") {
			t.Errorf("%s answers %d: %s", path, got.StatusCode, got.body)
		}
	}
	for _, path := range []string{
		"/nodes?label=env%3Dproduction&label=team%3Dshop", "/nodes?last_scan=failed&scanned_before=2026-05-01T00:00:00Z",
		"/occurrences?kev=true&fixable=false&opened_after=2026-05-01T00:00:00%2B02:00", "/vulnerabilities?sort=nodes&q=CVE-", "/components?name=log4j",
	} {
		if got := h.ask("GET", "/api/v1"+path, token, ""); got.StatusCode != http.StatusOK || !strings.Contains(got.body, `"items":[]`) {
			t.Errorf("%s answers %d: %s", path, got.StatusCode, got.body)
		}
	}
	wantProblem(t, h.ask("GET", "/api/v1/nodes?label=env", token, ""), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("GET", "/api/v1/occurrences?opened_after=yesterday", token, ""), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("GET", "/api/v1/nodes?cursor=made-up", token, ""), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("GET", "/api/v1/nodes?limit=0", token, ""), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("GET", "/api/v1/nodes?limit=many", token, ""), http.StatusUnprocessableEntity)
	wantProblem(t, h.ask("GET", "/api/v1/nodes?state=asleep", token, ""), http.StatusUnprocessableEntity)
}

func TestOpenAPI(t *testing.T) {
	h := openHouse(t, publish(t))
	got := h.ask("GET", "/api/v1/openapi.json", "", "")
	document := into[map[string]any](t, got)
	if document["openapi"] != "3.1.0" {
		t.Errorf("openapi = %v; want 3.1.0", document["openapi"])
	}
	walk("", document, func(path string, schema map[string]any) {
		if kinds, ok := schema["type"].([]any); ok && slices.Contains(kinds, any("array")) {
			t.Errorf("%s may be null or an array: arrays are never null", path)
		}
	})
	described, err := Describe(http.NewServeMux())
	if err != nil {
		t.Fatal(err)
	}
	var printed map[string]any
	if err := json.Unmarshal(described, &printed); err != nil {
		t.Fatal(err)
	}
	if have, want := len(printed["paths"].(map[string]any)), len(document["paths"].(map[string]any)); have != want {
		t.Errorf("patrol openapi prints %d paths, the console serves %d", have, want)
	}
}

// walk calls f for every object of a JSON document.
func walk(path string, value any, f func(path string, object map[string]any)) {
	switch v := value.(type) {
	case map[string]any:
		f(path, v)
		for name, member := range v {
			walk(path+"/"+name, member, f)
		}
	case []any:
		for i, element := range v {
			walk(fmt.Sprintf("%s/%d", path, i), element, f)
		}
	}
}
