package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/notifytest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/rest"
)

// errDown is what keeps a far side from being asked.
var errDown = errors.New("connection refused")

// tells has a rule about stale feeds tell a place of so many of them.
func (h house) tells(kind, place string) (integration string) {
	h.t.Helper()
	integration = h.integration(kind, place)
	d := of([]string{"schedule.missed"}, integration)
	d.Name = place
	h.rule(d)
	return integration
}

// missed has schedules miss their time: each is one notification.
func (h house) missed(schedules ...string) {
	h.t.Helper()
	for _, s := range schedules {
		h.happens("schedule.missed", s, "", map[string]any{"name": s})
	}
	h.read()
}

// tryUntil sends again and again until something came of it, and returns the time that
// this took.
func (h house) tryUntil(done func() bool) time.Duration {
	h.t.Helper()
	began := h.clock.Now()
	for !done() {
		if h.clock.Now().Sub(began) > 48*time.Hour {
			h.t.Fatal("nothing came of it in two days")
		}
		h.clock.Advance(5 * time.Minute)
		h.send()
	}
	return h.clock.Now().Sub(began)
}

// What fails is tried again until it arrives, and the log says how it went.
func TestFailedIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		h.sent.fail("talk", errDown, &notify.Failure{Said: "500: oops"}, nil)
		h.missed("one")
		h.send()
		d := h.deliveries(notify.DeliveryQuery{})[0]
		if d.State != notify.Pending || d.Attempts != 1 || d.Error != "connection refused" || !d.DueAt.After(h.clock.Now()) || !d.EndedAt.IsZero() {
			t.Errorf("after the first attempt: %+v", d)
		}
		if i := h.getIntegration(id); i.State != notify.Failing || i.FailingBecause != "connection refused" || !i.FailingSince.Equal(noon) || i.Pending != 1 {
			t.Errorf("the integration is %+v", i)
		}
		h.send()
		if log := h.log(d.ID).Log; len(log) != 1 {
			t.Errorf("tried again at once: %+v", log)
		}
		h.tryUntil(func() bool { return len(h.sent.list) > 0 })
		log := h.log(d.ID)
		if log.State != notify.Delivered || log.Ref != "made-schedule.missed/one" || log.Error != "" || !log.DueAt.IsZero() || log.EndedAt.IsZero() || len(log.Log) != 3 {
			t.Fatalf("at the end: %+v", log)
		}
		for i, want := range []string{"connection refused", "the far side said 500: oops", ""} {
			a := log.Log[i]
			if a.Number != i+1 || a.Error != want || a.Request != "to talk with : A schedule missed fire times" || a.Response != "thanks," && a.Response != "thanks, " {
				t.Errorf("attempt %d: %+v", i+1, a)
			}
		}
		if i := h.getIntegration(id); i.State != notify.Healthy || !i.FailingSince.IsZero() || i.FailingBecause != "" || i.DeliveredAt.IsZero() || i.Pending != 0 {
			t.Errorf("the integration is %+v", i)
		}
		if log.Notification.Title != log.Title || log.Title == "" {
			t.Errorf("titles %q and %q", log.Title, log.Notification.Title)
		}
	})
}

// What is never taken is given up at once; others go on.
func TestRejectedIsDead(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		h.sent.fail("talk", &notify.Failure{Said: "422: too long", Rejected: true})
		h.missed("one", "two")
		h.send()
		states := h.states()
		slices.Sort(states)
		if !slices.Equal(states, []string{"told dead", "told delivered"}) {
			t.Errorf("deliveries are %q", states)
		}
		if i := h.getIntegration(id); i.Dead != 1 || i.Pending != 0 {
			t.Errorf("the integration is %+v", i)
		}
	})
}

// A day after the first attempt it is given up, however long it waited before.
func TestGivenUp(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		h.sent.before = func(context.Context, string, notify.Notification) error { return errDown }
		change := func(enabled bool) {
			t.Helper()
			if _, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Enabled: &enabled}); err != nil {
				t.Fatal(err)
			}
		}
		h.missed("one")
		change(false)
		h.clock.Advance(3 * 24 * time.Hour)
		h.send()
		if d := h.deliveries(notify.DeliveryQuery{})[0]; d.Attempts != 0 {
			t.Errorf("sent to a disabled integration: %+v", d)
		}
		change(true)
		took := h.tryUntil(func() bool { return h.deliveries(notify.DeliveryQuery{})[0].State == notify.Dead })
		if took < notify.GivenUpAfter || took > notify.GivenUpAfter+10*time.Minute {
			t.Errorf("given up after %v", took)
		}
		log := h.log(h.deliveries(notify.DeliveryQuery{State: notify.Dead})[0].ID)
		if len(log.Log) != 20 || log.Log[19].Number < 100 || log.Error != "connection refused" {
			t.Errorf("%d attempts are kept, the last is %+v", len(log.Log), log.Log[len(log.Log)-1])
		}
	})
}

// What is told of one key arrives in its order: what comes later waits for what is put
// off, and goes on once that is given up.
func TestOrderOfAKey(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.integration("tracker", "desk")
		h.rule(of([]string{"node.inactive"}, id))
		web, db := h.node("web"), h.node("db")
		h.sent.before = func(_ context.Context, _ string, n notify.Notification) error {
			if n.Action == notify.Opened && strings.HasSuffix(n.Key, web) {
				return &notify.Failure{Said: "409: wait", After: 0}
			}
			return nil
		}
		h.happens("node.inactive", web, web, nil)
		h.wantTold("while the first is put off")
		h.happens("node.active", web, web, nil)
		h.happens("node.inactive", db, db, nil)
		h.wantTold("of another key", "desk opened medium The agent on db is gone")
		h.clock.Advance(time.Hour)
		h.wantTold("while it fails again")
		if got := h.states(); !slices.Equal(got, []string{"opened pending", "resolved pending", "opened delivered"}) {
			t.Errorf("deliveries are %q", got)
		}
		h.sent.before = func(_ context.Context, _ string, n notify.Notification) error {
			if n.Action == notify.Opened {
				return &notify.Failure{Said: "400: no", Rejected: true}
			}
			return nil
		}
		h.clock.Advance(time.Hour)
		h.wantTold("once it is given up", "desk resolved info Resolved: The agent on web is back")
		if got := h.states(); !slices.Equal(got, []string{"opened dead", "resolved delivered", "opened delivered"}) {
			t.Errorf("deliveries are %q", got)
		}
	})
}

// However long the far side wants to be left alone, it is, on any failure.
func TestRetryAfter(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		far := notifytest.NewFar(t, notifytest.Says(http.StatusServiceUnavailable, "later", "Retry-After", "600"))
		id := h.add(notify.NewIntegration{Name: "hook", Kind: "http", Settings: notify.Settings{"url": far.URL + "/in", "ca": far.CA}})
		h.rule(of([]string{"schedule.missed"}, id))
		h.missed("one")
		h.send()
		if i := h.getIntegration(id); !i.ResumesAt.Equal(noon.Add(10 * time.Minute)) {
			t.Errorf("resumes at %v", i.ResumesAt)
		}
		far.Answer(notifytest.Says(http.StatusNoContent, ""))
		far.Got()
		h.missed("two")
		h.clock.Advance(10*time.Minute - time.Microsecond)
		h.send()
		if got := far.Got(); len(got) != 0 {
			t.Errorf("%d requests before", len(got))
		}
		h.clock.Advance(time.Microsecond)
		h.send()
		if got := far.Got(); len(got) != 2 {
			t.Errorf("%d requests after", len(got))
		}
	})
}

// One that fails again and again is left alone for longer and longer, then tried by one
// delivery; that is told once, and that it is well again once.
func TestBreaker(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		watch := of([]string{"integration.failing"}, h.integration("chat", "watch"))
		watch.Name, watch.Resolved = "Watch", true
		h.rule(watch)
		for range 5 {
			h.sent.fails["talk"] = append(h.sent.fails["talk"], errDown)
		}
		var schedules []string
		for n := range 12 {
			schedules = append(schedules, fmt.Sprint("s", n))
		}
		h.missed(schedules[:5]...)
		h.send()
		if i := h.getIntegration(id); i.ResumesAt.IsZero() || i.FailingSince.IsZero() {
			t.Fatalf("after five failures: %+v", i)
		}
		h.wantTold("once", "watch opened high Integration talk cannot deliver")
		h.missed(schedules[5:]...)
		h.wantTold("in the pause")
		h.sent.fail("talk", errDown, errDown, errDown, errDown)
		for n := range 4 {
			h.clock.Set(h.getIntegration(id).ResumesAt)
			if err := h.Deliver(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left := len(h.sent.fails["talk"]); left != 3-n {
				t.Fatalf("%d failures are left after probe %d", left, n+1)
			}
		}
		resumes := h.getIntegration(id).ResumesAt.Sub(h.clock.Now())
		if resumes < 8*time.Second || resumes > 24*time.Second {
			t.Errorf("after nine failures it is left alone for %v", resumes)
		}
		h.clock.Advance(10 * time.Minute)
		if got := h.told(); len(got) != 12 {
			t.Errorf("arrived %q", got)
		}
		h.wantTold("once well", "watch resolved info Resolved: Integration talk delivers again")
		if i := h.getIntegration(id); i.State != notify.Healthy {
			t.Errorf("the integration is %+v", i)
		}
		h.wantTold("nothing more")
	})
}

// A success of what began before a pause does not end it.
func TestSuccessEndsNoPause(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		refused := make(chan struct{})
		h.sent.before = func(ctx context.Context, _ string, n notify.Notification) error {
			if strings.HasSuffix(n.Key, "one") {
				defer close(refused)
				return &notify.Failure{Said: "429: too often", After: time.Hour}
			}
			<-refused
			for h.count(`SELECT count(*) FROM integration WHERE resumes_at > 0`) == 0 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Millisecond):
				}
			}
			return nil
		}
		h.missed("one", "two")
		h.send()
		if i := h.getIntegration(id); !i.ResumesAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("resumes at %v", i.ResumesAt)
		}
	})
}

// No more than so many in a minute go to one integration.
func TestPerMinute(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		if _, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{PerMinute: pointer(3)}); err != nil {
			t.Fatal(err)
		}
		var schedules []string
		for n := range 10 {
			schedules = append(schedules, fmt.Sprint("s", n))
		}
		h.missed(schedules...)
		for minute, want := range []int{3, 3, 3, 1, 0} {
			h.send()
			if got := len(h.arrived()); got != want {
				t.Errorf("in minute %d arrived %d; want %d", minute, got, want)
			}
			h.clock.Advance(59 * time.Second)
			h.send()
			if got := len(h.arrived()); got != 0 {
				t.Errorf("late in minute %d arrived %d", minute, got)
			}
			h.clock.Advance(time.Second)
		}
	})
}

// A kind that panics fails one delivery, and the console goes on.
func TestPanic(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.tells("chat", "talk")
		h.sent.before = func(_ context.Context, _ string, n notify.Notification) error {
			if strings.HasSuffix(n.Key, "one") {
				panic("index out of range")
			}
			return nil
		}
		h.missed("one", "two")
		h.send()
		if got := h.states(); !slices.Equal(got, []string{"told pending", "told delivered"}) {
			t.Errorf("deliveries are %q", got)
		}
		if d := h.deliveries(notify.DeliveryQuery{State: notify.Pending})[0]; !strings.Contains(d.Error, "by its own mistake: index out of range") {
			t.Errorf("error is %q", d.Error)
		}
	})
}

// A far side that says nothing is given up after a while, and keeps no other waiting.
func TestHangs(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.SetPatience(20 * time.Millisecond)
		h.tells("chat", "talk")
		h.tells("chat", "other")
		h.sent.before = func(ctx context.Context, to string, _ notify.Notification) error {
			if to == "talk" {
				<-ctx.Done()
				return fmt.Errorf("send: %w", ctx.Err())
			}
			return nil
		}
		h.missed("one")
		h.wantTold("at the other", "other told medium A schedule missed fire times")
		if d := h.deliveries(notify.DeliveryQuery{State: notify.Pending})[0]; d.Error != "it did not answer in time: 20ms" {
			t.Errorf("error is %q", d.Error)
		}
	})
}

// What a far side says may be anything; it is kept where it can be.
func TestAnswerThatNoDatabaseHolds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.tells("chat", "talk")
		h.sent.fail("talk", errors.New("bad \x00 answer \xff"))
		h.happens("schedule.missed", "o", "", map[string]any{"name": "a\x00b", "error": "c\x00d"})
		h.read()
		h.send()
		if d := h.deliveries(notify.DeliveryQuery{})[0]; d.Error != "bad  answer " || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		h.clock.Advance(time.Minute)
		h.wantTold("later", "talk told medium A schedule missed fire times")
	})
}

// An integration whose secrets cannot be read waits, says why, and delivers once it can.
func TestBlocked(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		watch := of([]string{"integration.failing"}, h.integration("chat", "watch"))
		watch.Name = "Watch"
		h.rule(watch)
		h.execute(`UPDATE integration SET secrets = 'nokey:AAAA', secret_names = '["token"]' WHERE id = $1`, id)
		h.missed("one")
		h.send()
		i := h.getIntegration(id)
		if i.State != notify.Failing || !strings.Contains(i.FailingBecause, "set the secret anew") || !i.ResumesAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("%+v", i)
		}
		h.wantTold("that it cannot deliver", "watch opened high Integration talk cannot deliver")
		h.clock.Advance(time.Minute)
		h.wantTold("once only")
		_, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Settings: notify.Settings{"place": "hall"}})
		wantProblem(t, err, 422, "settings.token")
		if _, err := h.EditIntegration(t.Context(), id, notify.IntegrationChange{Settings: notify.Settings{"token": "new-token"}}); err != nil {
			t.Error(err)
		}
		h.wantTold("at last", "talk told medium A schedule missed fire times")
	})
}

// The loops read and send by themselves, and end with their context after what is under
// way.
func TestRun(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.tells("chat", "talk")
		ctx, stop := context.WithCancel(t.Context())
		under, done := make(chan struct{}), make(chan struct{})
		h.sent.before = func(ctx context.Context, _ string, _ notify.Notification) error {
			close(under)
			stop()
			if ctx.Err() != nil {
				t.Error("what is under way was ended")
			}
			return nil
		}
		go func() {
			defer close(done)
			h.Run(ctx)
		}()
		h.happens("schedule.missed", "one", "", nil)
		h.signals.Wake(event.Topic)
		<-under
		<-done
		if got := h.states(); !slices.Equal(got, []string{"told delivered"}) {
			t.Errorf("deliveries are %q", got)
		}
	})
}

func TestDeliveriesPages(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.tells("chat", "talk")
		h.missed("one", "two", "three")
		h.send()
		var seen []string
		paging := rest.Paging{Limit: 2}
		for {
			page, err := h.Deliveries(t.Context(), notify.DeliveryQuery{Integration: id, State: notify.Delivered}, paging)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Items {
				seen = append(seen, d.Key[strings.LastIndexByte(d.Key, '/')+1:])
			}
			if page.Next == "" {
				break
			}
			paging.Cursor = page.Next
		}
		if !slices.Equal(seen, []string{"three", "two", "one"}) {
			t.Errorf("listed %q", seen)
		}
		if got := h.deliveries(notify.DeliveryQuery{State: notify.Dead}); len(got) != 0 {
			t.Errorf("dead are %+v", got)
		}
		_, err := h.Delivery(t.Context(), "nobody")
		wantProblem(t, err, 404, "")
	})
}
