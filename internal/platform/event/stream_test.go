package event_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
)

// never is longer than any test.
const never = time.Hour

// served is a log that answers over real HTTP, to a viewer.
type served struct {
	*event.Log
	t   *testing.T
	db  *db.DB
	url string

	client *http.Client
}

func serve(t *testing.T, d *db.DB) served {
	t.Helper()
	return serveOver(t, d, (*httptest.Server).Start)
}

func serveOver(t *testing.T, d *db.DB, start func(*httptest.Server)) served {
	t.Helper()
	signals := lease.NewSignals()
	d.OnWake(signals.Wake)
	l := event.NewLog(d, signals, clocktest.At(noon).Now)
	l.SetPace(never, never, time.Minute)
	mux := http.NewServeMux()
	l.Routes(rest.New(mux, "test"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(access.With(r.Context(), access.Principal{Role: access.Viewer})))
	}))
	start(server)
	t.Cleanup(server.Close)
	return served{l, t, d, server.URL, server.Client()}
}

// append writes events of that type, in a transaction each.
func (s served) append(kind string, subjects ...string) {
	s.t.Helper()
	for _, subject := range subjects {
		dbtest.Write(s.t, s.db, func(tx *db.Tx) error {
			return event.Append(s.t.Context(), tx, noon, kind, subject, map[string]string{"of": subject})
		})
	}
}

func (s served) get(query string, headers ...string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/api/v1/events"+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// reader reads a stream.
type reader struct {
	t     *testing.T
	body  io.Closer
	lines *bufio.Scanner
	// seen is the last id, with or without an event.
	seen string
}

func (s served) follow(query string, headers ...string) *reader {
	s.t.Helper()
	resp := s.get(query, headers...)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("%s answers %d: %s", query, resp.StatusCode, body)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return &reader{t: s.t, body: resp.Body, lines: lines}
}

// position reads the id that a stream begins with, or sends as a heartbeat.
func (r *reader) position() string {
	r.t.Helper()
	if !r.lines.Scan() || r.lines.Text() != ": heartbeat" || !r.lines.Scan() {
		r.t.Fatalf("%q is no heartbeat", r.lines.Text())
	}
	r.seen = strings.TrimPrefix(r.lines.Text(), "id: ")
	return r.seen
}

// next reads one event.
func (r *reader) next() (e event.CloudEvent) {
	r.t.Helper()
	for r.lines.Scan() {
		if id, ok := strings.CutPrefix(r.lines.Text(), "id: "); ok {
			r.seen = id
		}
		if data, ok := strings.CutPrefix(r.lines.Text(), "data: "); ok {
			if err := json.Unmarshal([]byte(data), &e); err != nil || e.ID != r.seen {
				r.t.Fatalf("%.200s has the id %s: %v", data, r.seen, err)
			}
			return e
		}
	}
	r.t.Fatalf("the stream ended: %v", r.lines.Err())
	return e
}

func TestStream(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d)
		s.append("node.registered", "before")
		r := s.follow("")
		if at := r.position(); at != "1" {
			t.Errorf("the stream begins at %s; want 1", at)
		}
		s.append("scan.completed", "s1")
		e := r.next()
		if e.SpecVersion != "1.0" || e.ID != "2" || e.Type != "scan.completed" || e.Subject != "s1" || e.Source == "" ||
			!e.Time.Equal(noon) || e.DataContentType != "application/json" || string(e.Data) != `{"of":"s1"}` {
			t.Errorf("event = %+v", e)
		}
		s.append("scan.completed", "s2")
		if e := r.next(); e.Subject != "s2" {
			t.Errorf("event = %+v", e)
		}
	}, event.Migrations)
}

func TestStreamByType(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d)
		r := s.follow("?after=0&type=scan.completed,node.*")
		s.append("node.registered", "n1")
		s.append("nodes.counted", "other")
		s.append("scan.failed", "other")
		s.append("scan.completed", "s1")
		s.append("node.left", "n2")
		for _, want := range []string{"n1", "s1", "n2"} {
			if e := r.next(); e.Subject != want {
				t.Errorf("event = %+v; want %s", e, want)
			}
		}
		for _, wrong := range []string{"scan%20completed", "*.completed", "Scan.x", "a.**", "."} {
			if resp := s.get("?type=" + wrong); resp.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("the type %q answers %d", wrong, resp.StatusCode)
			}
		}
	}, event.Migrations)
}

// Whoever is cut off again and again, amid transactions that overlap, misses
// nothing and sees nothing twice.
func TestStreamResumes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d)
		const writers, each = 8, 25
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for i := range each {
					err := d.Write(t.Context(), func(tx *db.Tx) error {
						return event.Append(t.Context(), tx, noon, "scan.completed", fmt.Sprintf("%d/%d", w, i), nil)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		subjects := make(map[string]bool)
		var last int64
		seen := "0"
		for len(subjects) < writers*each {
			r := s.follow("?after=0", "Last-Event-ID", seen)
			for range min(7, writers*each-len(subjects)) {
				e := r.next()
				id, err := strconv.ParseInt(e.ID, 10, 64)
				if err != nil || id <= last || subjects[e.Subject] {
					t.Fatalf("event %s of %s follows %d", e.ID, e.Subject, last)
				}
				last, subjects[e.Subject] = id, true
			}
			seen = r.seen
			_ = r.body.Close()
		}
		group.Wait()
	}, event.Migrations)
}

func TestSlowReaderIsDropped(t *testing.T) {
	d := dbtest.OpenSQLite(t, t.TempDir()+"/patrol.db", event.Migrations)
	s, patient := serve(t, d), serve(t, d)
	s.SetPace(never, never, 300*time.Millisecond)
	// More than the buffers of two sockets hold.
	const events = 400
	large := strings.Repeat("x", 64<<10)
	dbtest.Write(t, d, func(tx *db.Tx) error {
		for i := range events {
			if err := event.Append(t.Context(), tx, noon, "scan.completed", fmt.Sprint(i), large); err != nil {
				return err
			}
		}
		return nil
	})
	address, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := new(net.Dialer).DialContext(t.Context(), "tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	if _, err := io.WriteString(slow, "GET /api/v1/events?after=0 HTTP/1.1\r\nHost: console\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// Another one is not held up by it.
	fast := patient.follow("?after=0")
	for i := range events {
		if e := fast.next(); e.Subject != fmt.Sprint(i) {
			t.Fatalf("event %s of %s; want that of %d", e.ID, e.Subject, i)
		}
	}
	waitUntil(t, func() bool { _, dropped := s.Streams(); return dropped == 1 })
	// What it has of its stream ends, and it goes on from there.
	lines := bufio.NewScanner(slow)
	lines.Buffer(nil, 1<<20)
	seen := "0"
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e event.CloudEvent
			if json.Unmarshal([]byte(data), &e) == nil {
				seen = e.ID
			}
		}
	}
	n, err := strconv.Atoi(seen)
	if err != nil || n >= events {
		t.Fatalf("the slow reader was sent everything, up to %s", seen)
	}
	resumed := patient.follow("", "Last-Event-ID", seen)
	for i := n; i < events; i++ {
		if e := resumed.next(); e.Subject != fmt.Sprint(i) {
			t.Fatalf("resumed with event %s of %s; want that of %d", e.ID, e.Subject, i)
		}
	}
}

// waitUntil asks until it is so.
func waitUntil(t *testing.T, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatal("it never was")
		case <-tick.C:
		}
	}
}

func TestHeartbeatTellsThePosition(t *testing.T) {
	d := dbtest.OpenSQLite(t, t.TempDir()+"/patrol.db", event.Migrations)
	s := serve(t, d)
	s.SetPace(never, 10*time.Millisecond, time.Minute)
	r := s.follow("?type=scan.completed")
	r.position()
	s.append("node.registered", "n1", "n2")
	for r.seen != "2" {
		if !r.lines.Scan() {
			t.Fatal(r.lines.Err())
		}
		if id, ok := strings.CutPrefix(r.lines.Text(), "id: "); ok {
			r.seen = id
		}
		if strings.HasPrefix(r.lines.Text(), "data") {
			t.Fatalf("an event of another type: %s", r.lines.Text())
		}
	}
}

// On HTTP/2 a deadline for writing ends a stream also while nothing is written.
func TestStreamOutlastsItsPatienceOnHTTP2(t *testing.T) {
	d := dbtest.OpenSQLite(t, t.TempDir()+"/patrol.db", event.Migrations)
	s := serveOver(t, d, func(server *httptest.Server) {
		server.EnableHTTP2 = true
		server.StartTLS()
	})
	s.SetPace(never, 300*time.Millisecond, 100*time.Millisecond)
	r := s.follow("")
	for range 3 {
		r.position()
		if r.lines.Scan(); r.lines.Text() != "" {
			t.Errorf("a heartbeat goes on with %q", r.lines.Text())
		}
	}
	s.append("scan.completed", "s1")
	if e := r.next(); e.Subject != "s1" {
		t.Errorf("event = %+v", e)
	}
}

func TestSweptAndUnknownPositions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d)
		at := func(kind string, moment time.Time) {
			dbtest.Write(t, d, func(tx *db.Tx) error { return event.Append(t.Context(), tx, moment, kind, "x", nil) })
		}
		at("marker", noon.Add(-4*time.Hour))
		for range 3 {
			at("scan.completed", noon.Add(-3*time.Hour))
		}
		at("scan.completed", noon)
		at("scan.completed", noon.Add(-3*time.Hour)) // of a console whose clock is wrong
		removed, err := s.SweepBefore(t.Context(), noon.Add(-time.Hour), "marker")
		if err != nil || removed != 3 {
			t.Fatalf("SweepBefore = %d, %v; want 3", removed, err)
		}
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM event WHERE type = 'marker'`); n != 1 {
			t.Error("an event that was to be kept is gone")
		}
		for _, c := range []struct {
			query, header string
			status        int
			says          string
		}{
			{"?after=3", "", http.StatusGone, "after=4"},
			{"", "1", http.StatusGone, "after=4"},
			{"?after=7", "", http.StatusGone, "ends at 6"},
			{"?after=x", "", http.StatusUnprocessableEntity, "number"},
			{"?after=-1", "", http.StatusUnprocessableEntity, "number"},
		} {
			headers := []string{"Last-Event-ID", c.header}
			if c.header == "" {
				headers = nil
			}
			resp := s.get(c.query, headers...)
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || !strings.Contains(string(body), c.says) || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%+v answers %d: %s", c, resp.StatusCode, body)
			}
		}
		for _, query := range []string{"?after=4", "?after=0"} {
			if e := s.follow(query).next(); e.ID != "5" {
				t.Errorf("%s begins with %s; want 5", query, e.ID)
			}
		}
		if removed, err := s.SweepBefore(t.Context(), noon.Add(time.Hour), "marker"); err != nil || removed != 2 {
			t.Errorf("SweepBefore = %d, %v; want 2", removed, err)
		}
		r := s.follow("?after=6") // all are gone, and none was missed
		s.append("scan.completed", "s")
		if e := r.next(); e.ID != "7" {
			t.Errorf("event = %+v", e)
		}
	}, event.Migrations)
}

func TestSweepInBatches(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d)
		dbtest.Write(t, d, func(tx *db.Tx) error {
			for range 4500 {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO event (type, subject, time, data) VALUES ('t', '', $1, '{}')`, noon.UnixMicro())
				if err != nil {
					return err
				}
			}
			return nil
		})
		removed, err := s.SweepBefore(t.Context(), noon.Add(time.Second))
		if err != nil || removed != 4500 {
			t.Errorf("SweepBefore = %d, %v; want 4500", removed, err)
		}
	}, event.Migrations)
}

func TestList(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d)
		s.append("scan.completed", "1", "2", "3")
		s.append("node.registered", "4")
		s.append("scan.failed", "5")
		subjects := func(q event.Query, limit int) (all string) {
			p := rest.Paging{Limit: limit}
			for {
				page, err := s.List(t.Context(), q, p)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Items {
					all += e.Subject
				}
				if p.Cursor = page.Next; p.Cursor == "" {
					return all
				}
			}
		}
		for want, q := range map[string]event.Query{
			"54321": {}, "12345": {Order: "oldest"}, "5321": {Type: []string{"scan.*"}}, "4": {Type: []string{"node.registered"}},
			"345": {Order: "oldest", After: 2}, "543": {After: 2}, "45": {Order: "oldest", Type: []string{"node.*", "scan.failed"}},
		} {
			if got := subjects(q, 2); got != want {
				t.Errorf("%+v lists %s; want %s", q, got, want)
			}
		}
	}, event.Migrations)
}
