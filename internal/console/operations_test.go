package console

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/operations"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/logs"
)

// scraped are the names of the console's own metrics, in order.
func scraped(t *testing.T, h house) []string {
	t.Helper()
	got := h.ask("GET", "/metrics", "", "")
	if got.StatusCode != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", got.StatusCode, got.body)
	}
	names := []string{}
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (patrol_\w+) `).FindAllStringSubmatch(got.body, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return names
}

// busyHouse has something to show in every metric.
func busyHouse(t *testing.T) house {
	h := openHouse(t, publish(t))
	h.update()
	h.ask("GET", "/healthz", "", "")
	scraped(t, h) // from here on events are counted
	h.install()
	return h
}

func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := []string{}
	for _, match := range regexp.MustCompile("(?m)^\\| `(patrol_\\w+)`").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, match[1])
	}
	slices.Sort(documented)
	if have := scraped(t, busyHouse(t)); !slices.Equal(have, documented) {
		t.Errorf("the console exports\n%q\nand docs/operating.md has\n%q", have, documented)
	}
}

func TestDashboardUsesWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../deploy/grafana/patrol.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) {
		t.Fatal("the dashboard is no JSON")
	}
	have := scraped(t, busyHouse(t))
	used := regexp.MustCompile(`patrol_\w+`).FindAllString(string(text), -1)
	if len(used) < 10 {
		t.Errorf("the dashboard uses %q", used)
	}
	for _, name := range used {
		if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); !slices.Contains(have, name) && !slices.Contains(have, base) {
			t.Errorf("the dashboard uses %s, which there is not", name)
		}
	}
}

func TestMetricsCount(t *testing.T) {
	h := busyHouse(t)
	ctx := t.Context()
	h.ask("GET", "/api/v1/nodes/made-up", h.token(auth.CI), "")
	h.ask("GET", "/api/v1/nonsense", h.token(auth.CI), "")
	var node string
	if err := h.db.Read().QueryRowContext(ctx, `SELECT id FROM node`).Scan(&node); err != nil {
		t.Fatal(err)
	}
	if _, err := h.scans.StartOnDemand(ctx, []string{node}); err != nil {
		t.Fatal(err)
	}
	text := h.ask("GET", "/metrics", "", "").body
	for _, line := range []string{
		`patrol_http_requests_total{route="GET /api/v1/nodes/{id}",status="404"} 1`,
		`patrol_http_requests_total{route="unknown",status="404"} 1`,
		`patrol_scans{state="queued"} 1`,
		`patrol_agents{state="active"} 1`,
		`patrol_agents{state="inactive"} 0`,
		`patrol_events_total{type="node.registered"} 1`,
		`patrol_check{check="database"} 1`,
		`patrol_build_info{version="test"} 1`,
		`patrol_feed_sample 0`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
	if !strings.Contains(text, `patrol_feed_age_seconds{source="OSV/Debian"}`) && !strings.Contains(text, `patrol_feed_age_seconds{source=`) {
		t.Error("the metrics lack the age of the feed")
	}
}

func TestMetricsNeedAToken(t *testing.T) {
	h := openHouse(t, publish(t))
	handler := h.handler(false)
	for token, status := range map[string]int{
		"": http.StatusUnauthorized, h.token(auth.CI): http.StatusOK, h.token(auth.Enrolment): http.StatusForbidden,
	} {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr = "192.0.2.7:4711"
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("from another machine /metrics answers %d; want %d", w.Code, status)
		}
	}
}

func TestReadyTellsWhyNot(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	if got := into[operations.Readiness](t, h.ask("GET", "/readyz", "", "")); !got.Ready || len(got.Checks) != 4 {
		t.Errorf("readyz = %+v", got)
	}
	h.operations.Drain()
	if err := os.WriteFile(h.options.DataDir+"/feed/current", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.ask("GET", "/readyz", "", "")
	var r operations.Readiness
	if err := json.Unmarshal([]byte(got.body), &r); err != nil || got.StatusCode != http.StatusServiceUnavailable || r.Ready {
		t.Fatalf("readyz answers %d %s", got.StatusCode, got.body)
	}
	for _, c := range r.Checks {
		if bad := c.Name == "feed" || c.Name == "serving"; c.OK == bad || bad != (c.Detail != "") {
			t.Errorf("check = %+v", c)
		}
	}
	if strings.Contains(got.body, h.options.DataDir) {
		t.Errorf("readyz tells anybody a path: %s", got.body)
	}
}

func TestProblemsNameTheRequest(t *testing.T) {
	var out bytes.Buffer
	logger, err := logs.New(&out, logs.JSON, "info")
	if err != nil {
		t.Fatal(err)
	}
	before := slog.Default()
	slog.SetDefault(logger)
	defer slog.SetDefault(before)
	h := openHouse(t, publish(t))
	token := h.token(auth.API)
	dbBroken(t, h.db)
	got := h.ask("GET", "/api/v1/nodes", token, "", logs.Header, "given-1")
	if got.StatusCode != http.StatusInternalServerError || !strings.Contains(got.body, "request_id given-1") || got.Header.Get(logs.Header) != "given-1" {
		t.Errorf("answer %d %v: %s", got.StatusCode, got.Header, got.body)
	}
	if !strings.Contains(out.String(), `"request_id":"given-1"`) {
		t.Errorf("log = %s", out.String())
	}
}

// dbBroken makes lists of nodes impossible.
func dbBroken(t *testing.T, d *db.DB) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `ALTER TABLE scan RENAME COLUMN finished_at TO finished`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSettings(t *testing.T) {
	h := openHouse(t, publish(t))
	token := h.token(auth.API)
	if got := into[operations.Settings](t, h.ask("GET", "/api/v1/settings", token, "")); got.Retention.Events != 90 {
		t.Errorf("settings = %+v", got)
	}
	for range 2 {
		into[operations.Settings](t, h.ask("PUT", "/api/v1/settings", token, `{"retention":{"events_days":7,"occurrences_days":365,"scans_days":0,"audit_days":730},"decisions":{"warn_days":3},"due":{"malicious_days":1,"critical_days":7,"high_days":30,"medium_days":90,"low_days":180,"unknown_days":90,"kev_days":14}}`))
	}
	if keep, err := h.operations.KeepEvents(t.Context()); err != nil || keep != 7*24*time.Hour {
		t.Errorf("KeepEvents = %v, %v", keep, err)
	}
	wantProblem(t, h.ask("PUT", "/api/v1/settings", token, `{"retention":{"events_days":-1,"occurrences_days":1,"scans_days":1,"audit_days":1},"decisions":{"warn_days":3},"due":{"malicious_days":1,"critical_days":7,"high_days":30,"medium_days":90,"low_days":180,"unknown_days":90,"kev_days":14}}`), http.StatusUnprocessableEntity)
}

// On the way out the console gives out no work, ends streams, and lets all else
// finish.
func TestDrain(t *testing.T) {
	ending, end := context.WithCancel(t.Context())
	begun, finish := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(draining(ending, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/nodes" {
			close(begun)
			<-finish
			w.WriteHeader(http.StatusOK)
			return
		}
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})))
	defer server.Close()
	h := house{t: t, server: server}
	streamed, answered := make(chan answer), make(chan answer)
	go func() { streamed <- h.ask("GET", event.StreamPath, "", "") }()
	go func() { answered <- h.ask("GET", "/api/v1/nodes", "", "") }()
	<-begun
	end()
	<-streamed
	for _, path := range []string{event.StreamPath, "/wire/v1/stream", "/wire/v1/commands/claim"} {
		got := h.ask("GET", path, "", "")
		wantProblem(t, got, http.StatusServiceUnavailable)
		if got.Header.Get("Retry-After") == "" {
			t.Errorf("%s does not say when to come again", path)
		}
	}
	close(finish)
	if got := <-answered; got.StatusCode != http.StatusOK {
		t.Errorf("a request under way was answered %d", got.StatusCode)
	}
}

func TestDoctor(t *testing.T) {
	h := openHouse(t, publish(t))
	token := h.token(auth.API)
	states := func() map[string]operations.SymptomState {
		states := make(map[string]operations.SymptomState)
		d := into[operations.Diagnosis](t, h.ask("GET", "/api/v1/doctor", token, ""))
		for _, s := range d.Findings {
			states[s.Name] = s.State
			if (s.State == operations.Warning || s.State == operations.Broken) != (s.Advice != "") || s.Detail == "" {
				t.Errorf("symptom = %+v", s)
			}
		}
		return states
	}
	if got := states(); got["feed"] != operations.Broken || got["agents"] != operations.Warning || got["database"] != operations.Fine {
		t.Errorf("states = %v", got)
	}
	h.update()
	h.register()
	if got := states(); got["agents"] != operations.Fine || got["clock"] != operations.Unknown {
		t.Errorf("states = %v", got)
	}
}

// A sealed text opens in its own row alone; the doctor says where it does not.
func TestDoctorOpensSecrets(t *testing.T) {
	h := openHouse(t, publish(t))
	token := h.token(auth.API)
	secrets := func() operations.Symptom {
		t.Helper()
		d := into[operations.Diagnosis](t, h.ask("GET", "/api/v1/doctor", token, ""))
		return d.Findings[slices.IndexFunc(d.Findings, func(s operations.Symptom) bool { return s.Name == "secrets" })]
	}
	if s := secrets(); s.State != operations.Fine {
		t.Errorf("without integrations: %+v", s)
	}
	for _, name := range []string{"first", "second"} {
		h.ask("POST", "/api/v1/integrations", token, `{"name":"`+name+`","kind":"http","settings":{"url":"https://hooks.example.com"}}`)
	}
	if s := secrets(); s.State != operations.Fine {
		t.Errorf("with integrations: %+v", s)
	}
	err := h.db.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE integration SET secrets = (SELECT secrets FROM integration WHERE name = 'first') WHERE name = 'second'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := secrets(); s.State != operations.Broken || !strings.Contains(s.Detail, "second: ") || strings.Contains(s.Detail, "first: ") || s.Advice != operations.SecretsAdvice {
		t.Errorf("with the secrets of another: %+v", s)
	}
}
