package schedule_test

import (
	"testing"
	"time"

	"patrol/internal/platform/db/dbtest"
	"patrol/internal/schedule"
)

// Old runs go with the nodes that they skipped; of each schedule the last stays, the
// last that chose nodes, and what goes on.
func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		d := hourly("hourly")
		d.Enabled = false
		s := h.create(d)
		busy := h.create(schedule.Definition{Name: "busy", Cron: "@daily", Selector: "true"})
		fire := func(id string) schedule.Run {
			t.Helper()
			h.clock.Advance(time.Minute)
			run, err := h.RunNow(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return run
		}
		sweep := func(want int64) {
			t.Helper()
			if n, err := h.Sweep(t.Context(), h.clock.Now().Add(time.Second)); err != nil || n != want {
				t.Errorf("Sweep = %d, %v; want %d", n, err, want)
			}
		}
		goes := fire(s.ID)
		for range 30 {
			fire(busy.ID) // each skips the node
		}
		h.end(goes.ID, 1)
		h.advance()
		chose := fire(s.ID)
		h.end(chose.ID, 1)
		h.advance()
		h.edit(s.ID, schedule.Change{Selector: pointer(`1 / size(node.labels) > 0`)})
		fire(s.ID)
		last := fire(s.ID)
		if n, err := h.Sweep(t.Context(), noon); err != nil || n != 0 {
			t.Errorf("Sweep of what is not old = %d, %v", n, err)
		}
		sweep(29 + 2)
		sweep(0)
		runs := h.runs(s.ID)
		if len(runs) != 2 || runs[0].ID != last.ID || runs[1].ID != chose.ID || len(h.runs(busy.ID)) != 1 {
			t.Errorf("runs = %+v; want the last, and the last that chose nodes", runs)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM run_node`); n != 1 {
			t.Errorf("%d nodes of runs were left; want that of the run that stays", n)
		}
		h.edit(s.ID, schedule.Change{Selector: pointer("true")})
		going, after := fire(s.ID), fire(s.ID)
		sweep(2)
		if runs := h.runs(s.ID); len(runs) != 2 || runs[0].ID != after.ID || runs[1].ID != going.ID {
			t.Errorf("runs = %+v; want one that goes on kept", runs)
		}
	})
}

// A selector that matches nothing is saved, warned of, and shown on the run.
func TestSelectorThatMatchesNothing(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := hourly("nothing")
		d.Selector = `node.labels["env"] == "production"`
		s := h.create(d)
		if s.Warning == "" || !s.Enabled {
			t.Errorf("schedule = %+v; want it saved, with a warning", s)
		}
		h.clock.Advance(time.Hour)
		h.fire()
		if run := h.run(s.ID); run.State != schedule.Finished || run.Selected != 0 || run.Warning != "the selector matched no node" || run.Error != "" {
			t.Errorf("run = %+v; want it finished, with a warning", run)
		}
	})
}
