package pagerduty_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	patrol "patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	kind "patrol/internal/notify/pagerduty"
)

const key = "k0123456789abcdefghijklmnopqrstu"

// alerts is a service of PagerDuty: it takes events as PagerDuty's own client writes
// them, and keeps an alert for each key.
type alerts struct {
	t      *testing.T
	events []pagerduty.V2Event
	bodies [][]byte
	open   map[string]string // summaries, by dedup_key
	opened int
	answer func(http.ResponseWriter) bool // in the place of an accepting one
}

func (a *alerts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue" || r.Header.Get("Content-Type") != "application/json" {
		a.t.Errorf("%s %s with %v", r.Method, r.URL, r.Header)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	if a.answer != nil && a.answer(w) {
		return
	}
	var e pagerduty.V2Event
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&e); err != nil {
		a.t.Errorf("an event that PagerDuty's own types do not take: %v", err)
	}
	if e.RoutingKey != key || e.DedupKey == "" || len(e.DedupKey) > 255 {
		a.t.Errorf("event of %q for %q", e.DedupKey, e.RoutingKey)
	}
	switch _, isOpen := a.open[e.DedupKey]; {
	case e.Action == "resolve":
		delete(a.open, e.DedupKey)
	case e.Action != "trigger" || e.Payload == nil || e.Payload.Summary == "" || e.Payload.Source == "":
		a.t.Errorf("event %+v", e)
	default:
		if !isOpen {
			a.opened++
		}
		a.open[e.DedupKey] = e.Payload.Summary
	}
	a.events, a.bodies = append(a.events, e), append(a.bodies, body)
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(pagerduty.V2EventResponse{Status: "success", Message: "Event processed", DedupKey: e.DedupKey})
}

func (a *alerts) last() pagerduty.V2Event { return a.events[len(a.events)-1] }

// service returns PagerDuty and a sender to it.
func service(t *testing.T) (*alerts, patrol.Sender) {
	t.Helper()
	a := &alerts{t: t, open: map[string]string{}}
	server := httptest.NewTLSServer(a)
	t.Cleanup(server.Close)
	return a, notifytest.Open(t, kind.Kind(), patrol.Settings{"routing_key": key, "url": server.URL, "ca": notifytest.CA(server)})
}

func TestOneAlertForEachKey(t *testing.T) {
	a, sender := service(t)
	ref := notifytest.Send(t, sender, notifytest.Opened())
	if ref != notifytest.Opened().Key {
		t.Errorf("ref %q", ref)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, bytes.TrimSpace(a.bodies[0]), "", "  "); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "pagerduty", strings.Replace(pretty.String(), key, "<integration key>", 1))

	notifytest.Send(t, sender, notifytest.Opened()) // the answer was lost
	changed := notifytest.Changed()
	changed.Ref = ref
	notifytest.Send(t, sender, changed)
	if a.opened != 1 || a.open[ref] != changed.Title {
		t.Errorf("%d alerts were opened; open are %v", a.opened, a.open)
	}
	told := notifytest.Told()
	notifytest.Send(t, sender, told)
	if e := a.last(); e.Action != "trigger" || e.Payload.Severity != "error" || e.Payload.Source != "Patrol" || e.Payload.Component != "" || len(e.Links) != 0 {
		t.Errorf("what is told is sent as %+v %+v", e, e.Payload)
	}
	notifytest.Send(t, sender, notifytest.Resolved(ref))
	if e := a.last(); e.Action != "resolve" || e.Payload != nil {
		t.Errorf("what is resolved is sent as %+v", e)
	}
	if len(a.open) != 1 || a.open[told.Key] == "" {
		t.Errorf("open are %v", a.open)
	}
}

func TestSeverities(t *testing.T) {
	a, sender := service(t)
	for severity, want := range map[string]string{
		"malicious": "critical", "critical": "critical", "high": "error", "medium": "warning", "unknown": "warning", "low": "info", "info": "info",
	} {
		n := notifytest.Opened()
		n.Severity = severity
		notifytest.Send(t, sender, n)
		if got := a.last().Payload.Severity; got != want {
			t.Errorf("%s is sent as %s, want %s", severity, got, want)
		}
	}
}

func TestSource(t *testing.T) {
	a, sender := service(t)
	for nodes, want := range map[int]string{1: "web-1", 2: "web-1 and 1 more node", 12: "web-1 and 11 more nodes"} {
		n := notifytest.Opened()
		n.Nodes = nodes
		notifytest.Send(t, sender, n)
		if got := a.last().Payload.Source; got != want {
			t.Errorf("on %d nodes the source is %q, want %q", nodes, got, want)
		}
	}
}

func TestHostileTextAndLimits(t *testing.T) {
	for _, hostile := range []string{
		"\x00\x1b[31m<script>alert(1)</script>\r\n<!channel> \"quoted\\\" \u202egnp.exe",
		strings.Repeat("\"", 10<<10), strings.Repeat("\\", 10<<10), strings.Repeat("<", 10<<10),
		strings.Repeat("é", 10<<10), strings.Repeat("🛑", 10<<10), strings.Repeat("\u2028", 10<<10) + "x", "a\xff" + strings.Repeat("z", 10<<10),
	} {
		a, sender := service(t)
		notifytest.Send(t, sender, notifytest.Filled(hostile))
		p := a.last().Payload
		if size := len(a.bodies[0]); size > 512<<10 {
			t.Errorf("%.20q: an event of %d bytes", hostile, size)
		}
		if units := len([]rune(p.Summary)); units > 1024 || strings.ContainsAny(p.Summary, "\x00\x1b\r\n\u202e\u2028") {
			t.Errorf("%.20q: summary of %d characters: %.60q", hostile, units, p.Summary)
		}
		lines := p.Details.(map[string]any)["Findings"].([]any)
		if len(lines) != 201 || lines[200] != "… and 4800 more" {
			t.Errorf("%d lines, the last %v", len(lines), lines[len(lines)-1])
		}
	}
}

func TestSummaryIsAsLongAsAllowed(t *testing.T) {
	for length, want := range map[int]string{1024: strings.Repeat("a", 1024), 1025: strings.Repeat("a", 1023) + "…"} {
		a, sender := service(t)
		n := notifytest.Opened()
		n.Title = strings.Repeat("a", length)
		notifytest.Send(t, sender, n)
		if got := a.last().Payload.Summary; got != want {
			t.Errorf("a title of %d became one of %d bytes", length, len(got))
		}
	}
}

func TestAnswersThatMeanNo(t *testing.T) {
	for _, test := range []struct {
		status   int
		retry    string
		body     string
		said     string
		rejected bool
		after    time.Duration
	}{
		{400, "", `{"status":"invalid event","message":"Event object is invalid","errors":["'payload.severity' is invalid"]}`, "400 Bad Request: Event object is invalid: 'payload.severity' is invalid", true, 0},
		{400, "", `{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}`, "400 Bad Request: Event object is invalid: Length of 'routing_key' is incorrect (should be 32 characters)", false, 0},
		{401, "", ``, "401 Unauthorized", false, 0},
		{403, "", `blocked`, "403 Forbidden: blocked", false, 0},
		{404, "", `no`, "404 Not Found: no", false, 0},
		{413, "", ``, "413 Request Entity Too Large", true, 0},
		{429, "", `{"status":"throttle exceeded","message":"Requests for this service are arriving too quickly."}`, "429 Too Many Requests: Requests for this service are arriving too quickly.", false, 2 * time.Minute},
		{429, "17", ``, "429 Too Many Requests", false, 17 * time.Second},
		{500, "", ``, "500 Internal Server Error", false, 0},
		{200, "", `<html>Welcome to the hotel's network</html>`, `nothing that accepts the event: "<html>Welcome to the hotel's network</html>"; is this PagerDuty?`, false, 0},
		{202, "", `{"status":"invalid event","message":"no"}`, `nothing that accepts the event: "{\"status\":\"invalid event\",\"message\":\"no\"}"; is this PagerDuty?`, false, 0},
	} {
		a, sender := service(t)
		a.answer = func(w http.ResponseWriter) bool {
			if test.retry != "" {
				w.Header().Set("Retry-After", test.retry)
			}
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
			return true
		}
		_, err := sender.Send(t.Context(), notifytest.Opened())
		f := notifytest.Failure(t, err)
		if f.Said != test.said || f.Rejected != test.rejected || f.After != test.after {
			t.Errorf("%d: %+v; want %+v", test.status, *f, test)
		}
	}
}

func TestAnUnknownCertificateIsSaid(t *testing.T) {
	notifytest.Distrusts(t, func(url string) patrol.Sender {
		return notifytest.Open(t, kind.Kind(), patrol.Settings{"routing_key": key, "url": url})
	})
}

func TestSettings(t *testing.T) {
	for field, wrong := range map[string][]string{
		"routing_key": {"", "short", key + "x", strings.Repeat(" k", 16)},
		"url":         {"events.pagerduty.com", "http://events.pagerduty.com", "https://u:p@events.pagerduty.com", "https://events.pagerduty.com/?a=b"},
		"ca":          {"no certificate"},
	} {
		for _, value := range wrong {
			settings := patrol.Settings{"routing_key": key}
			settings[field] = value
			notifytest.Refuses(t, kind.Kind(), settings, field)
		}
	}
	for _, url := range []string{"", "https://events.eu.pagerduty.com", "https://events.eu.pagerduty.com/v2/enqueue"} {
		notifytest.Open(t, kind.Kind(), patrol.Settings{"routing_key": key, "url": url})
	}
}

func TestTheWholeURLMayBeGiven(t *testing.T) {
	a := &alerts{t: t, open: map[string]string{}}
	server := httptest.NewTLSServer(a)
	defer server.Close()
	notifytest.Send(t, notifytest.Open(t, kind.Kind(), patrol.Settings{"routing_key": key, "url": server.URL + "/v2/enqueue", "ca": notifytest.CA(server)}), notifytest.Told())
}

func TestCancelledWhilePagerDutyHangs(t *testing.T) {
	notifytest.Hangs(t, func(url, ca string) patrol.Sender {
		return notifytest.Open(t, kind.Kind(), patrol.Settings{"routing_key": key, "url": url, "ca": ca})
	})
}
