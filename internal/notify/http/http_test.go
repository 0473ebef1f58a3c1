package http_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	kind "patrol/internal/notify/http"
	"patrol/internal/notify/notifytest"
	"patrol/internal/platform/outgoing"
)

const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDdGVzdHRlc3Q="

// event is a CloudEvent as a receiver reads it: CloudEvents v1.0.2, "Required
// attributes", "Optional attributes" and "JSON Event Format" section 2; severity is
// an extension. The project publishes an SDK, in which these are methods.
type event struct {
	SpecVersion     string              `json:"specversion"`
	ID              string              `json:"id"`
	Source          string              `json:"source"`
	Type            string              `json:"type"`
	Subject         string              `json:"subject"`
	Time            time.Time           `json:"time"`
	Severity        string              `json:"severity"`
	DataContentType string              `json:"datacontenttype"`
	Data            notify.Notification `json:"data"`
}

// request is one that a receiver took.
type request struct {
	method string
	header http.Header
	body   []byte
	event  event
}

// receiver is one that answers with a status, header and body.
type receiver struct {
	*httptest.Server
	requests []request
	status   int
	header   http.Header
	answer   string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		got := request{method: req.Method, header: req.Header, body: body}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&got.event); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		r.requests = append(r.requests, got)
		for name, values := range r.header {
			w.Header()[name] = values
		}
		w.WriteHeader(r.status)
		if r.status != http.StatusNoContent {
			_, _ = io.WriteString(w, r.answer)
		}
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ca() string {
	return notifytest.CA(r.Server)
}

func (r *receiver) settings() notify.Settings {
	return notify.Settings{"url": r.URL + "/hook?token=hush-hush", "ca": r.ca(), "signing_secret": secret}
}

func send(t *testing.T, settings notify.Settings, n notify.Notification) error {
	t.Helper()
	_, err := notifytest.Open(t, kind.Kind(), settings).Send(t.Context(), n)
	return err
}

func TestActions(t *testing.T) {
	r := newReceiver(t)
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved(""), notifytest.Told()} {
		if err := send(t, r.settings(), n); err != nil {
			t.Fatal(err)
		}
		got := r.requests[len(r.requests)-1]
		want := event{"1.0", n.ID, "/patrol", "patrol.notification." + string(n.Action), n.Key, n.Time, n.Severity, "application/json", n}
		if a, b := text(t, got.event), text(t, want); a != b {
			t.Errorf("got\n%s\nwant\n%s", a, b)
		}
		for name, value := range map[string]string{
			"Content-Type": "application/cloudevents+json; charset=utf-8", "Idempotency-Key": n.ID, "Webhook-Id": n.ID,
		} {
			if got.header.Get(name) != value {
				t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
			}
		}
		if got.method != http.MethodPost {
			t.Errorf("method %s", got.method)
		}
		if !verify(secret, got.header, got.body, time.Now()) {
			t.Errorf("signature %s is wrong", got.header.Get("Webhook-Signature"))
		}
		if n.Action == notify.Opened {
			notifytest.Sample(t, "http", text(t, got.event))
		}
	}
}

// text is indented JSON, as people read it.
func text(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestUnsigned(t *testing.T) {
	r := newReceiver(t)
	settings := r.settings()
	delete(settings, "signing_secret")
	settings["method"] = "PUT"
	settings["headers"] = "Authorization: Bearer abcdef\r\n\nX-Team: one\nX-Team: two: three"
	if err := send(t, settings, notifytest.Told()); err != nil {
		t.Fatal(err)
	}
	got := r.requests[0]
	if got.method != http.MethodPut {
		t.Errorf("method %s", got.method)
	}
	if got.header.Get("Webhook-Signature") != "" {
		t.Error("signed without a secret")
	}
	if teams := got.header["X-Team"]; got.header.Get("Authorization") != "Bearer abcdef" || len(teams) != 2 || teams[1] != "two: three" {
		t.Errorf("headers %v", got.header)
	}
}

func TestLimits(t *testing.T) {
	r := newReceiver(t)
	n := notifytest.Opened()
	n.Title = strings.Repeat("<!channel>\x00\r\n\u202e", 1000)
	n.Text = strings.Repeat("ü", 10_000)
	one := n.Findings[0]
	one.Summary = strings.Repeat("\x01\"<", 4000)
	n.Findings, n.Total = nil, 200
	for range notify.MostFindings {
		n.Findings = append(n.Findings, one)
	}
	if err := send(t, r.settings(), n); err != nil {
		t.Fatal(err)
	}
	got := r.requests[0]
	if len(got.body) > 1_000_000 {
		t.Errorf("%d bytes", len(got.body))
	}
	if found := got.event.Data.Findings; len(found) == 0 || len(found) == 200 || got.event.Data.Total != 200 {
		t.Errorf("%d findings of %d", len(found), got.event.Data.Total)
	}
	if want := strings.Repeat("ü", 4000) + "…"; got.event.Data.Text != want {
		t.Errorf("text of %d bytes", len(got.event.Data.Text))
	}
	if n.Findings[0].Summary != one.Summary {
		t.Error("the caller's findings were changed")
	}

	n = notifytest.Told()
	n.Facts, n.Findings, n.Data = nil, nil, json.RawMessage(`"`+strings.Repeat("x", 2_000_000)+`"`)
	if err := send(t, r.settings(), n); err != nil {
		t.Fatal(err)
	}
	if got := r.requests[1]; len(got.body) > 2000 || !bytes.Contains(got.body, []byte(`"facts":[],"findings":[]`)) {
		t.Errorf("%d bytes: %.200s", len(got.body), got.body)
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		status   int
		header   http.Header
		answer   string
		said     string
		rejected bool
		after    time.Duration
	}{
		{status: 400, answer: "no such type", said: "400 Bad Request: no such type", rejected: true},
		{status: 401, answer: `{"error":"bad signature"}`, said: `401 Unauthorized: {"error":"bad signature"}`},
		{status: 403, said: "403 Forbidden"},
		{status: 404, said: "404 Not Found"},
		{status: 413, said: "413 Request Entity Too Large", rejected: true},
		{status: 429, header: http.Header{"Retry-After": {"120"}}, said: "429 Too Many Requests", after: 2 * time.Minute},
		{status: 500, answer: "oh\nno", said: "500 Internal Server Error: oh no"},
		{status: 503, header: http.Header{"Retry-After": {"7"}}, said: "503 Service Unavailable", after: 7 * time.Second},
	} {
		r := newReceiver(t)
		r.status, r.header, r.answer = c.status, c.header, c.answer
		f := notifytest.Failure(t, send(t, r.settings(), notifytest.Opened()))
		if f.Said != c.said || f.Rejected != c.rejected || f.After != c.after {
			t.Errorf("%d: %+v", c.status, f)
		}
	}
}

func TestRedirect(t *testing.T) {
	other, r := newReceiver(t), newReceiver(t)
	r.status, r.header = http.StatusTemporaryRedirect, http.Header{"Location": {other.URL}}
	if err := send(t, r.settings(), notifytest.Opened()); !errors.Is(err, outgoing.ErrRedirect) {
		t.Errorf("error %v", err)
	}
	if len(other.requests) > 0 {
		t.Error("the redirect was followed")
	}
}

func TestUntrusted(t *testing.T) {
	r := newReceiver(t)
	settings := r.settings()
	delete(settings, "ca")
	if err := send(t, settings, notifytest.Opened()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
}

func TestForbiddenAddress(t *testing.T) {
	r := newReceiver(t)
	sender, err := kind.Kind().Prepare(r.settings(), outgoing.New(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.Send(t.Context(), notifytest.Opened()); !errors.Is(err, outgoing.ErrAddress) {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // an answer now would come beside the cancelling
	}))
	defer server.Close()
	sender := notifytest.Open(t, kind.Kind(), notify.Settings{"url": server.URL})
	if _, err := sender.Send(ctx, notifytest.Opened()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestSettings(t *testing.T) {
	good := func(field, value string) notify.Settings {
		return notify.Settings{"url": "https://hooks.example.com/", field: value}
	}
	for _, c := range []struct{ field, value string }{
		{"url", ""},
		{"url", "hooks.example.com"},
		{"url", "ftp://hooks.example.com"},
		{"url", "https://user:word@hooks.example.com"},
		{"method", "GET"},
		{"signing_secret", "whsec_short"},
		{"signing_secret", "whsec_" + strings.Repeat("AAAA", 22)},
		{"signing_secret", "a plain password, and a long one"},
		{"headers", "no header"},
		{"headers", "Two Words: x"},
		{"headers", "X-A: b\x00c"},
		{"headers", "X-A: b\rX-B: c"},
		{"headers", "host: elsewhere"},
		{"headers", "Content-Length: 3"},
		{"headers", "Transfer-Encoding: chunked"},
		{"headers", "X-A: b\nwebhook-signature: v1,x"},
		{"ca", "no certificate"},
	} {
		notifytest.Refuses(t, kind.Kind(), good(c.field, c.value), c.field)
	}
	_, err := kind.Kind().Prepare(good("headers", "X-A: hush\x00hush"), notifytest.Guard())
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v shows the value", err)
	}
}

// What the page shows receivers is what is tested.
func TestPageShowsExample(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "\nfunc verify(")
	body, _, _ := strings.Cut(rest, "\n}\n")
	page, err := os.ReadFile("../../../docs/integrations/http.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "func verify("+body+"\n}\n") {
		t.Error("docs/integrations/http.md shows another verify than example_test.go has")
	}
}
