package schedule_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// refusing does not start scans of one node, and counts how often it was asked to.
type refusing struct {
	schedule.Scans
	node  string
	asked int
}

func (r *refusing) Start(ctx context.Context, tx *db.Tx, node string, cause scan.Cause) (string, bool, error) {
	if node != r.node {
		return r.Scans.Start(ctx, tx, node, cause)
	}
	r.asked++
	return "", false, errors.New("no scan of " + node)
}

// A run that cannot be gone on with holds up no other, is said, and is tried again, less
// and less often.
func TestRunThatCannotGoOn(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		bad := h.node("web-1")
		h.node("web-2")
		scans := &refusing{Scans: h.scans, node: bad}
		h.Service = schedule.NewService(h.db, scans, h.fleet, fresh{}, h.signals, h.clock.Now)
		first, second := hourly("first"), hourly("second")
		first.Selector, second.Selector = `node.name == "web-1"`, `node.name == "web-2"`
		f, s := h.create(first), h.create(second)
		h.clock.Advance(time.Hour)
		if _, err := h.FireDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		advance := func() {
			t.Helper()
			wait, err := h.Advance(t.Context())
			if err == nil || !strings.Contains(err.Error(), "no scan of "+bad) || wait <= 0 || wait > time.Second {
				t.Errorf("Advance = %v, %v; want why it cannot go on, and to be tried again soon", wait, err)
			}
		}
		advance()
		if run := h.run(s.ID); run.Nodes.Queued != 1 {
			t.Errorf("the other run = %+v; want its scan queued", run)
		}
		for range 50 {
			advance()
		}
		if scans.asked != 1 {
			t.Errorf("it was tried %d times at once", scans.asked)
		}
		for range 600 {
			h.clock.Advance(time.Second)
			advance()
		}
		if scans.asked < 20 || scans.asked > 60 {
			t.Errorf("it was tried %d times in ten minutes; want about each half minute", scans.asked)
		}
		h.end(h.run(s.ID).ID, 1)
		advance()
		if run := h.run(s.ID); run.State != schedule.Finished {
			t.Errorf("the other run = %+v; want it finished", run)
		}
		scans.node = ""
		h.clock.Advance(time.Minute)
		h.advance()
		if run := h.run(f.ID); run.Nodes.Queued != 1 {
			t.Errorf("run = %+v; want that it goes on", run)
		}
	})
}

// A schedule that cannot be fired holds up none of those after it.
func TestScheduleThatCannotFire(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		bad, good := h.create(hourly("bad")), h.create(hourly("good"))
		change := func(cron string) {
			dbtest.Write(t, h.db, func(tx *db.Tx) error {
				_, err := tx.ExecContext(t.Context(), `UPDATE schedule SET cron = $2 WHERE id = $1`, bad.ID, cron)
				return err
			})
		}
		change("not written by this version")
		for hour := 1; hour <= 3; hour++ {
			h.clock.Set(noon.Add(time.Duration(hour) * time.Hour))
			wait, err := h.FireDue(t.Context())
			if err == nil || !strings.Contains(err.Error(), `"bad"`) || wait <= 0 || wait > time.Second {
				t.Errorf("FireDue = %v, %v; want which cannot be fired, and to be tried again soon", wait, err)
			}
			h.advance()
			if runs := h.runs(good.ID); len(runs) != hour {
				t.Errorf("after %d hours the other one has the runs %+v", hour, runs)
			}
		}
		change("0 * * * *")
		h.clock.Advance(time.Minute)
		h.fire()
		if runs := h.runs(bad.ID); len(runs) != 1 || runs[0].Missed != 2 {
			t.Errorf("runs = %+v; want one for three hours", runs)
		}
	})
}
