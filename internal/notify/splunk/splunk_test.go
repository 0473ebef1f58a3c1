package splunk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/document"
	"patrol/internal/notify/notifytest"
	"patrol/internal/notify/splunk"
)

const token = "12345678-1234-1234-1234-1234567890ab"

// event is what the collector takes. Splunk publishes no Go types for it; these are
// the members of "Format events for HTTP Event Collector", and no others are let in.
type event struct {
	Time       json.Number       `json:"time"`
	Host       string            `json:"host"`
	Source     string            `json:"source"`
	SourceType string            `json:"sourcetype"`
	Index      string            `json:"index"`
	Event      document.Document `json:"event"`
}

// collector is a HTTP Event Collector that keeps events.
type collector struct {
	t        *testing.T
	events   []event
	first    json.RawMessage
	channels []string
	requests int
	acks     bool // the token has indexer acknowledgment
	asked    [][]int64
	ready    func(id int64, times int) bool
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Splunk "+token || r.Header.Get("Content-Type") != "application/json" {
		c.t.Errorf("asked %s %s with %v", r.Method, r.URL, r.Header)
	}
	channel := r.Header.Get("X-Splunk-Request-Channel")
	if c.acks == (channel == "") {
		c.t.Errorf("the channel is %q", channel)
	}
	switch r.URL.Path {
	case "/services/collector/event":
		c.keep(r)
		c.channels = append(c.channels, channel)
		if !c.acks {
			say(w, `{"text":"Success","code":0}`)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "indexer", Value: "7", Secure: true})
		say(w, fmt.Sprintf(`{"text":"Success","code":0,"ackId":%d}`, c.requests-1))
	case "/services/collector/ack":
		if cookie, err := r.Cookie("indexer"); err != nil || cookie.Value != "7" {
			c.t.Error("the question goes to any indexer")
		}
		c.acknowledge(w, r)
	default:
		c.t.Errorf("asked for %s", r.URL)
	}
}

func say(w http.ResponseWriter, body string) { _, _ = w.Write([]byte(body)) }

func (c *collector) keep(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) > 1_000_000 {
		c.t.Errorf("a body of %d bytes, %v", len(body), err)
	}
	c.requests++
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	for {
		var e event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.t.Error(err)
			return
		}
		c.events = append(c.events, e)
	}
	if c.first == nil {
		c.first, _, _ = bytes.Cut(body, []byte("\n"))
	}
}

func (c *collector) acknowledge(w http.ResponseWriter, r *http.Request) {
	var question struct {
		Acks []int64 `json:"acks"`
	}
	if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
		c.t.Error(err)
	}
	c.asked = append(c.asked, question.Acks)
	acks := map[string]bool{}
	for _, id := range question.Acks {
		acks[strconv.FormatInt(id, 10)] = c.ready(id, len(c.asked))
	}
	if err := json.NewEncoder(w).Encode(map[string]any{"acks": acks}); err != nil {
		c.t.Error(err)
	}
}

func start(t *testing.T, c *collector) notify.Sender {
	c.t = t
	url, ca := notifytest.Serve(t, c.ServeHTTP)
	return notifytest.Open(t, splunk.Kind(), notify.Settings{"url": url, "token": token, "index": "security", "acknowledge": strconv.FormatBool(c.acks), "ca": ca})
}

func TestArrives(t *testing.T) {
	c := &collector{}
	sender := start(t, c)
	for _, n := range []notify.Notification{notifytest.Opened(), notifytest.Changed(), notifytest.Resolved(""), notifytest.Told()} {
		c.events = nil
		if _, err := sender.Send(t.Context(), n); err != nil {
			t.Fatalf("%s: %v", n.Action, err)
		}
		if want := max(1, len(n.Findings)); len(c.events) != want {
			t.Fatalf("%s: %d events; want %d", n.Action, len(c.events), want)
		}
		e := c.events[0]
		if e.Time != "1787313600.000000" || e.Source != "patrol" || e.SourceType != "patrol:finding" || e.Index != "security" || e.Event.Action != n.Action || e.Event.Notification != n.ID {
			t.Errorf("%s arrives as %+v", n.Action, e)
		}
		if e.Host != e.Event.NodeName {
			t.Errorf("%s: the host is %q; want the node's name", n.Action, e.Host)
		}
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, c.first, "", "  "); err != nil {
		t.Fatal(err)
	}
	notifytest.Sample(t, "splunk", pretty.String())
}

func TestManyGoInRequestsThatTheCloudTakes(t *testing.T) {
	c := &collector{}
	if _, err := start(t, c).Send(t.Context(), notifytest.Many()); err != nil {
		t.Fatal(err)
	}
	if len(c.events) != notify.MostFindings || c.requests < 2 {
		t.Errorf("%d events in %d requests", len(c.events), c.requests)
	}
}

// TestAcknowledged: what the indexer has acknowledged is not asked for again.
func TestAcknowledged(t *testing.T) {
	c := &collector{acks: true, ready: func(id int64, times int) bool { return id == 1 || times >= 3 }}
	sender := start(t, c)
	if _, err := sender.Send(t.Context(), notifytest.Many()); err != nil {
		t.Fatal(err)
	}
	if len(c.asked) != 3 || len(c.asked[0]) != c.requests || len(c.asked[1]) != c.requests-1 || c.asked[1][1] == 1 {
		t.Errorf("of %d requests asked for %v", c.requests, c.asked)
	}
	for range 2 {
		if _, err := sender.Send(t.Context(), notifytest.Changed()); err != nil {
			t.Fatal(err)
		}
	}
	last := len(c.channels) - 1
	if c.channels[last] != c.channels[last-1] || c.channels[last] == c.channels[0] || len(c.channels[0]) != 36 {
		t.Errorf("channels %v; want one UUID for each notification", c.channels)
	}
}

func TestNeverAcknowledged(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &collector{acks: true, ready: func(_ int64, times int) bool {
		if times == 2 {
			cancel()
		}
		return false
	}}
	if _, err := start(t, c).Send(ctx, notifytest.Opened()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want that it was cancelled", err)
	}
}

// answering sends to a collector that always says this.
func answering(t *testing.T, acknowledge bool, answers ...answer) error {
	next := 0
	url, ca := notifytest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		a := answers[min(next, len(answers)-1)]
		next++
		if a.after != "" {
			w.Header().Set("Retry-After", a.after)
		}
		w.WriteHeader(a.status)
		say(w, a.body)
	})
	_, err := notifytest.Open(t, splunk.Kind(), notify.Settings{"url": url, "token": token, "acknowledge": strconv.FormatBool(acknowledge), "ca": ca}).Send(t.Context(), notifytest.Opened())
	return err
}

type answer struct {
	status      int
	after, body string
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		answer
		said     string
		rejected bool
	}{
		{answer{403, "", `{"text":"Invalid token","code":4}`}, "403 Forbidden: Invalid token (code 4)", false},
		{answer{401, "", `{"text":"Token is required","code":2}`}, "401 Unauthorized: Token is required (code 2)", false},
		{answer{400, "", `{"text":"Invalid data format","code":6,"invalid-event-number":0}`}, "400 Bad Request: Invalid data format (code 6), event 0", true},
		{answer{400, "", `{"text":"Incorrect index","code":7,"invalid-event-number":1}`}, "400 Bad Request: Incorrect index (code 7), event 1", false},
		{answer{400, "", `{"text":"Data channel is missing","code":10}`}, "400 Bad Request: Data channel is missing (code 10)", false},
		{answer{404, "", `{"text":"The requested URL was not found on this server.","code":404}`}, "404 Not Found: The requested URL was not found on this server. (code 404)", false},
		{answer{413, "", "Content-Length of 1000001 too large"}, "413 Request Entity Too Large: Content-Length of 1000001 too large", true},
		{answer{429, "7", ""}, "429 Too Many Requests", false},
		{answer{500, "", `{"text":"Internal server error","code":8}`}, "500 Internal Server Error: Internal server error (code 8)", false},
		{answer{503, "7", `{"text":"Server is busy","code":9}`}, "503 Service Unavailable: Server is busy (code 9)", false},
		{answer{200, "", `{"text":"Server is busy","code":9}`}, "200 OK, but Server is busy (code 9)", false},
		{answer{200, "", "<html>Log in</html>"}, "200 OK, but nothing that the HTTP Event Collector says; is this its address?", false},
	} {
		f := notifytest.Failure(t, answering(t, false, c.answer))
		seconds, _ := strconv.Atoi(c.after) // 0 where there is none
		if f.Said != c.said || f.Rejected != c.rejected || f.After != time.Duration(seconds)*time.Second {
			t.Errorf("%+v: said %q, rejected %t, after %s; want %q", c.answer, f.Said, f.Rejected, f.After, c.said)
		}
	}
}

func TestAcknowledgementsRefused(t *testing.T) {
	taken := answer{200, "", `{"text":"Success","code":0,"ackId":0}`}
	for want, answers := range map[string][]answer{
		"200 OK, but no acknowledgement id: the token has no indexer acknowledgment": {{200, "", `{"text":"Success","code":0}`}},
		"400 Bad Request: ACK is disabled (code 14)":                                 {taken, {400, "", `{"text":"ACK is disabled","code":14}`}},
		"200 OK, but no acknowledgements":                                            {taken, {200, "", `{}`}},
	} {
		if f := notifytest.Failure(t, answering(t, true, answers...)); f.Said != want || f.Rejected {
			t.Errorf("said %q, rejected %t; want %q", f.Said, f.Rejected, want)
		}
	}
}

func TestSettings(t *testing.T) {
	good := "https://splunk.example.com:8088"
	for field, s := range map[string][]notify.Settings{
		"url": {
			{"token": token},
			{"url": "splunk.example.com:8088", "token": token},
			{"url": "ftp://splunk.example.com", "token": token},
			{"url": good + "?channel=1", "token": token},
			{"url": "https://u:p@splunk.example.com", "token": token},
		},
		"token":       {{"url": good}, {"url": good, "token": "Splunk " + token}, {"url": good, "token": "tökén"}},
		"acknowledge": {{"url": good, "token": token, "acknowledge": "yes"}},
		"ca":          {{"url": good, "token": token, "ca": "none"}},
	} {
		for _, settings := range s {
			notifytest.Refuses(t, splunk.Kind(), settings, field)
		}
	}
}

func TestPastedPaths(t *testing.T) {
	for _, path := range []string{"", "/", "/services/collector", "/services/collector/", "/services/collector/event"} {
		c := &collector{t: t}
		url, ca := notifytest.Serve(t, c.ServeHTTP)
		sender := notifytest.Open(t, splunk.Kind(), notify.Settings{"url": url + path, "token": token, "ca": ca})
		if _, err := sender.Send(t.Context(), notifytest.Told()); err != nil || len(c.events) != 1 {
			t.Errorf("%q: %d events, %v", path, len(c.events), err)
		}
	}
}

func TestHangs(t *testing.T) {
	notifytest.Hangs(t, func(url, ca string) notify.Sender {
		return notifytest.Open(t, splunk.Kind(), notify.Settings{"url": url, "token": token, "ca": ca})
	})
}

func TestCertificate(t *testing.T) {
	notifytest.Distrusts(t, func(url string) notify.Sender {
		return notifytest.Open(t, splunk.Kind(), notify.Settings{"url": url, "token": token})
	})
}

// TestTheTokenIsNotKept: what the delivery log holds never shows it.
func TestTheTokenIsNotKept(t *testing.T) {
	ctx, exchange := notify.WithExchange(t.Context())
	if _, err := start(t, &collector{}).Send(ctx, notifytest.Opened()); err != nil {
		t.Fatal(err)
	}
	if request, _ := exchange.Said(nil); request == "" || strings.Contains(request, token) {
		t.Errorf("kept %q", request)
	}
}
