package main_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sensor "patrol/internal/agent"
	"patrol/internal/client"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/operations"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/lease"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// fleetSize is how many scans are in flight when a console is killed.
const fleetSize = 200

// TestReplicas runs three consoles on one database behind a balancer, and kills one
// of them in the middle of a scan of every node: all scans complete, once. A schedule
// that fires every second does so meanwhile, once each.
func TestReplicas(t *testing.T) {
	url, dir := dbtest.PostgresURL(t), t.TempDir()
	balancer := balance(t)
	consoles := make([]*process, 3)
	for i := range consoles {
		p, address := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Patrol console on ", "console",
			"--data-dir", filepath.Join(dir, fmt.Sprint(i)), "--listen", "127.0.0.1:0", "--feed-url", filepath.Join(dir, "nowhere"),
			"--database-url", url, "--blob-url", "file://"+filepath.Join(dir, "blobs"))
		consoles[i] = p
		balancer.add(address)
	}
	c := balancer.client(t)
	startAgents(t, c, fleetSize)
	eventually(t, "every node", func() bool { return len(all[fleet.Node](t, c, "nodes", nil)) == fleetSize })
	var ticking schedule.Schedule
	every := schedule.Definition{Name: "every second", Cron: "* * * * * *", Selector: "false", Enabled: true}
	if err := c.Do(t.Context(), "POST", "schedules", every, &ticking); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), "POST", "scans", scan.StartRequest{Selector: "true"}, nil); err != nil {
		t.Fatal(err)
	}
	states := func() map[string]int {
		count := map[string]int{}
		for s, err := range client.List[scan.Scan](t.Context(), c, "scans", nil) {
			if err != nil {
				t.Logf("asked in vain: %v", err) // as who was led to a console that is killed
				return nil
			}
			count[s.State]++
		}
		return count
	}
	eventually(t, "scans under way", func() bool { s := states(); return s[scan.Complete] > 0 })
	consoles[rand.N(len(consoles))].kill(t)
	killed := time.Now()
	eventually(t, "the end of every scan", func() bool { return states()[scan.Complete] == fleetSize })
	took := time.Since(killed)
	t.Logf("all scans were complete %v after a console was killed", took.Round(time.Millisecond))
	// An agent that is not woken asks after 30 s, and then it scans.
	if limit := lease.Duration + 30*time.Second + 10*time.Second; took > limit {
		t.Errorf("scans took %v after a console was killed, want at most a lease, a poll and the scan: %v", took, limit)
	}
	if open := all[finding.Occurrence](t, c, "occurrences", nil); len(open) != fleetSize*fixturePairs {
		t.Errorf("%d occurrences are open, want %d", len(open), fleetSize*fixturePairs)
	}
	d, err := db.OpenPostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM event WHERE type = 'scan.completed'`); n != fleetSize {
		t.Errorf("%d scans were completed by the log, want %d", n, fleetSize)
	}
	if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM result_of`); n != 1 {
		t.Errorf("one inventory was matched %d times", n)
	}
	wantEverySecond(t, all[schedule.Run](t, c, "schedules/"+ticking.ID+"/runs", nil))
}

// wantEverySecond wants a run for each second, or a later one that stands for it, and
// none for two.
func wantEverySecond(t *testing.T, runs []schedule.Run) {
	t.Helper()
	if len(runs) < 5 {
		t.Fatalf("%d runs", len(runs))
	}
	for i, run := range runs[:len(runs)-1] { // the newest first
		before := runs[i+1].ScheduledFor
		if gap := run.ScheduledFor.Sub(before); gap != time.Duration(1+run.Missed)*time.Second {
			t.Errorf("a run for %v, standing for %d more, follows one for %v", run.ScheduledFor, run.Missed, before)
		}
		if run.State == schedule.Running && time.Since(run.FiredAt) > time.Minute {
			t.Errorf("run %+v goes on", run)
		}
	}
	t.Logf("fired %d times, for %v", len(runs), runs[0].ScheduledFor.Sub(runs[len(runs)-1].ScheduledFor))
}

// startAgents runs agents in this process, until the test ends, whose nodes are
// scanned when the test asks for it alone.
func startAgents(t *testing.T, c *client.Client, n int) {
	t.Helper()
	token, err := c.CreateToken(t.Context(), "enrolment", "fleet")
	if err != nil {
		t.Fatal(err)
	}
	onDemandOnly(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	dir := t.TempDir()
	for i := range n {
		running.Go(func() {
			err := sensor.Run(ctx, sensor.Options{
				Console: c.Console, EnrolmentToken: token.Token, HTTP: c.HTTP, Root: fixture, DataDir: filepath.Join(dir, fmt.Sprint(i)),
				Unwatched: true, // the kernel lets one user watch in 128 places
			})
			if err != nil && ctx.Err() == nil {
				t.Errorf("agent %d: %v", i, err)
			}
		})
	}
}

// onDemandOnly has no node scanned by itself.
func onDemandOnly(t *testing.T, c *client.Client) {
	t.Helper()
	var settings operations.Settings
	err := c.Do(t.Context(), "GET", "settings", nil, &settings)
	if err == nil {
		settings.Automatic = operations.Automatic{OnArrival: []string{}, OnChange: []string{}}
		err = c.Do(t.Context(), "PUT", "settings", settings, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// balancer passes each connection on to a console that answers.
type balancer struct {
	listener net.Listener
	mu       sync.Mutex
	consoles []string
}

func balance(t *testing.T) *balancer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: listener}
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go b.pass(from)
		}
	})
	t.Cleanup(func() { _ = listener.Close(); passing.Wait() })
	return b
}

func (b *balancer) add(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	parsed, err := url.Parse(address)
	if err == nil {
		b.consoles = append(b.consoles, parsed.Host)
	}
}

func (b *balancer) pass(from net.Conn) {
	defer func() { _ = from.Close() }()
	b.mu.Lock()
	consoles := append([]string{}, b.consoles...)
	b.mu.Unlock()
	rand.Shuffle(len(consoles), func(i, j int) { consoles[i], consoles[j] = consoles[j], consoles[i] })
	for _, address := range consoles {
		to, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			continue
		}
		defer func() { _ = to.Close() }()
		go func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
		}()
		_, _ = io.Copy(from, to)
		return
	}
}

// client signs in through the balancer. Its calls do not share connections, so
// they come to all consoles.
func (b *balancer) client(t *testing.T) *client.Client {
	t.Helper()
	c := &client.Client{
		Console: &url.URL{Scheme: "http", Host: b.listener.Addr().String()},
		HTTP:    &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	return c
}
