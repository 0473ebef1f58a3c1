package schedule_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
	"patrol/internal/schedule"
	"patrol/internal/wire"
)

// noon is a Friday.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// house is the room with what it stands on.
type house struct {
	*schedule.Service
	t     testing.TB
	db    *db.DB
	fleet *fleet.Service
	scans *scan.Service
	clock *clocktest.Clock

	signals *lease.Signals
}

func each(t *testing.T, suite func(t *testing.T, h house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		suite(t, newHouse(t, d, clocktest.At(noon)))
	}, event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations)
}

func newHouse(t testing.TB, d *db.DB, clock *clocktest.Clock) house {
	signals := lease.NewSignals()
	f := fleet.NewService(d, auth.NewService(d, clock.Now), signals, clock.Now)
	// Matching is not what these tests are about: scans stay queued.
	scans := scan.NewService(d, f, finding.NewService(d, f, clock.Now), nil, signals, clock.Now)
	return house{schedule.NewService(d, scans, f, fresh{}, signals, clock.Now), t, d, f, scans, clock, signals}
}

// fresh is a feed that is new enough.
type fresh struct{}

func (fresh) Due(context.Context) (bool, error) { return false, nil }
func (fresh) Refresh(context.Context) error     { return nil }

func (h house) node(name string) string {
	h.t.Helper()
	out, err := h.fleet.Register(h.t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: wire.Facts{Protocol: wire.Version, Name: name}})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Node
}

// hourly is a good definition, for tests to change.
func hourly(name string) schedule.Definition {
	return schedule.Definition{Name: name, Cron: "0 * * * *", TimeZone: "UTC", Selector: `node.kind == "host"`, Enabled: true}
}

func (h house) create(d schedule.Definition) schedule.Schedule {
	h.t.Helper()
	s, err := h.Create(h.t.Context(), d)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h house) get(id string) schedule.Schedule {
	h.t.Helper()
	s, err := h.Get(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h house) edit(id string, c schedule.Change) schedule.Schedule {
	h.t.Helper()
	s, err := h.Edit(h.t.Context(), id, c)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// fire fires what is due and begins with its runs, and returns how long no schedule
// will be due.
func (h house) fire() time.Duration {
	h.t.Helper()
	wait, err := h.FireDue(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.advance()
	return wait
}

// advance goes on with the runs.
func (h house) advance() time.Duration {
	h.t.Helper()
	wait, err := h.Advance(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return wait
}

// pass has as much time go by, of which the loops look at every minute.
func (h house) pass(time_ time.Duration) {
	h.t.Helper()
	for until := h.clock.Now().Add(time_); h.clock.Now().Before(until); {
		h.clock.Advance(min(time.Minute, until.Sub(h.clock.Now())))
		h.advance()
	}
}

// end ends the scans of a run that go on, up to n of them.
func (h house) end(run string, n int) {
	h.t.Helper()
	for _, s := range h.scansOf(run) {
		if s.Finished() || n == 0 {
			continue
		}
		if _, err := h.scans.Cancel(h.t.Context(), s.ID); err != nil {
			h.t.Fatal(err)
		}
		n--
	}
}

// run is the last one of a schedule.
func (h house) run(id string) schedule.Run {
	h.t.Helper()
	runs := h.runs(id)
	if len(runs) == 0 {
		h.t.Fatal("there is no run")
	}
	return runs[0]
}

// runs returns those of a schedule, newest first.
func (h house) runs(id string) []schedule.Run {
	h.t.Helper()
	page, err := h.Runs(h.t.Context(), id, rest.Paging{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Items
}

// scansOf returns the scans of a run.
func (h house) scansOf(run string) []scan.Scan {
	h.t.Helper()
	page, err := h.scans.List(h.t.Context(), scan.Query{Run: run}, rest.Paging{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Items
}

func (h house) list() []schedule.Schedule {
	h.t.Helper()
	page, err := h.List(h.t.Context(), rest.Paging{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Items
}

func wantProblem(t *testing.T, err error, kind problem.Kind, field string) *problem.Error {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != kind || p.Field != field {
		t.Errorf("error = %v; want a problem of kind %d with %q", err, kind, field)
		return &problem.Error{}
	}
	return p
}

func pointer[T any](v T) *T { return &v }
