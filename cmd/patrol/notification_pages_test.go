package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"patrol/internal/client"
	"patrol/internal/notify"
)

// TestNotificationPages sets notifications up as people do, in a browser: towards a
// receiver on this machine, which the configuration has to allow.
func TestNotificationPages(t *testing.T) {
	var tests atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && strings.Contains(string(body), "Test of Patrol") {
			tests.Add(1)
		}
		_, _ = io.WriteString(w, "much obliged")
	}))
	defer receiver.Close()

	dir := t.TempDir()
	_, address := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Patrol console on ", "console",
		"--data-dir", dir, "--listen", "127.0.0.1:0", "--feed-url", filepath.Join(dir, "nowhere"), "--outgoing-allow", "127.0.0.0/8")
	page, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Console: page, HTTP: http.DefaultClient}
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an event to preview a rule on", func() bool {
		var preview notify.RulePreview
		rule := notify.RuleDefinition{Name: "any", Types: []string{"feed.update_failed"}, Integrations: []string{}}
		if err := c.Do(t.Context(), http.MethodPost, "rules/preview", rule, &preview); err != nil {
			t.Fatal(err)
		}
		return preview.Matters > 0
	})

	command(t, "../../web", []string{
		"PATROL_URL=" + c.Console.String(), "PATROL_USERNAME=admin", "PATROL_PASSWORD=" + password,
		"PATROL_RECEIVER=" + receiver.URL, "CHROMIUM=" + tool(t, "chromium"),
	}, "npm", "run", "e2e", "--", "--project", "notifications")

	if n := tests.Load(); n != 2 {
		t.Errorf("the receiver got %d tests, want one before the integration was saved and one after", n)
	}
	rules := all[notify.Rule](t, c, "rules", nil)
	if len(rules) != 1 || rules[0].Title != "Look: {{.Title}}" || len(rules[0].Integrations) != 1 {
		t.Errorf("rules = %+v", rules)
	}
}
