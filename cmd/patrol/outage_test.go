package main_test

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/scan"
)

// TestDatabaseGone takes the database away in the middle of a scan of every node,
// until the console has refused its agents several times.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	const agents = 20
	outage(t, agents, func(address string) {
		eventually(t, "agents that are refused", func() bool { return refusals(t, address) >= agents/2 })
	})
}

// outage has scans under way while the database goes and asks for more before it
// comes back: all of them end, once; the nodes are there; whoever follows the events
// sees each of them once.
func outage(t *testing.T, agents int, gone func(address string)) {
	database, dir := dbtest.StartPostgres(t), t.TempDir()
	_, address := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Patrol console on ", "console",
		"--data-dir", dir, "--listen", "127.0.0.1:0", "--feed-url", filepath.Join(dir, "nowhere"), "--database-url", database.URL)
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Console: parsed, HTTP: &http.Client{}}
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	heard := listen(t, c)
	startAgents(t, c, agents)
	eventually(t, "every node", func() bool { return len(all[fleet.Node](t, c, "nodes", nil)) == agents })
	asked := map[string]bool{}
	ask := func() error {
		var started scan.Started
		err := c.Do(t.Context(), http.MethodPost, "scans", scan.StartRequest{Selector: "true"}, &started)
		for _, s := range started.Items {
			asked[s.ID] = true
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "scans under way", func() bool {
		return slices.ContainsFunc(all[scan.Scan](t, c, "scans", nil), scan.Scan.Finished)
	})
	database.Stop(t)
	stopped := time.Now()
	gone(address)
	var refused *client.Refused
	if err := ask(); !errors.As(err, &refused) || refused.Status/100 != 5 {
		t.Errorf("a scan that is asked for without a database: %v; want a 5xx", err)
	}
	database.Start(t)
	started := time.Now()
	t.Logf("the database was gone for %v; %.0f calls of agents were refused", started.Sub(stopped).Round(time.Millisecond), refusals(t, address))
	eventually(t, "scans that are asked for again", func() bool { return ask() == nil })
	eventually(t, "the end of every scan", func() bool {
		return !slices.ContainsFunc(all[scan.Scan](t, c, "scans", nil), func(s scan.Scan) bool { return !s.Finished() })
	})
	t.Logf("all %d scans had ended %v after it came back", len(asked), time.Since(started).Round(time.Millisecond))
	wantScansOnce(t, c, asked, stopped, started)
	if open := all[finding.Occurrence](t, c, "occurrences", nil); len(open) != agents*fixturePairs {
		t.Errorf("%d occurrences are open, want %d", len(open), agents*fixturePairs)
	}
	wantActive(t, c, agents)
	wantHeard(t, c, database.URL, heard)
}

// refusals counts the calls of agents that the console answered with 5xx.
func refusals(t *testing.T, address string) (n float64) {
	t.Helper()
	resp, err := http.Get(address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "} ")
		if strings.HasPrefix(name, "patrol_http_requests_total{") && strings.Contains(name, "/wire/v1/") && strings.Contains(name, `status="5`) {
			count, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			n += count
		}
	}
	return n
}

// heard are the numbers of events that a follower was told, in order.
type heard struct {
	mu  sync.Mutex
	ids []string
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ids)
}

// listen follows all events from the first, until the test ends.
func listen(t *testing.T, c *client.Client) *heard {
	t.Helper()
	h := new(heard)
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	t.Cleanup(func() { cancel(); listening.Wait() })
	listening.Go(func() {
		for e, err := range client.Follow(ctx, c, "0", nil, nil) {
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("follow events: %v", err)
				}
				return
			}
			h.mu.Lock()
			h.ids = append(h.ids, e.ID)
			h.mu.Unlock()
		}
	})
	return h
}

// wantScansOnce compares what was asked for with what there is, and with the log.
func wantScansOnce(t *testing.T, c *client.Client, asked map[string]bool, stopped, started time.Time) {
	t.Helper()
	completed := map[string]int{}
	for e := range everyEvent(t, c, "scan.completed") {
		completed[e.Subject]++
	}
	across := 0
	for _, s := range all[scan.Scan](t, c, "scans", nil) {
		if !asked[s.ID] || s.State != scan.Complete || completed[s.ID] != 1 {
			t.Errorf("scan %s is %s (%s), asked for: %v, completed %d times", s.ID, s.State, s.Error, asked[s.ID], completed[s.ID])
		}
		if s.QueuedAt.Before(stopped) && s.FinishedAt.After(started) {
			across++
		}
		delete(asked, s.ID)
	}
	if across == 0 {
		t.Error("no scan was in flight while the database was gone")
	}
	t.Logf("%d scans were in flight when it went", across)
	if len(asked) > 0 {
		t.Errorf("scans are lost: %v", slices.Collect(maps.Keys(asked)))
	}
}

func everyEvent(t *testing.T, c *client.Client, kind string) func(func(event.CloudEvent) bool) {
	events := all[event.CloudEvent](t, c, "events/log", url.Values{"type": {kind}})
	return slices.Values(events)
}

// wantActive wants every node to be there as if nothing had been.
func wantActive(t *testing.T, c *client.Client, agents int) {
	t.Helper()
	nodes := all[fleet.Node](t, c, "nodes", nil)
	for _, n := range nodes {
		if n.State != fleet.Active {
			t.Errorf("node %s is %s, last seen at %v", n.Name, n.State, n.LastSeen)
		}
	}
	counts := map[string]int{}
	for e := range everyEvent(t, c, "node.*") {
		counts[e.Type]++
	}
	if want := map[string]int{"node.registered": agents}; len(nodes) != agents || !maps.Equal(counts, want) {
		t.Errorf("%d nodes with the events %v; want %v", len(nodes), counts, want)
	}
}

// wantHeard compares what a follower was told with what the log holds.
func wantHeard(t *testing.T, c *client.Client, url string, h *heard) {
	t.Helper()
	d, err := db.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	rows, err := d.Read().QueryContext(t.Context(), `SELECT id FROM event ORDER BY id`)
	log, err := db.All(rows, err, func(scan db.Scan) (string, error) {
		var id int64
		err := scan(&id)
		return strconv.FormatInt(id, 10), err
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last event", func() bool { return slices.Contains(h.all(), log[len(log)-1]) })
	if told := h.all(); !slices.Equal(told[:min(len(told), len(log))], log) {
		t.Errorf("the log holds %d events, and its follower was told of %d: %v and %v", len(log), len(told), log, told)
	}
}
