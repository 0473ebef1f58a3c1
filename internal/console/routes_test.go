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

// eachOperation calls f for every operation of the API's description.
func eachOperation(h house, f func(route string, op *huma.Operation)) {
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

func TestEveryRouteIsDescribed(t *testing.T) {
	h := openHouse(t, publish(t))
	eachOperation(h, func(route string, op *huma.Operation) {
		if op.Summary == "" || len(op.Tags) == 0 || op.OperationID == "" {
			t.Errorf("%s has no summary, tag or id", route)
		}
	})
}

// Without a token nothing is told, not even what there is.
func TestNoToken(t *testing.T) {
	h := openHouse(t, publish(t))
	asked := []string{
		"GET /api/v1/nonsense", "GET /api/v1", "GET /api/v1/", "GET /api/", "GET /api/nonsense", "GET /api/v2/nodes", "GET /api/v1/openapi.yaml", "GET /api/v1/openapi-nonsense",
		"GET /api/v1/session/nonsense", "GET /api/v1/session/invitation/x", "PUT /api/v1/nodes", "PROPFIND /api/v1/nodes", "OPTIONS /api/v1/nodes", "GET /wire/v1/nonsense", "GET /wire/v1/register",
	}
	eachOperation(h, func(route string, op *huma.Operation) {
		if role, _ := rest.RoleOf(op); role != access.Public {
			asked = append(asked, route)
		}
	})
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
		"PUT /api/v1/sboms":       "POST",
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
