package operations

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/scan"
)

// scrapeTime bounds the questions of one scrape.
const scrapeTime = 5 * time.Second

// report is what is asked of the database and the feed whenever somebody scrapes.
type report struct {
	s *Service
	// questions are asked one by one: a failure of one leaves the others.
	questions []question

	mu     sync.Mutex
	read   int64 // how far the event log was counted; -1 before the first scrape
	events map[string]float64
}

// question gives one metric its values.
type question struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	ask  func(ctx context.Context, tell tell) error
}

// tell gives a metric its value.
type tell func(value float64, labels ...string)

func newReport(s *Service) *report {
	r := &report{s: s, read: -1, events: make(map[string]float64)}
	r.database()
	gauge := func(name, help string, ask func(context.Context, tell) error, labels ...string) {
		r.add(prometheus.GaugeValue, name, help, labels, ask)
	}
	gauge("patrol_check", "Whether a check of /readyz is well: 1 or 0.", r.checks, "check")
	gauge("patrol_scans", "Scans that are not finished.", r.scans, "state")
	gauge("patrol_scan_oldest_queued_seconds", "How long the scan has waited that has waited the longest.", r.oldest)
	gauge("patrol_queue_lateness_seconds", "How long ago the work was due that is due the longest and that nobody does; commands of inactive nodes left out.", r.lateness, "queue")
	gauge("patrol_nodes", "Nodes.", r.nodes, "kind")
	gauge("patrol_agents", "Agents: active ones have sent a heartbeat lately.", r.agents, "state")
	if s.options.Listening != nil {
		gauge("patrol_agents_listening", "Agents that wait at this console for something to do.", func(_ context.Context, t tell) error {
			t(float64(s.options.Listening()))
			return nil
		})
	}
	gauge("patrol_feed_age_seconds", "How old what a source says is.", r.feedAge, "source")
	gauge("patrol_feed_records", "Advisories in the installed revision.", r.feedRecords)
	gauge("patrol_feed_sample", "1 while only the built-in sample is installed.", r.feedSample)
	gauge("patrol_feed_update_failed", "1 if the last update failed.", r.feedFailed)
	gauge("patrol_event_last_id", "The number of the newest event.", r.lastEvent)
	gauge("patrol_event_streams", "Readers of the event stream.", func(_ context.Context, t tell) error {
		open, _ := s.events.Streams()
		t(float64(open))
		return nil
	})
	r.add(prometheus.CounterValue, "patrol_event_streams_dropped_total", "Readers that were dropped because they took nothing for too long.", nil, func(_ context.Context, t tell) error {
		_, dropped := s.events.Streams()
		t(float64(dropped))
		return nil
	})
	r.add(prometheus.CounterValue, "patrol_events_total", "Events of all consoles on this database since this one started.", []string{"type"}, r.countEvents)
	return r
}

func (r *report) add(kind prometheus.ValueType, name, help string, labels []string, ask func(context.Context, tell) error) {
	desc := prometheus.NewDesc(name, help, labels, nil)
	r.questions = append(r.questions, question{desc: desc, kind: kind, ask: ask})
}

// Describe implements prometheus.Collector.
func (r *report) Describe(out chan<- *prometheus.Desc) {
	for _, q := range r.questions {
		out <- q.desc
	}
}

// Collect implements prometheus.Collector.
func (r *report) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	for _, q := range r.questions {
		err := q.ask(ctx, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(q.desc, q.kind, value, labels...)
		})
		if err != nil {
			out <- prometheus.NewInvalidMetric(q.desc, err)
		}
	}
}

// database adds what the database has done; it asks nothing of it.
func (r *report) database() {
	d := r.s.db
	pools := func(t func(name string, s sql.DBStats)) {
		stats := d.Stats()
		t("writer", stats.Writer)
		t("reader", stats.Reader)
	}
	r.add(prometheus.GaugeValue, "patrol_database_connections", "Connections to the database.", []string{"pool", "state"}, func(_ context.Context, t tell) error {
		pools(func(name string, s sql.DBStats) {
			t(float64(s.InUse), name, "in_use")
			t(float64(s.Idle), name, "idle")
		})
		return nil
	})
	r.add(prometheus.CounterValue, "patrol_database_waits_total", "How often a connection had to be waited for.", []string{"pool"}, func(_ context.Context, t tell) error {
		pools(func(name string, s sql.DBStats) { t(float64(s.WaitCount), name) })
		return nil
	})
	r.add(prometheus.CounterValue, "patrol_database_wait_seconds_total", "How long connections were waited for.", []string{"pool"}, func(_ context.Context, t tell) error {
		pools(func(name string, s sql.DBStats) { t(s.WaitDuration.Seconds(), name) })
		return nil
	})
	r.add(prometheus.CounterValue, "patrol_database_transactions_total", "Writing transactions.", []string{"outcome"}, func(_ context.Context, t tell) error {
		s := d.Stats()
		t(float64(s.Committed), "committed")
		t(float64(s.Failed), "failed")
		return nil
	})
	r.add(prometheus.CounterValue, "patrol_database_transaction_seconds_total", "How long writing transactions took, waiting for their turn included.", nil, func(_ context.Context, t tell) error {
		t(d.Stats().Writing.Seconds())
		return nil
	})
	r.add(prometheus.CounterValue, "patrol_database_repeats_total", "Transactions that were run again because PostgreSQL could not put them in order.", nil, func(_ context.Context, t tell) error {
		t(float64(d.Stats().Repeated))
		return nil
	})
	r.add(prometheus.GaugeValue, "patrol_database_read_only", "1 while the console cannot write, because its disk is full.", nil, func(_ context.Context, t tell) error {
		t(flag(d.ReadOnly() != nil))
		return nil
	})
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (r *report) checks(ctx context.Context, t tell) error {
	for _, c := range r.s.Ready(ctx).Checks {
		t(flag(c.OK), c.Name)
	}
	return nil
}

// counts tells what a query counts by name, and 0 for the names that it lacks.
func (r *report) counts(ctx context.Context, t tell, names []string, query string, args ...any) error {
	rows, err := r.s.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	counted := make(map[string]float64)
	for _, name := range names {
		counted[name] = 0
	}
	err = db.Each(rows, func(scan db.Scan) error {
		var name string
		var n float64
		err := scan(&name, &n)
		counted[name] = n
		return err
	})
	for name, n := range counted {
		t(n, name)
	}
	return err
}

func (r *report) scans(ctx context.Context, t tell) error {
	return r.counts(ctx, t, []string{scan.Queued, scan.Collecting, scan.Matching},
		`SELECT state, count(*) FROM scan WHERE state IN ('queued', 'collecting', 'matching') GROUP BY state`)
}

func (r *report) nodes(ctx context.Context, t tell) error {
	return r.counts(ctx, t, []string{fleet.Host}, `SELECT kind, count(*) FROM node GROUP BY kind`)
}

func (r *report) agents(ctx context.Context, t tell) error {
	return r.counts(ctx, t, []string{fleet.Active, fleet.Inactive},
		`SELECT CASE WHEN n.last_seen >= $1 THEN 'active' ELSE 'inactive' END AS state, count(*) FROM node AS n
			WHERE EXISTS (SELECT 1 FROM credential AS c WHERE c.node_id = n.id AND c.kind = 'agent') GROUP BY 1`, r.s.alive().UnixMicro())
}

// alive is since when an active agent was heard of.
func (s *Service) alive() time.Time { return s.now().Add(-3 * fleet.HeartbeatInterval) }

// since tells how long ago something began to wait; 0 if nothing waits.
func (r *report) since(ctx context.Context, t tell, labels []string, query string, args ...any) error {
	var at time.Time
	if err := r.s.db.Read().QueryRowContext(ctx, query, args...).Scan(db.Time{Time: &at}); err != nil {
		return err
	}
	waited := 0.0
	if !at.IsZero() {
		waited = max(0, r.s.now().Sub(at).Seconds())
	}
	t(waited, labels...)
	return nil
}

func (r *report) oldest(ctx context.Context, t tell) error {
	return r.since(ctx, t, nil, `SELECT min(queued_at) FROM scan WHERE state = 'queued'`)
}

func (r *report) lateness(ctx context.Context, t tell) error {
	now := r.s.now().UnixMicro()
	const waiting = ` due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)`
	for _, q := range []struct {
		queue, query string
		args         []any
	}{
		{"match", `SELECT min(due_at) FROM scan WHERE state = 'matching' AND` + waiting, []any{now}},
		{"schedule", `SELECT min(next_fire_at) FROM schedule WHERE next_fire_at <= $1`, []any{now}},
		{"command", `SELECT min(due_at) FROM command WHERE state = 'open' AND` + waiting + `
			AND node_id IN (SELECT id FROM node WHERE last_seen >= $2)`, []any{now, r.s.alive().UnixMicro()}},
	} {
		if err := r.since(ctx, t, []string{q.queue}, q.query, q.args...); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) feedAge(ctx context.Context, t tell) error {
	overview, err := r.s.feed.Overview(ctx)
	for _, source := range overview.Sources {
		if !source.AsOf.IsZero() {
			t(r.s.now().Sub(source.AsOf).Seconds(), source.Name)
		}
	}
	return err
}

func (r *report) feedRecords(ctx context.Context, t tell) error {
	overview, err := r.s.feed.Overview(ctx)
	t(float64(overview.Records))
	return err
}

func (r *report) feedSample(ctx context.Context, t tell) error {
	overview, err := r.s.feed.Overview(ctx)
	t(flag(overview.Sample))
	return err
}

func (r *report) feedFailed(ctx context.Context, t tell) error {
	overview, err := r.s.feed.Overview(ctx)
	t(flag(overview.LastAttempt != nil && overview.LastAttempt.Error != ""))
	return err
}

func (r *report) lastEvent(ctx context.Context, t tell) error {
	last, err := r.s.events.Position(ctx)
	t(float64(last))
	return err
}

// countEvents counts what came since the last scrape.
func (r *report) countEvents(ctx context.Context, t tell) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	last, err := r.s.events.Position(ctx)
	if err != nil {
		return err
	}
	if r.read < 0 {
		r.read = last
	}
	if last > r.read {
		rows, err := r.s.db.Read().QueryContext(ctx, `SELECT type, count(*) FROM event WHERE id > $1 AND id <= $2 GROUP BY type`, r.read, last)
		if err != nil {
			return err
		}
		counted := make(map[string]float64)
		err = db.Each(rows, func(scan db.Scan) error {
			var kind string
			var n float64
			err := scan(&kind, &n)
			counted[kind] = n
			return err
		})
		if err != nil {
			return err
		}
		for kind, n := range counted {
			r.events[kind] += n
		}
		r.read = last
	}
	for kind, n := range r.events {
		t(n, kind)
	}
	return nil
}
