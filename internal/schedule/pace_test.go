package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"patrol/internal/schedule"
)

// A clock that is set, or a console that was away, neither piles up what is spread nor
// leaves a gap: a run goes on where it stopped.
func TestClockJumpsInARun(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for what, jump := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour, "away for a day": 24 * time.Hour} {
			h.clock.Set(noon)
			d := hourly(what)
			d.Enabled, d.Spread, d.RunTimeout = false, "30m", "40m"
			d.Selector = fmt.Sprintf("node.labels[\"for\"] == %q", what)
			for i := range 30 {
				h.labelled(fmt.Sprint(what, i), map[string]string{"for": what})
			}
			s := h.create(d)
			if _, err := h.RunNow(t.Context(), s.ID); err != nil {
				t.Fatal(err)
			}
			h.pass(10*time.Minute - time.Second)
			if run := h.run(s.ID); run.Scans != 10 {
				t.Fatalf("%s: %+v; want ten scans in ten minutes", what, run)
			}
			h.clock.Advance(jump)
			if wait := h.advance(); wait > 30*time.Second {
				t.Errorf("%s: waits for %v", what, wait)
			}
			for minute := 1; minute <= 20; minute++ {
				h.pass(time.Minute)
				if run := h.run(s.ID); run.Scans < 10+minute-1 || run.Scans > 10+minute+1 {
					t.Errorf("%s: %d minutes later %d scans; want %d, one more or less", what, minute, run.Scans, 10+minute)
				}
			}
			h.pass(2 * time.Minute)
			if run := h.run(s.ID); run.Scans != 30 || run.State != schedule.Running {
				t.Errorf("%s: %+v; want all scans begun, and the run going on", what, run)
			}
			h.pass(10 * time.Minute)
			if run := h.run(s.ID); run.State != schedule.TimedOut || run.Nodes.Failed != 30 {
				t.Errorf("%s: %+v; want it given up in its time", what, run)
			}
		}
	})
}

// A node that waits to be scanned again waits no hour longer.
func TestClockJumpsBeforeARetry(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		s := h.create(hourly("hourly"))
		if _, err := h.RunNow(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		h.report(node, "disk gone")
		h.advance()
		h.clock.Advance(-time.Hour)
		h.pass(3 * time.Minute)
		if run := h.run(s.ID); run.Retried != 1 {
			t.Errorf("run = %+v; want the node scanned again", run)
		}
	})
}
