package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/notify"
	nethttp "patrol/internal/notify/http"
	"patrol/internal/notify/notifytest"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/secret"
	"patrol/internal/scan"
)

// BenchmarkLatency appends 100 events a second for twenty seconds, and measures how
// long each takes from its commit until a local endpoint has it; at most 2 s, for 99 of
// 100.
func BenchmarkLatency(b *testing.B) {
	for name, open := range map[string]func(testing.TB, ...db.Migrations) *db.DB{
		"sqlite": func(t testing.TB, m ...db.Migrations) *db.DB {
			return dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), m...)
		},
		"postgresql": func(t testing.TB, m ...db.Migrations) *db.DB {
			return dbtest.OpenPostgres(t, dbtest.PostgresURL(t), m...)
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				took := latencies(b, open(b, event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, notify.Migrations), 2000, 100)
				slices.Sort(took)
				p99 := took[len(took)*99/100]
				b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-median")
				b.ReportMetric(float64(p99.Milliseconds()), "ms-p99")
				if p99 > 2*time.Second {
					b.Errorf("99 of 100 events arrived within %v, want 2 s", p99)
				}
			}
		})
	}
}

// latencies returns how long each of so many events took, of which so many were
// appended in a second.
func latencies(t testing.TB, d *db.DB, events, perSecond int) []time.Duration {
	signals := lease.NewSignals()
	d.OnWake(signals.Wake)
	keeper, err := secret.Open(filepath.Join(t.TempDir(), "secrets.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	nodes := fleet.NewService(d, auth.NewService(d, time.Now), signals, time.Now)
	s := notify.NewService(d, finding.NewService(d, nodes, time.Now), nodes, signals, notify.Options{
		Kinds: []notify.Kind{nethttp.Kind()}, Guard: notifytest.Guard(), Keeper: keeper,
	}, time.Now)
	arrived := newArrivals(t, events)
	to, err := s.CreateIntegration(t.Context(), notify.NewIntegration{Name: "local", Kind: "http", Settings: notify.Settings{"url": arrived.server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.CreateRule(t.Context(), notify.RuleDefinition{Name: "labels", Enabled: true, Types: []string{"node.labelled"}, Limit: 1_000_000, Integrations: []string{to.ID}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	defer running.Wait()
	defer cancel()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	committed := make(map[string]time.Time, events)
	for i := range events {
		<-tick.C
		subject := fmt.Sprint("node-", i)
		dbtest.Write(t, d, func(tx *db.Tx) error {
			return event.Append(t.Context(), tx, time.Now(), "node.labelled", subject, map[string]string{"node": subject})
		})
		committed[subject] = time.Now()
	}
	select {
	case <-arrived.all:
	case <-time.After(time.Minute):
		t.Fatalf("only %d of %d events arrived", len(arrived.at), events)
	}
	took := make([]time.Duration, 0, events)
	for subject, at := range arrived.at {
		took = append(took, at.Sub(committed[subject]))
	}
	return took
}

// arrivals is an endpoint that knows when the first of each came.
type arrivals struct {
	server *httptest.Server
	mu     sync.Mutex
	at     map[string]time.Time
	all    chan struct{}
}

func newArrivals(t testing.TB, events int) *arrivals {
	a := &arrivals{at: make(map[string]time.Time, events), all: make(chan struct{})}
	a.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e struct {
			Data notify.Notification `json:"data"`
		}
		var data struct{ Node string }
		if json.NewDecoder(r.Body).Decode(&e) != nil || json.Unmarshal(e.Data.Data, &data) != nil {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if _, ok := a.at[data.Node]; ok {
			return
		}
		a.at[data.Node] = time.Now()
		if len(a.at) == events {
			close(a.all)
		}
	}))
	t.Cleanup(a.server.Close)
	return a
}
