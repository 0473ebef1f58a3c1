package schedule_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/schedule"
	"patrol/internal/wire"
)

// What becomes of fire times while the run before goes on, and after it.
func TestOverlap(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		for overlap, test := range map[string]struct {
			during, after int // runs
			dropped       int // noted on the first run
			missed        int // noted on the last run
		}{
			schedule.Allow:     {3, 3, 0, 0},
			schedule.Skip:      {1, 1, 2, 0},
			schedule.BufferOne: {1, 2, 0, 1},
		} {
			h.clock.Set(noon)
			d := hourly(overlap)
			d.Overlap = overlap
			s := h.create(d)
			for hour := 1; hour <= 3; hour++ {
				h.clock.Set(noon.Add(time.Duration(hour) * time.Hour))
				h.fire()
				h.advance()
			}
			runs := h.runs(s.ID)
			if len(runs) != test.during {
				t.Errorf("%s: %d runs; want %d", overlap, len(runs), test.during)
			}
			first := runs[len(runs)-1]
			if first.State != schedule.Running || first.Dropped != test.dropped {
				t.Errorf("%s: the first run is %+v; want that it goes on, with %d dropped", overlap, first, test.dropped)
			}
			h.end(first.ID, 1)
			h.advance()
			h.fire()
			runs = h.runs(s.ID)
			if last := runs[0]; len(runs) != test.after || last.Missed != test.missed {
				t.Errorf("%s: after the first run ended, %d runs, the last is %+v; want %d, and %d missed", overlap, len(runs), last, test.after, test.missed)
			}
			if overlap == schedule.BufferOne {
				last := runs[0]
				if last.HeldBy != schedule.ByOverlap || !last.ScheduledFor.Equal(noon.Add(2*time.Hour)) || last.Lateness != 3600 || last.CaughtUp {
					t.Errorf("the run that waited: %+v", last)
				}
			}
			for _, run := range runs {
				h.end(run.ID, 1)
			}
			if err := h.Delete(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A fire time in a maintenance window fires at its end, once for all that fell into it.
func TestMaintenanceWindow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		d := hourly("hourly")
		d.Windows = []schedule.Window{{Cron: "30 12 * * *", Duration: "3h"}} // 12:30 to 15:30
		s := h.create(d)
		for _, at := range []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour} {
			h.clock.Set(noon.Add(at))
			if wait := h.fire(); wait > 30*time.Second {
				t.Errorf("waits for %v", wait)
			}
			h.advance()
		}
		held := h.get(s.ID).Held
		if len(h.runs(s.ID)) != 0 || held == nil || held.By != schedule.ByWindow || !held.Until.Equal(noon.Add(210*time.Minute)) {
			t.Fatalf("runs %+v, held %+v; want none before 15:30", h.runs(s.ID), held)
		}
		h.clock.Set(noon.Add(210 * time.Minute))
		h.fire()
		h.fire()
		runs := h.runs(s.ID)
		if len(runs) != 1 || runs[0].HeldBy != schedule.ByWindow || !runs[0].ScheduledFor.Equal(noon.Add(time.Hour)) || runs[0].Missed != 2 || runs[0].Scans != 1 {
			t.Errorf("runs = %+v; want one, of 13:00, for two others", runs)
		}
		h.wantMissed(s.ID, 0) // a console was there
		h.clock.Set(noon.Add(4 * time.Hour))
		h.fire()
		if runs := h.runs(s.ID); len(runs) != 2 || runs[0].HeldBy != "" || runs[0].Missed != 0 {
			t.Errorf("runs = %+v; want that 16:00 is as ever", runs)
		}
	})
}

// A console that was away when a window ended makes up for what was held, or does not.
func TestAwayAtTheEndOfAWindow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		ids := map[string]string{}
		for _, catchUp := range []string{"0s", "168h"} {
			d := hourly("catch up " + catchUp)
			d.Cron, d.CatchUpWindow = "0 23 * * *", catchUp
			d.Windows = []schedule.Window{{Cron: "0 22 * * *", Duration: "4h"}} // until 02:00
			ids[catchUp] = h.create(d).ID
		}
		h.clock.Set(noon.Add(11 * time.Hour))
		h.fire()
		h.clock.Set(noon.Add(2 * 24 * time.Hour))
		h.edit(ids["0s"], schedule.Change{Name: pointer("renamed")}) // before anything looks: it is no less late
		h.fire()
		if s := h.get(ids["0s"]); len(h.runs(s.ID)) != 0 || s.Held != nil || s.Missed != 2 {
			t.Errorf("runs %+v of %+v; want none, and two nights missed", h.runs(s.ID), s)
		}
		h.wantMissed(ids["0s"], 1)
		h.wantMissed(ids["168h"], 1)
		if runs := h.runs(ids["168h"]); len(runs) != 1 || !runs[0].CaughtUp || runs[0].HeldBy != schedule.ByWindow || runs[0].Missed != 1 || !runs[0].ScheduledFor.Equal(noon.Add(11*time.Hour)) {
			t.Errorf("runs = %+v; want one that makes up for the first night", runs)
		}
	})
}

// What waits when a window begins, and what is run by hand in it, starts after it.
func TestNothingStartsInAWindow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 4 {
			h.node(fmt.Sprint("web-", i))
		}
		d := hourly("hourly")
		d.Enabled, d.Spread = false, "1h"
		d.Windows = []schedule.Window{{Cron: "10 12 * * *", Duration: "1h"}} // 12:10 to 13:10
		s := h.create(d)
		if _, err := h.RunNow(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		for minute, scans := range []int{0: 1, 15: 1, 69: 1, 70: 2, 84: 2, 85: 3, 100: 4} {
			if scans == 0 {
				continue
			}
			h.pass(noon.Add(time.Duration(minute) * time.Minute).Sub(h.clock.Now()))
			if run := h.run(s.ID); run.Scans != scans || run.Nodes.Waiting != 4-scans {
				t.Errorf("after %d minutes: %+v; want %d scans", minute, run, scans)
			}
		}
	})
}

func TestSpread(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 10 {
			h.node(fmt.Sprint("web-", i))
		}
		d := hourly("hourly")
		d.Spread = "30m"
		s := h.create(d)
		start := noon.Add(time.Hour)
		h.clock.Set(start)
		h.fire()
		for minute := range 30 {
			h.clock.Set(start.Add(time.Duration(minute) * time.Minute))
			wait := h.advance()
			run := h.run(s.ID)
			if want := minute/3 + 1; run.Scans != want || run.Nodes.Queued != want || run.Nodes.Waiting != 10-want {
				t.Errorf("after %d minutes: %+v; want %d scans", minute, run, want)
			}
			if wait > 30*time.Second {
				t.Errorf("waits for %v", wait)
			}
		}
		h.end(h.run(s.ID).ID, 10)
		h.advance()
		if run := h.run(s.ID); run.State != schedule.Finished || run.FinishedAt.IsZero() || run.Nodes.Cancelled != 10 {
			t.Errorf("run = %+v; want it finished", run)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM run_node`); n != 0 {
			t.Errorf("%d rows of nodes were left", n)
		}
	})
}

// At most so many scans at once, of the run and of each value of a label; others
// start as these end, on whichever console notices.
func TestLimits(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 12 {
			h.labelled(fmt.Sprint("web-", i), map[string]string{"zone": string("aaaaaaabbb"[min(i, 9)])}) // 7 in a, 5 in b
		}
		d := hourly("hourly")
		d.MaxConcurrent, d.PerLabel = 5, &schedule.PerLabel{Key: "zone", Max: 3}
		s := h.create(d)
		run, err := h.RunNow(t.Context(), s.ID)
		if err != nil || run.Scans != 5 || run.Nodes.Waiting != 7 {
			t.Fatalf("run = %+v, %v; want five scans", run, err)
		}
		consoles := []house{h, newHouse(t, h.db, h.clock), newHouse(t, h.db, h.clock)}
		for done := 0; done < 12; done++ {
			var group sync.WaitGroup
			for _, console := range consoles {
				group.Go(func() { console.advance() })
			}
			group.Wait()
			going := map[string]int{}
			total := 0
			for _, scan := range h.scansOf(run.ID) {
				if !scan.Finished() {
					node, err := h.fleet.Get(t.Context(), scan.Node.ID)
					if err != nil {
						t.Fatal(err)
					}
					going[node.Labels["zone"]]++
					total++
				}
			}
			if going["a"] > 3 || going["b"] > 3 || total > 5 || total == 0 {
				t.Fatalf("after %d scans, %v go on", done, going)
			}
			h.end(run.ID, 1)
		}
		h.advance()
		if run := h.run(s.ID); run.State != schedule.Finished || run.Scans != 12 || run.Nodes.Cancelled != 12 {
			t.Errorf("run = %+v; want it finished with 12 scans", run)
		}
	})
}

// A label that leaves no room keeps others from nothing.
func TestOneLabelDoesNotStarveAnother(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 6 {
			h.labelled(fmt.Sprint("web-", i), map[string]string{"zone": "a"})
		}
		h.labelled("db-1", map[string]string{"zone": "b"})
		h.node("unlabelled-1")
		h.node("unlabelled-2")
		d := hourly("hourly")
		d.PerLabel = &schedule.PerLabel{Key: "zone", Max: 1}
		run, err := h.RunNow(t.Context(), h.create(d).ID)
		if err != nil || run.Scans != 3 || run.Nodes.Waiting != 6 {
			t.Errorf("run = %+v, %v; want one of a, one of b, one of those without", run, err)
		}
	})
}

// What has not been scanned when the time is up is given up, and blocks nobody.
func TestRunTimeout(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 3 {
			h.node(fmt.Sprint("web-", i))
		}
		d := hourly("hourly")
		d.Cron, d.Overlap, d.MaxConcurrent, d.RunTimeout = "*/30 * * * *", schedule.Skip, 2, "50m"
		s := h.create(d)
		h.clock.Set(noon.Add(30 * time.Minute))
		h.fire()
		for _, scan := range h.scansOf(h.run(s.ID).ID) { // which the agents begin, and no more
			if _, err := h.scans.Claim(t.Context(), scan.Node.ID); err != nil {
				t.Fatal(err)
			}
		}
		h.pass(30 * time.Minute)
		h.fire()
		if wait := h.advance(); wait > 30*time.Second || len(h.runs(s.ID)) != 1 {
			t.Fatalf("runs = %+v", h.runs(s.ID))
		}
		h.pass(20 * time.Minute)
		run := h.run(s.ID)
		if run.State != schedule.TimedOut || run.Nodes.Failed != 2 || run.Nodes.Skipped != 1 || run.Dropped != 1 {
			t.Errorf("run = %+v; want it given up", run)
		}
		skipped, err := h.Skipped(t.Context(), s.ID, run.ID, rest.Paging{Limit: 10})
		if err != nil || len(skipped.Items) != 1 || skipped.Items[0].Reason != schedule.TimedOut {
			t.Errorf("skipped = %+v, %v", skipped, err)
		}
		h.clock.Set(noon.Add(90 * time.Minute))
		h.fire()
		if run := h.run(s.ID); run.State != schedule.Running || run.Scans != 2 {
			t.Errorf("run = %+v; want one that goes on", run)
		}
	})
}

func TestCancelRun(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 3 {
			h.node(fmt.Sprint("web-", i))
		}
		d := hourly("hourly")
		d.MaxConcurrent = 2
		s := h.create(d)
		run, err := h.RunNow(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		run, err = h.CancelRun(t.Context(), s.ID, run.ID)
		if err != nil || run.State != schedule.Cancelled || run.Nodes.Cancelled != 2 || run.Nodes.Skipped != 1 || run.FinishedAt.IsZero() {
			t.Errorf("run = %+v, %v; want it cancelled", run, err)
		}
		_, err = h.CancelRun(t.Context(), s.ID, run.ID)
		wantProblem(t, err, problem.KindConflict, "")
		_, err = h.CancelRun(t.Context(), s.ID, "no such run")
		wantProblem(t, err, problem.KindNotFound, "")
	})
}

// A node that went before its turn is skipped.
func TestNodeThatGoes(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		goes := h.node("web-2")
		d := hourly("hourly")
		d.Spread = "10m"
		s := h.create(d)
		if _, err := h.RunNow(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.fleet.Retire(t.Context(), goes); err != nil {
			t.Fatal(err)
		}
		h.pass(10 * time.Minute)
		run := h.run(s.ID)
		skipped, err := h.Skipped(t.Context(), s.ID, run.ID, rest.Paging{Limit: 10})
		if err != nil || run.Scans != 1 || len(skipped.Items) != 1 || skipped.Items[0] != (schedule.SkippedNode{Node: goes, Name: "web-2", Reason: "gone"}) {
			t.Errorf("run %+v, skipped %+v, %v", run, skipped, err)
		}
	})
}

// labelled makes a node with labels.
func (h house) labelled(name string, labels map[string]string) string {
	h.t.Helper()
	out, err := h.fleet.Register(h.t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: wire.Facts{Protocol: wire.Version, Name: name, Labels: labels}})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Node
}
