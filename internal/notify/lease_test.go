package notify_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/platform/lease"
)

// Two consoles send each delivery once, and one of a key at a time.
func TestTwoConsoles(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		other := h.another()
		id := h.integration("store", "lake")
		h.rule(of([]string{"node.inactive"}, id))
		var nodes []string
		for n := range 6 {
			nodes = append(nodes, h.node(fmt.Sprint("web-", n)))
		}
		var mu sync.Mutex
		under := map[string]bool{}
		h.sent.before = func(_ context.Context, _ string, n notify.Notification) error {
			mu.Lock()
			defer mu.Unlock()
			if under[n.Key] {
				t.Errorf("two of %s at a time", n.Key)
			}
			under[n.Key] = true
			return nil
		}
		inner := h.sent
		for range 5 {
			for _, node := range nodes {
				h.happens("node.inactive", node, node, nil)
				h.happens("node.active", node, node, nil)
			}
		}
		var both sync.WaitGroup
		for _, console := range []house{h, other} {
			both.Go(func() {
				if _, err := console.Read(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if n := h.count(`SELECT count(*) FROM delivery`); n != 60 {
			t.Errorf("%d deliveries", n)
		}
		h.sent.before = func(_ context.Context, _ string, n notify.Notification) error {
			mu.Lock()
			defer mu.Unlock()
			delete(under, n.Key)
			return nil
		}
		for h.count(`SELECT count(*) FROM delivery WHERE state = 'pending'`) > 0 {
			for _, console := range []house{h, other} {
				both.Go(func() {
					if err := console.Deliver(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
		at := map[string]notify.Action{}
		arrivals := inner.got()
		for _, a := range arrivals {
			if at[a.Key] == a.Action {
				t.Errorf("%s of %s twice in a row", a.Action, a.Key)
			}
			at[a.Key] = a.Action
		}
		if len(arrivals) != 60 {
			t.Errorf("%d arrived", len(arrivals))
		}
	})
}

// Whoever lost the lease has sent what another sends again, and writes nothing.
func TestLostLease(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		other := h.another()
		h.tells("chat", "talk")
		h.missed("one")
		var attempts atomic.Int32
		h.sent.before = func(context.Context, string, notify.Notification) error {
			if attempts.Add(1) > 1 {
				return nil
			}
			// This console stops for so long that another one takes over.
			h.clock.Advance(lease.Duration + time.Second)
			if err := other.Deliver(t.Context()); err != nil {
				t.Error(err)
			}
			return errDown
		}
		h.send()
		d := h.deliveries(notify.DeliveryQuery{})[0]
		if d.State != notify.Delivered || d.Attempts != 2 || d.Error != "" {
			t.Errorf("%+v", d)
		}
		if log := h.log(d.ID).Log; len(log) != 1 || log[0].Error != "" {
			t.Errorf("log %+v", log)
		}
		h.send()
		if got := h.arrived(); len(got) != 1 {
			t.Errorf("arrived %q", got)
		}
	})
}

// A console that is killed while it sends says it again when its lease has ended, by the
// same id.
func TestKilledWhileSending(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.tells("chat", "talk")
		h.missed("one")
		h.execute(`UPDATE delivery SET lease_id = 'dead', lease_until = $1, attempts = 1`, h.clock.Now().Add(lease.Duration).UnixMicro())
		h.wantTold("while the lease goes on")
		h.clock.Advance(lease.Duration)
		h.wantTold("after it", "talk told medium A schedule missed fire times")
	})
}

// What is removed while it is sent leaves nothing behind.
func TestDeletedWhileSending(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.integration("chat", "talk")
		rule := h.rule(of([]string{"schedule.missed"}, id))
		h.missed("one")
		h.sent.before = func(context.Context, string, notify.Notification) error {
			wantProblem(t, h.DeleteIntegration(t.Context(), id), 409, "")
			if err := h.DeleteRule(t.Context(), rule); err != nil {
				t.Error(err)
			}
			if err := h.DeleteIntegration(t.Context(), id); err != nil {
				t.Error(err)
			}
			return nil
		}
		h.send()
		if n := h.count(`SELECT count(*) FROM delivery`) + h.count(`SELECT count(*) FROM attempt`); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// What a rule had to deliver is delivered though the rule is gone.
func TestRuleDeletedBeforeDelivery(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.integration("chat", "talk")
		rule := h.rule(of([]string{"schedule.missed"}, id))
		h.missed("one")
		if err := h.DeleteRule(t.Context(), rule); err != nil {
			t.Fatal(err)
		}
		h.wantTold("after the rule is gone", "talk told medium A schedule missed fire times")
		if got := h.deliveries(notify.DeliveryQuery{Rule: rule}); len(got) != 1 {
			t.Errorf("deliveries of the rule: %+v", got)
		}
	})
}

// What an integration sends by is what it was last told, without a restart.
func TestChangedIntegrationIsPickedUp(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		h.missed("one")
		h.wantTold("before", "talk told medium A schedule missed fire times")
		if _, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Settings: notify.Settings{"place": "hall"}}); err != nil {
			t.Fatal(err)
		}
		h.missed("two", "three")
		h.wantTold("after", "hall told medium A schedule missed fire times", "hall told medium A schedule missed fire times")
		if h.sent.opened > 5 { // twice each to check, twice to send
			t.Errorf("opened %d times", h.sent.opened)
		}
	})
}
