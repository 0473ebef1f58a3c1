package notify_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/lease"
)

var errNever = &notify.Failure{Said: "400: no", Rejected: true}

// What was given up is sent once more by hand, and its log goes on.
func TestRedeliver(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.tells("chat", "talk")
		h.sent.fail("talk", errDown, errNever)
		h.missed("one")
		h.send()
		h.clock.Advance(time.Minute)
		h.send()
		dead := h.deliveries(notify.DeliveryQuery{State: notify.Dead})[0]
		d, err := h.Redeliver(t.Context(), dead.ID)
		if err != nil || d.State != notify.Pending || !d.EndedAt.IsZero() || !d.CreatedAt.Equal(dead.CreatedAt) {
			t.Fatalf("%+v, %v", d, err)
		}
		_, err = h.Redeliver(t.Context(), dead.ID)
		wantProblem(t, err, 409, "")
		h.wantTold("once more", "talk told medium A schedule missed fire times")
		log := h.log(dead.ID)
		if log.State != notify.Delivered || len(log.Log) != 3 || log.Log[2].Number != 3 || log.Log[2].Error != "" {
			t.Errorf("%+v", log)
		}
		_, err = h.Redeliver(t.Context(), "nobody")
		wantProblem(t, err, 404, "")
	})
}

// One that is sent again a day later has a day again.
func TestRedeliverHasItsTime(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.tells("chat", "talk")
		h.sent.fail("talk", errNever, errDown)
		h.missed("one")
		h.send()
		h.clock.Advance(3 * notify.GivenUpAfter)
		if _, err := h.Redeliver(t.Context(), h.deliveries(notify.DeliveryQuery{})[0].ID); err != nil {
			t.Fatal(err)
		}
		h.send()
		if got := h.states(); !slices.Equal(got, []string{"told pending"}) {
			t.Errorf("deliveries are %q", got)
		}
	})
}

// What is older than what the far side has, or may have at any moment, is not sent again.
func TestRedeliverKeepsOrder(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.integration("tracker", "desk")
		h.rule(of([]string{"node.inactive"}, id))
		web := h.node("web")
		h.sent.fail("desk", errNever)
		h.happens("node.inactive", web, web, nil)
		h.read()
		h.send()
		opened := h.deliveries(notify.DeliveryQuery{})[0].ID
		h.happens("node.active", web, web, nil)
		h.read()
		h.sent.before = func(context.Context, string, notify.Notification) error {
			_, err := h.Redeliver(t.Context(), opened)
			wantProblem(t, err, 409, "") // the newer one is on its way
			if _, err := h.RedeliverAll(t.Context(), id); err != nil {
				t.Error(err)
			}
			return errDown
		}
		h.send()
		h.sent.before = nil
		if got := h.states(); !slices.Equal(got, []string{"opened dead", "resolved pending"}) {
			t.Errorf("deliveries are %q", got)
		}
		// Put off, the newer one waits for the older.
		if _, err := h.Redeliver(t.Context(), opened); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Minute)
		h.send()
		if got := h.sent.got(); len(got) != 2 || got[0].Action != notify.Opened || got[1].Action != notify.Resolved || got[1].Ref != "made-node.inactive/"+web {
			t.Errorf("arrived %+v", got)
		}
		h.execute(`UPDATE delivery SET state = 'dead' WHERE id = $1`, opened)
		_, err := h.Redeliver(t.Context(), opened)
		wantProblem(t, err, 409, "")
		if _, err := h.RedeliverAll(t.Context(), id); err != nil {
			t.Error(err)
		}
		if got := h.states(); !slices.Equal(got, []string{"opened dead", "resolved delivered"}) {
			t.Errorf("deliveries are %q", got)
		}
	})
}

// All that was given up goes out again, and an integration that is left alone is tried
// at once, also where nothing was given up.
func TestRedeliverAll(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		other := h.tells("chat", "other")
		h.sent.fail("talk", errNever, errNever, &notify.Failure{Said: "429", After: time.Hour})
		h.sent.fail("other", errNever)
		h.missed("one", "two", "three")
		h.send()
		h.arrived()
		i, err := h.RedeliverAll(t.Context(), id)
		if err != nil || i.Pending != 3 || i.Dead != 0 || !i.ResumesAt.IsZero() {
			t.Errorf("%+v, %v", i, err)
		}
		h.clock.Advance(time.Microsecond)
		h.send()
		if got := h.arrived(); len(got) != 3 {
			t.Errorf("arrived %q", got)
		}
		if h.getIntegration(other).Dead != 1 {
			t.Error("another integration's were sent, too")
		}
		_, err = h.RedeliverAll(t.Context(), "nobody")
		wantProblem(t, err, 404, "")

		h.clock.Advance(time.Hour)
		h.send()
		h.sent.fail("talk", &notify.Failure{Said: "503", After: time.Hour})
		h.missed("four")
		h.send()
		h.missed("five")
		h.arrived()
		if _, err := h.RedeliverAll(t.Context(), id); err != nil {
			t.Error(err)
		}
		h.send()
		if got := h.arrived(); !slices.Contains(got, "talk told medium A schedule missed fire times") {
			t.Errorf("arrived %q", got)
		}
	})
}

// Old notifications go with their deliveries, but for what still waits, and what tells
// where something stands that is still open.
func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id, chat := h.integration("tracker", "desk"), h.integration("chat", "talk")
		h.rule(of([]string{"node.inactive", "schedule.missed"}, id, chat))
		web, db := h.node("web"), h.node("db")
		h.happens("node.inactive", web, web, nil)
		h.happens("node.inactive", db, db, nil)
		h.happens("node.active", db, db, nil)
		h.missed("one")
		h.send()
		h.sent.before = func(context.Context, string, notify.Notification) error { return errors.New("down") }
		h.missed("two")
		h.send()
		h.sent.before = nil
		h.clock.Advance(time.Hour)
		n, err := h.Sweep(t.Context(), h.clock.Now())
		if err != nil || n != 3 {
			t.Errorf("swept %d, %v", n, err)
		}
		h.clock.Advance(lease.Duration)
		h.happens("node.active", web, web, nil)
		h.read()
		h.send()
		var refs []string
		for _, a := range h.sent.got() {
			if a.Action == notify.Resolved && a.to == "desk" {
				refs = append(refs, a.Ref)
			}
		}
		if !slices.Contains(refs, "made-node.inactive/"+web) {
			t.Errorf("refs are %q", refs)
		}
		if n, err := h.Sweep(t.Context(), h.clock.Now().Add(time.Second)); err != nil || n != 3 || h.count(`SELECT count(*) FROM delivery`) != 0 || h.count(`SELECT count(*) FROM attempt`) != 0 {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}
