package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
	"patrol/internal/schedule"
	"patrol/internal/wire"
)

// report has the agent of a node fail what it is to do.
func (h house) report(node, why string) {
	h.t.Helper()
	out, err := h.scans.Claim(h.t.Context(), node)
	if err != nil || len(out.Commands) != 1 {
		h.t.Fatalf("Claim = %+v, %v; want one command", out, err)
	}
	command := out.Commands[0]
	if _, err := h.scans.Finish(h.t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, Error: why}); err != nil {
		h.t.Fatal(err)
	}
}

// A node whose scan failed is scanned again after a minute, after five, and then no
// more; the run counts it once, whichever console goes on with it.
func TestRetry(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		flaky := h.node("web-1")
		h.node("web-2")
		s := h.create(hourly("hourly"))
		if *s.Retries != 2 {
			t.Errorf("%d retries unless something else is said; want 2", *s.Retries)
		}
		run, err := h.RunNow(t.Context(), s.ID)
		if err != nil || run.Scans != 2 {
			t.Fatalf("run = %+v, %v", run, err)
		}
		for i, wait := range []time.Duration{time.Minute, 5 * time.Minute} {
			h.report(flaky, "the disk does not answer")
			newHouse(t, h.db, h.clock).advance() // the one before was killed
			if run := h.run(s.ID); run.Nodes.Waiting != 1 || run.Nodes.Queued != 1 || run.Nodes.Failed != 0 || run.State != schedule.Running || run.Retried != i {
				t.Errorf("after it failed %d times: %+v; want that it waits", i+1, run)
			}
			due := time.UnixMicro(int64(dbtest.Count(t, h.db.Read(), `SELECT due_at FROM run_node`))).Sub(h.clock.Now())
			if due < wait*3/4 || due > wait*5/4 {
				t.Errorf("after it failed %d times it waits for %v; want %v, more or less", i+1, due, wait)
			}
			h.pass(due - time.Second)
			if run := h.run(s.ID); run.Nodes.Waiting != 1 {
				t.Errorf("it was scanned too early: %+v", run)
			}
			h.pass(time.Second)
			if run := h.run(s.ID); run.Nodes.Queued != 2 || run.Nodes.Waiting != 0 || run.Scans != 3+i || run.Retried != i+1 {
				t.Errorf("in time: %+v; want it scanned again", run)
			}
		}
		h.report(flaky, "the disk does not answer")
		h.advance()
		h.pass(2 * time.Hour)
		if run := h.run(s.ID); run.Nodes.Failed != 1 || run.Nodes.Queued != 1 || run.Nodes.Waiting != 0 || run.Scans != 4 {
			t.Errorf("after the last time: %+v; want it failed, once", run)
		}
		attempts := map[int]bool{}
		for _, scan := range h.scansOf(run.ID) {
			if scan.Node.ID == flaky {
				attempts[scan.Attempt] = true
			}
		}
		if len(attempts) != 3 || !attempts[1] || !attempts[2] || !attempts[3] {
			t.Errorf("attempts %v; want 1, 2, 3", attempts)
		}
		h.end(run.ID, 1)
		h.advance()
		if run := h.run(s.ID); run.State != schedule.Finished || run.Nodes != (schedule.RunNodes{Failed: 1, Cancelled: 1}) {
			t.Errorf("run = %+v; want it finished", run)
		}
	})
}

// A node that does better the second time has not failed.
func TestRetryThatSucceeds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		d := hourly("hourly")
		d.Overlap = schedule.Skip
		s := h.create(d)
		h.clock.Set(noon.Add(time.Hour))
		h.fire()
		h.report(node, "the disk does not answer")
		h.fire()
		h.pass(2 * time.Minute)
		for _, scan := range h.scansOf(h.run(s.ID).ID) {
			if !scan.Finished() {
				complete(t, h, scan.ID)
			}
		}
		h.advance()
		if run := h.run(s.ID); run.State != schedule.Finished || run.Nodes != (schedule.RunNodes{Complete: 1}) || run.Scans != 2 || run.Retried != 1 {
			t.Errorf("run = %+v; want one node, complete", run)
		}
	})
}

// complete ends a scan as matching does: that itself is not what these tests are about.
func complete(t *testing.T, h house, id string) {
	t.Helper()
	dbtest.Write(t, h.db, func(tx *db.Tx) error {
		for _, query := range []string{`UPDATE scan SET state = 'complete', finished_at = due_at WHERE id = $1`, `UPDATE command SET state = 'done' WHERE scan_id = $1`} {
			if _, err := tx.ExecContext(t.Context(), query, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// What will not pass, or that somebody wants so, is not tried again.
func TestNotRetried(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for what, test := range map[string]struct {
			retries int
			timeout string
			end     func(node, run string)
			want    schedule.RunNodes
		}{
			"not wanted":        {0, "24h", func(node, _ string) { h.report(node, "disk gone") }, schedule.RunNodes{Failed: 1}},
			"no time left":      {9, "1m", func(node, _ string) { h.clock.Advance(59 * time.Second); h.report(node, "disk gone") }, schedule.RunNodes{Failed: 1}},
			"cancelled by hand": {9, "24h", func(_, run string) { h.end(run, 1) }, schedule.RunNodes{Cancelled: 1}},
			"retired": {9, "24h", func(node, _ string) {
				if err := h.fleet.Retire(t.Context(), node); err != nil {
					t.Fatal(err)
				}
				dbtest.Write(t, h.db, func(tx *db.Tx) error { return h.scans.Retire(t.Context(), tx, node) })
			}, schedule.RunNodes{Cancelled: 1}},
			"the agent dies of it": {9, "24h", func(node, _ string) {
				for range 6 {
					if _, err := h.scans.Claim(t.Context(), node); err != nil {
						t.Fatal(err)
					}
					h.clock.Advance(lease.Duration)
				}
			}, schedule.RunNodes{Failed: 1}},
		} {
			node := h.node(what)
			d := hourly(what)
			d.Selector, d.Retries, d.RunTimeout = fmt.Sprintf("node.name == %q", what), &test.retries, test.timeout
			s := h.create(d)
			run, err := h.RunNow(t.Context(), s.ID)
			if err != nil || run.Nodes.Queued != 1 {
				t.Fatalf("%s: %+v, %v", what, run, err)
			}
			test.end(node, run.ID)
			h.advance()
			if run := h.run(s.ID); run.State != schedule.Finished || run.Nodes != test.want || run.Scans != 1 {
				t.Errorf("%s: %+v; want %+v, at once", what, run, test.want)
			}
		}
		d := hourly("too often")
		d.Retries = pointer(11)
		_, err := h.Create(t.Context(), d)
		wantProblem(t, err, problem.KindInvalid, "retries")
	})
}

// What waits to be scanned again when its run is cancelled, or when somebody else
// scans the node, or it is gone, has failed: it was scanned.
func TestRetryThatCannotBe(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for what, meanwhile := range map[string]func(node, schedule, run string){
			"cancelled": func(_, schedule, run string) {
				if _, err := h.CancelRun(t.Context(), schedule, run); err != nil {
					t.Fatal(err)
				}
			},
			"busy": func(node, _, _ string) {
				if _, err := h.scans.StartOnDemand(t.Context(), []string{node}); err != nil {
					t.Fatal(err)
				}
			},
			"gone": func(node, _, _ string) {
				if err := h.fleet.Retire(t.Context(), node); err != nil {
					t.Fatal(err)
				}
			},
		} {
			node := h.node(what)
			d := hourly(what)
			d.Selector = fmt.Sprintf("node.name == %q", what)
			s := h.create(d)
			run, err := h.RunNow(t.Context(), s.ID)
			if err != nil {
				t.Fatal(err)
			}
			h.report(node, "disk gone")
			h.advance()
			meanwhile(node, s.ID, run.ID)
			h.pass(2 * time.Minute)
			if run := h.run(s.ID); run.FinishedAt.IsZero() || run.Nodes != (schedule.RunNodes{Failed: 1}) {
				t.Errorf("%s: %+v; want it failed", what, run)
			}
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT (SELECT count(*) FROM run_node) + (SELECT count(*) FROM scan WHERE retry <> '')`); n != 0 {
			t.Errorf("%d rows are not settled", n)
		}
	})
}

// Retries keep to the limits of the run.
func TestRetriesKeepToLimits(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		nodes := []string{}
		for i := range 6 {
			nodes = append(nodes, h.labelled(fmt.Sprint("web-", i), map[string]string{"zone": "a"}))
		}
		d := hourly("hourly")
		d.PerLabel = &schedule.PerLabel{Key: "zone", Max: 2}
		s := h.create(d)
		run, err := h.RunNow(t.Context(), s.ID)
		if err != nil || run.Nodes.Queued != 2 {
			t.Fatalf("run = %+v, %v", run, err)
		}
		for range 3 {
			for _, scan := range h.scansOf(run.ID) {
				if !scan.Finished() {
					h.report(scan.Node.ID, "disk gone")
				}
			}
			h.advance()
		}
		if run := h.run(s.ID); run.Nodes != (schedule.RunNodes{Waiting: 6}) || run.Scans != 6 {
			t.Fatalf("run = %+v; want that all %d wait again", run, len(nodes))
		}
		h.pass(2 * time.Minute)
		if run := h.run(s.ID); run.Nodes != (schedule.RunNodes{Waiting: 4, Queued: 2}) || run.Scans != 8 {
			t.Errorf("run = %+v; want two at once", run)
		}
	})
}

// An agent that comes back inside the run is scanned; one that does not blocks nobody.
func TestAgentThatIsAway(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		back := h.node("web-1")
		h.node("web-2") // stays away
		d := hourly("hourly")
		d.RunTimeout = "3h"
		s := h.create(d)
		run, err := h.RunNow(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		h.pass(2 * time.Hour)
		h.report(back, "disk gone") // it is there again, and does not even work
		h.advance()
		h.pass(2 * time.Minute)
		out, err := h.scans.Claim(t.Context(), back)
		if err != nil || len(out.Commands) != 1 {
			t.Errorf("Claim = %+v, %v; want it scanned again inside the run", out, err)
		}
		for _, scan := range h.scansOf(run.ID) {
			if scan.Node.ID == back && !scan.Finished() {
				complete(t, h, scan.ID)
			}
		}
		h.pass(time.Hour)
		if run := h.run(s.ID); run.State != schedule.TimedOut || run.Nodes != (schedule.RunNodes{Complete: 1, Failed: 1}) {
			t.Errorf("run = %+v; want one complete and one given up", run)
		}
		if page, err := h.scans.List(t.Context(), scan.Query{Run: run.ID, State: scan.Failed}, rest.Paging{Limit: 10}); err != nil || len(page.Items) != 2 {
			t.Errorf("failed scans = %+v, %v; want both kept for whoever looks", page.Items, err)
		}
	})
}

// Machines that are away, and scans that are stuck, take no room for ever.
func TestNoRoomForWhoIsAway(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 6 {
			h.labelled(fmt.Sprint("web-", i), map[string]string{"zone": "a"})
		}
		for what, limit := range map[string]func(*schedule.Definition){
			"run":   func(d *schedule.Definition) { d.MaxConcurrent = 2 },
			"label": func(d *schedule.Definition) { d.PerLabel = &schedule.PerLabel{Key: "zone", Max: 2} },
		} {
			d := hourly(what)
			d.Enabled = false
			limit(&d)
			s := h.create(d)
			run, err := h.RunNow(t.Context(), s.ID)
			if err != nil || run.Nodes != (schedule.RunNodes{Waiting: 4, Queued: 2}) {
				t.Fatalf("%s: %+v, %v", what, run, err)
			}
			stuck := h.scansOf(run.ID)[0].Node.ID
			out, err := h.scans.Claim(t.Context(), stuck)
			if err != nil || len(out.Commands) != 1 {
				t.Fatal(out, err)
			}
			h.pass(3 * time.Minute)
			if run := h.run(s.ID); run.Nodes != (schedule.RunNodes{Waiting: 3, Queued: 2, Collecting: 1}) {
				t.Errorf("%s: %+v; want one more for that which is away", what, run)
			}
			h.pass(3 * time.Minute)
			if run := h.run(s.ID); run.Nodes != (schedule.RunNodes{Waiting: 1, Queued: 4, Collecting: 1}) && run.Nodes != (schedule.RunNodes{Waiting: 2, Queued: 3, Collecting: 1}) {
				t.Errorf("%s: %+v; want them to go on one by one", what, run)
			}
			h.pass(time.Hour)
			if run := h.run(s.ID); run.Nodes != (schedule.RunNodes{Queued: 5, Collecting: 1}) || run.State != schedule.Running {
				t.Errorf("%s: %+v; want all begun", what, run)
			}
			if _, err := h.CancelRun(t.Context(), s.ID, run.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}
