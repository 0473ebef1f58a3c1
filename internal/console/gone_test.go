package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/auth"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
)

// While the database is away every route that needs it says so, and when to ask again.
func TestDatabaseIsAway(t *testing.T) {
	address, cut := dbtest.CutPostgres(t)
	c, err := Open(t.Context(), Options{
		DataDir: t.TempDir(), DatabaseURL: address, FeedURL: publish(t), FeedInterval: time.Hour, AdminPassword: password, Version: "test", Out: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c.handler(false))
	t.Cleanup(func() {
		server.Close()
		_ = c.Close() // it says that connections broke
	})
	h := house{c, t, server}
	admin, agent := h.token(auth.API), h.token(auth.Agent)
	if got := h.ask("GET", "/api/v1/nodes", admin, ""); got.StatusCode != http.StatusOK {
		t.Fatalf("nodes answer %d: %s", got.StatusCode, got.body)
	}
	cut()
	// Beside the routes that begin with a look at the token, one that has none.
	signIn := h.ask("POST", "/api/v1/session", "", `{"username":"admin","password":"`+password+`"}`)
	wantProblem(t, signIn, http.StatusServiceUnavailable)
	for _, route := range h.routes() {
		method, path, _ := strings.Cut(parameter.ReplaceAllString(strings.ReplaceAll(route, "{$}", ""), "none"), " ")
		token := admin
		if strings.HasPrefix(path, "/wire/") {
			token = agent
		}
		got := h.ask(method, path, token, "")
		switch {
		case strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/wire/"), path == "/readyz":
			if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != rest.RetryAfter {
				t.Errorf("%s answers %d, Retry-After %q: %s", route, got.StatusCode, got.Header.Get("Retry-After"), got.body)
			}
		case got.StatusCode >= 500:
			t.Errorf("%s answers %d: %s", route, got.StatusCode, got.body)
		}
	}
}
