package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/notify"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

// TestKillWhileNotifying kills the console three times while it delivers 400
// notifications to a far side that fails.
func TestKillWhileNotifying(t *testing.T) {
	t.Parallel()
	killWhileNotifying(t, 400, 3, 0.005)
}

// perKey is how many notifications there are of each key.
const perKey = 10

// killWhileNotifying has a rule tell of so many events to a far side that fails 30 %
// of calls, is slow, and hangs now and then, and kills the console again and again:
// each notification arrives at least once, counts once by its key of idempotency, and
// none comes before an earlier one of its key.
func killWhileNotifying(t *testing.T, notifications, kills int, hangs float64) {
	far := newWorst(t, hangs)
	dir := t.TempDir()
	begin := func(listen string) (*process, *client.Client) {
		p, address := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password, "PATROL_OUTGOING_ALLOW=127.0.0.0/8"}, "Patrol console on ",
			"console", "--data-dir", dir, "--listen", listen, "--feed-url", filepath.Join(dir, "nowhere"))
		parsed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		c := &client.Client{Console: parsed, HTTP: http.DefaultClient}
		if err := c.SignIn(t.Context(), "admin", password); err != nil {
			t.Fatal(err)
		}
		return p, c
	}
	p, c := begin("127.0.0.1:0")
	var to notify.Integration
	add := notify.NewIntegration{Name: "worst", Kind: "http", Settings: notify.Settings{"url": far.server.URL}}
	if err := c.Do(t.Context(), http.MethodPost, "integrations", add, &to); err != nil {
		t.Fatal(err)
	}
	rule := notify.RuleDefinition{Name: "labels", Enabled: true, Types: []string{"node.labelled"}, Limit: 1_000_000, Integrations: []string{to.ID}}
	if err := c.Do(t.Context(), http.MethodPost, "rules", rule, nil); err != nil {
		t.Fatal(err)
	}
	p.kill(t)
	appendLabels(t, dir, notifications)
	began := time.Now()
	p, c = begin(c.Console.Host)
	for i := range kills {
		share := notifications * i / kills
		eventually(t, fmt.Sprintf("notification %d", share), func() bool { return far.count() >= share })
		time.Sleep(rand.N(300 * time.Millisecond)) // any instant
		t.Logf("%v: killed with %d arrived", time.Since(began).Round(time.Millisecond), far.count())
		p.kill(t)
		p, c = begin(c.Console.Host)
	}
	t.Logf("%v: killed for the last time, with %d arrived", time.Since(began).Round(time.Millisecond), far.count())
	defer func() {
		if t.Failed() {
			t.Logf("%d arrived; the integration is %+v", far.count(), all[notify.Integration](t, c, "integrations", nil))
			for _, d := range all[notify.Delivery](t, c, "deliveries", url.Values{"state": {notify.Pending}}) {
				t.Logf("%+v", d)
			}
		}
	}()
	for n := far.count(); n < notifications; n = far.count() {
		// The seventh attempt of one that fails again and again comes a minute after the
		// sixth, the eighth two minutes later.
		within(t, 2*patience, "another notification", func() bool { return far.count() > n })
	}
	eventually(t, "the end of every delivery", func() bool {
		return len(all[notify.Delivery](t, c, "deliveries", url.Values{"state": {notify.Pending}})) == 0
	})
	if n := len(all[notify.Delivery](t, c, "deliveries", url.Values{"state": {notify.Delivered}})); n != notifications {
		t.Errorf("%d deliveries by the log, want %d", n, notifications)
	}
	far.mu.Lock()
	defer far.mu.Unlock()
	if len(far.ids) != notifications || far.keys() != notifications/perKey {
		t.Errorf("%d notifications of %d keys arrived, want %d of %d", len(far.ids), far.keys(), notifications, notifications/perKey)
	}
	for _, wrong := range far.wrong {
		t.Error(wrong)
	}
	t.Logf("%d notifications in %v with %d kills: asked %d times, of which %d failed, %d hung, and %d repeated one that counted already",
		notifications, time.Since(began).Round(time.Millisecond), kills, far.asked, far.failed, far.hung, far.repeated)
}

// appendLabels writes events into the log of a console that does not run.
func appendLabels(t *testing.T, dir string, n int) {
	t.Helper()
	d, err := db.Open(t.Context(), filepath.Join(dir, "patrol.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	dbtest.Write(t, d, func(tx *db.Tx) error {
		for i := range n {
			subject := fmt.Sprintf("node-%d", i%(n/perKey))
			if err := event.Append(t.Context(), tx, time.Now(), "node.labelled", subject, map[string]int{"turn": i/(n/perKey) + 1}); err != nil {
				return err
			}
		}
		return nil
	})
}

// worst is a far side of bad days.
type worst struct {
	server *httptest.Server
	hangs  float64

	mu                            sync.Mutex
	ids                           map[string]bool
	last                          map[string]int // turn by key
	wrong                         []string
	asked, failed, hung, repeated int
}

func newWorst(t *testing.T, hangs float64) *worst {
	w := &worst{hangs: hangs, ids: make(map[string]bool), last: make(map[string]int)}
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	return w
}

func (w *worst) serve(rw http.ResponseWriter, r *http.Request) {
	var e struct {
		Data notify.Notification `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	fate := rand.Float64()
	w.mu.Lock()
	w.asked++
	if fate > 0.15 { // a failure before it counts
		w.take(r.Header.Get("Idempotency-Key"), e.Data)
	}
	if fate < 0.3 {
		w.failed++
	}
	hang := fate > 1-w.hangs
	if hang {
		w.hung++
	}
	w.mu.Unlock()
	switch {
	case fate < 0.3:
		http.Error(rw, "a bad day", http.StatusInternalServerError)
	case hang:
		<-r.Context().Done() // for ever, as far as it goes
	case fate > 0.95-w.hangs:
		time.Sleep(200 * time.Millisecond) // a slow answer
	}
}

// take counts a notification once, whose turn may be that of the last of its key or
// the next.
func (w *worst) take(id string, n notify.Notification) {
	if id == "" || id != n.ID {
		w.wrong = append(w.wrong, fmt.Sprintf("notification %q has the idempotency key %q", n.ID, id))
	}
	var data struct{ Turn int }
	if err := json.Unmarshal(n.Data, &data); err != nil {
		w.wrong = append(w.wrong, err.Error())
	}
	if w.ids[id] {
		w.repeated++
		if data.Turn != w.last[n.Key] {
			w.wrong = append(w.wrong, fmt.Sprintf("turn %d of %s came again after %d", data.Turn, n.Key, w.last[n.Key]))
		}
		return
	}
	w.ids[id] = true
	if data.Turn != w.last[n.Key]+1 {
		w.wrong = append(w.wrong, fmt.Sprintf("turn %d of %s came after %d", data.Turn, n.Key, w.last[n.Key]))
	}
	w.last[n.Key] = data.Turn
}

func (w *worst) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ids)
}

func (w *worst) keys() int { return len(w.last) }
