//go:build shareddata

package notify_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/finding/findingtest"
	"patrol/internal/fleet"
	"patrol/internal/notify"
	nethttp "patrol/internal/notify/http"
	"patrol/internal/notify/notifytest"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
	"patrol/internal/platform/secret"
	"patrol/internal/scan"
)

// TestDelta has 10,000 nodes matched against the feed of August, when they had that of
// June: 300,000 occurrences are opened, and each rule tells at most once of each
// vulnerability.
func TestDelta(t *testing.T) {
	clock := clocktest.At(time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC))
	d := findingtest.NewDelta(t, clock.Now, event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations,
		feed.Migrations, notify.Migrations)
	keeper, err := secret.Open(filepath.Join(t.TempDir(), "secrets.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	s := notify.NewService(d.DB, d.Service, d.Fleet, lease.NewSignals(), notify.Options{
		Kinds: []notify.Kind{nethttp.Kind()}, Guard: notifytest.Guard(), Keeper: keeper,
	}, clock.Now)
	far := newCounting(t)
	to, err := s.CreateIntegration(t.Context(), notify.NewIntegration{Name: "far", Kind: "http", Settings: notify.Settings{"url": far.server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	rules := []notify.RuleDefinition{
		{Name: "everything", Types: []string{notify.OccurrenceOpened}, Limit: 1_000_000},
		{Name: "on many nodes", Types: []string{notify.OccurrenceOpened}, MinNodes: 100, Limit: 1_000_000},
		{Name: "severe, on some hosts", Types: []string{"occurrence.*"}, When: `findings.exists(f, f.severity in ["critical", "high"]) && node.name.endsWith("7")`, Limit: 1_000_000},
		{Name: "as it comes", Types: []string{notify.OccurrenceOpened}},
		{Name: "in one", Types: []string{notify.OccurrenceOpened}, GroupBy: notify.ByScan},
	}
	for _, r := range rules {
		r.Enabled, r.Integrations = true, []string{to.ID}
		if _, err := s.CreateRule(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Rematch(t.Context(), d.Knowledge, d.Install("2026-08-21")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := time.Since(began)
	if err := s.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("read in %v, delivered in %v: %v", read.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), far.rules)
	for _, wrong := range far.wrong {
		t.Error(wrong)
	}
	if n := far.rules["as it comes"]; n != 100 {
		t.Errorf("a rule with the standard limit told %d times, want 100", n)
	}
	if n := far.rules["in one"]; n < 1 {
		t.Errorf("a rule that tells of scans told %d times of one re-match", n)
	}
	vulnerabilities := 0
	if err := d.DB.Read().QueryRowContext(t.Context(), `SELECT count(DISTINCT vulnerability_id) FROM occurrence WHERE opened_scan = (SELECT max(id) FROM rematch)`).Scan(&vulnerabilities); err != nil {
		t.Fatal(err)
	}
	if n := far.rules["everything"]; n != vulnerabilities {
		t.Errorf("a rule for everything told %d times, want once of each of %d vulnerabilities", n, vulnerabilities)
	}
	if n := far.rules["severe, on some hosts"]; n == 0 || n >= vulnerabilities {
		t.Errorf("a rule for some told %d times of %d vulnerabilities", n, vulnerabilities)
	}
	page, err := s.Rules(t.Context(), rest.Paging{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Items {
		if r.Error != "" {
			t.Errorf("rule %q: %s", r.Name, r.Error)
		}
	}
}

// counting is a far side that wants no key twice.
type counting struct {
	server *httptest.Server
	mu     sync.Mutex
	keys   map[string]bool
	rules  map[string]int
	wrong  []string
}

func newCounting(t *testing.T) *counting {
	c := &counting{keys: make(map[string]bool), rules: make(map[string]int)}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Data notify.Notification `json:"data"`
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			c.wrong = append(c.wrong, err.Error())
		}
		if c.keys[e.Data.Key] && e.Data.Rule != "in one" {
			c.wrong = append(c.wrong, e.Data.Key+" came twice")
		}
		c.keys[e.Data.Key] = true
		c.rules[e.Data.Rule]++
	}))
	t.Cleanup(c.server.Close)
	return c
}
