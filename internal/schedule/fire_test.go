package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

func TestFire(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		busy, idle := h.node("web-1"), h.node("web-2")
		if _, err := h.scans.StartOnDemand(t.Context(), []string{busy}); err != nil {
			t.Fatal(err)
		}
		s := h.create(hourly("hourly"))
		if wait := h.fire(); wait > time.Hour || len(h.runs(s.ID)) != 0 {
			t.Errorf("fired before its time, or waits for %v", wait)
		}
		due := noon.Add(time.Hour)
		h.clock.Set(due.Add(time.Minute)) // a minute late
		h.fire()
		h.fire()
		runs := h.runs(s.ID)
		if len(runs) != 1 {
			t.Fatalf("runs = %+v; want one", runs)
		}
		run := runs[0]
		if !run.ScheduledFor.Equal(due) || !run.FiredAt.Equal(due.Add(time.Minute)) || run.Selected != 2 || run.Scans != 1 || run.Error != "" {
			t.Errorf("run = %+v", run)
		}
		scans := h.scansOf(run.ID)
		if len(scans) != 1 || scans[0].Node.ID != idle || scans[0].Trigger != scan.BySchedule || scans[0].Schedule == nil || scans[0].Schedule.Name != "hourly" {
			t.Errorf("scans = %+v; want one of the node that was idle", scans)
		}
		after := h.get(s.ID)
		if !after.NextFireAt.Equal(noon.Add(2*time.Hour)) || after.LastRun == nil || *after.LastRun != run {
			t.Errorf("schedule = %+v", after)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM event WHERE type = 'schedule.fired' AND subject = $1`, s.ID); n != 1 {
			t.Errorf("%d events; want 1", n)
		}
	})
}

// A console that was away for a day fires once, not once for each hour.
func TestCatchUp(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		s := h.create(hourly("hourly"))
		h.clock.Advance(24*time.Hour + time.Minute)
		h.fire()
		if runs := h.runs(s.ID); len(runs) != 1 || !runs[0].ScheduledFor.Equal(noon.Add(24*time.Hour)) || runs[0].Missed != 23 {
			t.Errorf("runs = %+v; want one, of the last hour that was missed, for 23 others", runs)
		}
		if next := h.get(s.ID).NextFireAt; !next.Equal(noon.Add(25 * time.Hour)) {
			t.Errorf("next at %v", next)
		}
		h.wantMissed(s.ID, 1)
	})
}

// wantMissed compares how many events told that a schedule missed fire times.
func (h house) wantMissed(id string, want int) {
	h.t.Helper()
	if n := dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM event WHERE type = 'schedule.missed' AND subject = $1`, id); n != want {
		h.t.Errorf("%d events of missed fire times; want %d", n, want)
	}
}

// A clock that is set an hour forward or back causes neither a storm nor a gap.
func TestClockJumps(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		minutely, daily := hourly("minutely"), hourly("daily")
		minutely.Cron, daily.Cron = "* * * * *", "30 12 * * *"
		m, d := h.create(minutely), h.create(daily)
		pass := func(minutes int) (fired int) { // as many of real time
			t.Helper()
			before := len(h.runs(m.ID))
			for range minutes {
				h.clock.Advance(time.Minute)
				h.fire()
			}
			return len(h.runs(m.ID)) - before
		}
		if fired := pass(45); fired != 45 || len(h.runs(d.ID)) != 1 {
			t.Fatalf("%d in 45 minutes, and %d of the daily one", fired, len(h.runs(d.ID)))
		}
		h.clock.Advance(-time.Hour) // 11:45: half past twelve comes again
		h.fire()
		if fired := pass(60); fired < 59 || fired > 60 {
			t.Errorf("%d in the hour after the clock was set back", fired)
		}
		if runs := h.runs(d.ID); len(runs) != 1 {
			t.Errorf("the daily one fired again: %+v", runs)
		}
		h.clock.Advance(time.Hour)
		h.fire()
		if run := h.run(m.ID); run.Missed != 59 || run.Lateness != 0 {
			t.Errorf("after it was set forward: %+v; want one run for the hour", run)
		}
		if fired := pass(60); fired != 60 {
			t.Errorf("%d in the hour after the clock was set forward", fired)
		}
	})
}

// failing starts scans until it is told not to.
type failing struct {
	schedule.Scans
	after int
}

func (f *failing) Start(ctx context.Context, tx *db.Tx, node string, cause scan.Cause) (string, bool, error) {
	if f.after--; f.after < 0 {
		return "", false, errors.New("the disk is full")
	}
	return f.Scans.Start(ctx, tx, node, cause)
}

// Scans are there together with what becomes of the rows of their nodes, or not at all.
func TestFireIsOneTransaction(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		h.node("web-2")
		s := h.create(hourly("hourly"))
		h.clock.Advance(time.Hour)
		broken := schedule.NewService(h.db, &failing{h.scans, 1}, h.fleet, fresh{}, lease.NewSignals(), h.clock.Now)
		if _, err := broken.FireDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := broken.Advance(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Fatalf("Advance = %v", err)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT (SELECT count(*) FROM run_node) + (SELECT count(*) FROM scan) + (SELECT count(*) FROM command)
			+ (SELECT count(*) FROM event WHERE type = 'schedule.fired')`); n != 0 {
			t.Errorf("%d rows were left", n)
		}
		h.fire()
		if runs := h.runs(s.ID); len(runs) != 1 || runs[0].Scans != 2 {
			t.Errorf("runs = %+v; want one with both scans", runs)
		}
	})
}

// Three consoles over one database, while somebody edits the schedule, and the nodes
// of its runs wait for each other.
func TestFiresOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 5 {
			h.node(fmt.Sprint("web-", i))
		}
		d := hourly("hourly")
		d.MaxConcurrent = 3
		s := h.create(d)
		consoles := []house{newHouse(t, h.db, h.clock), newHouse(t, h.db, h.clock), newHouse(t, h.db, h.clock)}
		const hours = 15
		for hour := 1; hour <= hours; hour++ {
			h.clock.Set(noon.Add(time.Duration(hour) * time.Hour))
			var group sync.WaitGroup
			for _, console := range consoles {
				group.Go(func() { console.fire(); console.advance() })
			}
			group.Go(func() { h.edit(s.ID, schedule.Change{Name: pointer(fmt.Sprintf("hourly, %d", hour))}) })
			group.Wait()
			run := h.run(s.ID)
			if run.Scans != 3 || run.Nodes.Queued != 3 || run.Nodes.Waiting != 2 {
				t.Errorf("run = %+v; want three scans", run)
			}
			h.end(run.ID, 3)
			for _, console := range consoles {
				group.Go(func() { console.advance() })
			}
			group.Wait()
			h.end(run.ID, 5)
			h.advance()
			if run := h.run(s.ID); run.Scans != 5 || run.State != schedule.Finished || run.Nodes.Cancelled != 5 {
				t.Errorf("run = %+v; want five scans", run)
			}
		}
		seen := map[time.Time]bool{}
		for _, run := range h.runs(s.ID) {
			if seen[run.ScheduledFor] {
				t.Errorf("fired twice for %v", run.ScheduledFor)
			}
			seen[run.ScheduledFor] = true
		}
		if len(seen) != hours {
			t.Errorf("fired for %d hours; want %d", len(seen), hours)
		}
	})
}

func TestRunNow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		for _, enabled := range []bool{true, false} {
			d := hourly(fmt.Sprintf("enabled %v", enabled))
			d.Enabled = enabled
			s := h.create(d)
			run, err := h.RunNow(t.Context(), s.ID)
			if err != nil || run.Selected != 1 || !run.ScheduledFor.Equal(noon) {
				t.Errorf("RunNow = %+v, %v", run, err)
			}
			after := h.get(s.ID)
			if !after.NextFireAt.Equal(s.NextFireAt) || after.NextFireAt.IsZero() == enabled || after.LastRun == nil || *after.LastRun != run {
				t.Errorf("schedule = %+v; want the next fire time of %+v", after, s)
			}
		}
		_, err := h.RunNow(t.Context(), "no such schedule")
		wantProblem(t, err, problem.KindNotFound, "")
	})
}

func TestSelectorThatFailsIsOnTheRun(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		bad, good := hourly("bad"), hourly("good")
		bad.Selector = `1 / size(node.labels) > 0`
		b, g := h.create(bad), h.create(good)
		h.clock.Advance(time.Hour)
		h.fire()
		runs := h.runs(b.ID)
		if len(runs) != 1 || !strings.Contains(runs[0].Error, "web-1") || !strings.Contains(runs[0].Error, "division by zero") || runs[0].Scans != 0 {
			t.Errorf("runs = %+v; want an error that names the node", runs)
		}
		if !h.get(b.ID).NextFireAt.Equal(noon.Add(2 * time.Hour)) {
			t.Error("the schedule does not go on")
		}
		if runs := h.runs(g.ID); len(runs) != 1 || runs[0].Scans != 1 {
			t.Errorf("the other schedule's runs = %+v", runs)
		}
	})
}

// Run is woken by a change, and needs no look at the clock for it.
func TestRunIsWoken(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ctx, cancel := context.WithCancel(t.Context())
		h.node("web-1")
		fired := make(chan string, 1)
		d := h.db
		signals := lease.NewSignals()
		s := schedule.NewService(d, telling{h.scans, fired}, h.fleet, fresh{}, signals, h.clock.Now)
		var ended sync.WaitGroup
		ended.Go(func() { s.Run(ctx) })
		created, err := s.Create(t.Context(), hourly("hourly"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Edit(t.Context(), created.ID, schedule.Change{NextFireAt: pointer(noon)}); err != nil {
			t.Fatal(err)
		}
		<-fired
		cancel()
		ended.Wait()
	})
}

// telling says when a scan is started.
type telling struct {
	schedule.Scans
	fired chan<- string
}

func (n telling) Start(ctx context.Context, tx *db.Tx, node string, cause scan.Cause) (string, bool, error) {
	select {
	case n.fired <- node:
	default: // a transaction may run again
	}
	return n.Scans.Start(ctx, tx, node, cause)
}
