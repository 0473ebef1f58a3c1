package sumologic_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/sumologic"
)

func TestMain(m *testing.M) { os.Exit(notifytest.Trusting(m)) }

const path = "/receiver/v1/http/ZaVnC4dhaV1=="

// source is an HTTP source that keeps messages. Sumo Logic publishes no Go types, for
// a message is any line; what it says of requests and headers is in "Upload Logs to an
// HTTP Source", and of answers in "Troubleshooting HTTP Sources": an error is never
// told with a 200.
type source struct {
	t        *testing.T
	messages []document.Document
	first    []byte
	requests int
}

func (s *source) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	s.requests++
	for name, want := range map[string]string{"Content-Type": "application/x-ndjson", "X-Sumo-Name": "patrol", "X-Sumo-Category": "prod/patrol", "X-Sumo-Host": "patrol.example.com"} {
		if got := r.Header.Get(name); got != want {
			s.t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	if r.Method != http.MethodPost || r.URL.Path != path {
		s.t.Errorf("asked %s %s", r.Method, r.URL)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) > 1_000_000 {
		s.t.Errorf("a body of %d bytes, %v", len(body), err)
	}
	for line := range bytes.Lines(body) {
		if len(line) > 64<<10 || line[len(line)-1] != '\n' {
			s.t.Errorf("a message of %d bytes", len(line))
		}
		var d document.Document
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&d); err != nil {
			s.t.Errorf("%s: %v", line, err)
		}
		s.messages = append(s.messages, d)
		if s.first == nil {
			s.first = bytes.Clone(line)
		}
	}
}

func settings(url string) notify.Settings {
	return notify.Settings{"url": url + path, "category": "prod/patrol", "host": "patrol.example.com"}
}

func start(t *testing.T) (*source, notify.Sender) {
	s := &source{t: t}
	url, _ := notifytest.Serve(t, s.ServeHTTP)
	return s, notifytest.Open(t, sumologic.Kind(), settings(url))
}

func TestArrives(t *testing.T) {
	s, sender := start(t)
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved(""), notifytest.Told()} {
		s.messages = nil
		if _, err := sender.Send(t.Context(), n); err != nil {
			t.Fatalf("%s: %v", n.Action, err)
		}
		if want := max(1, len(n.Findings)); len(s.messages) != want {
			t.Fatalf("%s: %d messages; want %d", n.Action, len(s.messages), want)
		}
		if m := s.messages[0]; m.Action != n.Action || m.Notification != n.ID || m.Title != n.Title || !m.Time.Equal(n.Time) {
			t.Errorf("%s arrives as %+v", n.Action, m)
		}
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, s.first, "", "  "); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "sumologic", pretty.String())
}

func TestManyArePartedWithoutExceedingARequest(t *testing.T) {
	s, sender := start(t)
	if _, err := sender.Send(t.Context(), notifytest.Many()); err != nil {
		t.Fatal(err)
	}
	if len(s.messages) != notify.MostFindings || s.requests < 2 {
		t.Errorf("%d messages in %d requests", len(s.messages), s.requests)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		status      int
		after, body string
		said        string
		rejected    bool
	}{
		{401, "", `{"id":"YTPRA","code":"unauthorized","message":"The URL is not valid"}`, `401 Unauthorized: {"id":"YTPRA","code":"unauthorized","message":"The URL is not valid"}`, false},
		{403, "", "", "403 Forbidden", false},
		{404, "", "", "404 Not Found", false},
		{408, "", "", "408 Request Timeout", false},
		{413, "", "", "413 Request Entity Too Large", true},
		{429, "7", `{"code":"rate.limit.exceeded"}`, `429 Too Many Requests: {"code":"rate.limit.exceeded"}`, false},
		{500, "", "", "500 Internal Server Error", false},
		{503, "", "", "503 Service Unavailable", false},
	} {
		url, _ := notifytest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		_, err := notifytest.Open(t, sumologic.Kind(), settings(url)).Send(t.Context(), notifytest.Opened())
		f := notifytest.Failure(t, err)
		seconds, _ := strconv.Atoi(c.after) // 0 where there is none
		if f.Said != c.said || f.Rejected != c.rejected || f.After != time.Duration(seconds)*time.Second {
			t.Errorf("%d: said %q, rejected %t, after %s; want %q", c.status, f.Said, f.Rejected, f.After, c.said)
		}
	}
}

func TestSettings(t *testing.T) {
	good := "https://endpoint4.collection.us2.sumologic.com" + path
	for field, values := range map[string][]string{
		"url":      {"", "endpoint4.collection.us2.sumologic.com" + path, "http://endpoint4.collection.us2.sumologic.com" + path, "https://endpoint4.collection.us2.sumologic.com/", good + "ä"},
		"category": {strings.Repeat("x", 1025), "a\r\nX-Sumo-Fields: b", "früh"},
		"name":     {"a\nb"},
		"host":     {"a\x00b"},
	} {
		for _, value := range values {
			s := notify.Settings{"url": good}
			s[field] = value
			notifytest.Refuses(t, sumologic.Kind(), s, field)
		}
	}
}

func TestHangs(t *testing.T) {
	notifytest.Hangs(t, func(url, _ string) notify.Sender {
		return notifytest.Open(t, sumologic.Kind(), settings(url))
	})
}

func TestCertificate(t *testing.T) {
	notifytest.Distrusts(t, func(url string) notify.Sender {
		return notifytest.Open(t, sumologic.Kind(), settings(url))
	})
}

// TestTheAddressIsNotKept: the delivery log masks it, for it is a secret.
func TestTheAddressIsNotKept(t *testing.T) {
	s := &source{t: t}
	url, _ := notifytest.Serve(t, s.ServeHTTP)
	ctx, exchange := notify.WithExchange(t.Context())
	if _, err := notifytest.Open(t, sumologic.Kind(), settings(url)).Send(ctx, notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	if request, _ := exchange.Said([]string{url + path}); request == "" || strings.Contains(request, path) {
		t.Errorf("kept %q", request)
	}
}
