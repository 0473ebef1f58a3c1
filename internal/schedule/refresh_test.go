package schedule_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/db/dbtest"
	"patrol/internal/schedule"
)

// outdated is a feed that is older than its interval until it was refreshed, or cannot
// be.
type outdated struct {
	mu      sync.Mutex
	fresh   bool
	asked   int
	because error
	slow    bool
}

func (f *outdated) Due(context.Context) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.fresh, nil
}

func (f *outdated) Refresh(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slow {
		<-ctx.Done()
		return ctx.Err()
	}
	if !f.fresh {
		f.asked++
	}
	f.fresh = f.because == nil
	return f.because
}

// over has the house use a feed.
func (h house) over(f schedule.Feed) house {
	h.Service = schedule.NewService(h.db, h.scans, h.fleet, f, h.signals, h.clock.Now)
	return h
}

func (h house) refresh() {
	h.t.Helper()
	if _, err := h.Refresh(h.t.Context()); err != nil {
		h.t.Error(err)
	}
}

// Nothing starts before a feed that is older than its interval was brought up to date:
// once, for all runs and consoles, and again by another console if one dies of it.
func TestRunWaitsForTheFeed(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		feed := &outdated{}
		h = h.over(feed)
		first, second := h.create(hourly("first")), h.create(hourly("second"))
		h.clock.Set(noon.Add(time.Hour))
		h.fire()
		byHand, err := h.RunNow(t.Context(), first.ID)
		if err != nil || byHand.Scans != 0 || !byHand.FeedCheckedAt.IsZero() || byHand.Nodes.Waiting != 1 {
			t.Errorf("RunNow = %+v, %v; want that it waits", byHand, err)
		}
		for _, s := range []schedule.Schedule{first, second} {
			if run := h.run(s.ID); run.State != schedule.Running || run.Scans != 0 || run.Lateness > 1 || run.Selected != 1 {
				t.Errorf("run = %+v; want it fired, and nothing started", run)
			}
		}
		// The console that asks is killed; three others come.
		var group sync.WaitGroup
		for range 3 {
			group.Go(newHouse(t, h.db, h.clock).over(feed).refresh)
		}
		group.Wait()
		h.advance()
		if feed.asked != 1 {
			t.Errorf("the feed was refreshed %d times; want once", feed.asked)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM scan`); n != 1 {
			t.Errorf("%d scans; want that of the node", n)
		}
		for _, s := range []schedule.Schedule{first, second} {
			if run := h.run(s.ID); run.FeedCheckedAt.IsZero() || run.Warning != "" || run.Nodes.Waiting != 0 {
				t.Errorf("run = %+v; want it gone on", run)
			}
		}
		// While it is new enough a run waits for nothing.
		if run, err := h.RunNow(t.Context(), first.ID); err != nil || !run.FeedCheckedAt.Equal(h.clock.Now()) || run.Nodes.Waiting != 0 || feed.asked != 1 {
			t.Errorf("RunNow = %+v, %v; want that it waits for nothing", run, err)
		}
	})
}

// A source that cannot be reached does not hold the run, which says so.
func TestFeedThatCannotBeReached(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		h = h.over(&outdated{because: errors.New("osv.example: no such host")})
		run, err := h.RunNow(t.Context(), h.create(hourly("hourly")).ID)
		if err != nil || run.Scans != 0 {
			t.Errorf("RunNow = %+v, %v", run, err)
		}
		h.refresh()
		h.advance()
		run = *h.list()[0].LastRun
		if run.Scans != 1 || !strings.Contains(run.Warning, "no such host") || !strings.Contains(run.Warning, "what is installed") {
			t.Errorf("run = %+v; want it gone on with what is installed", run)
		}
	})
}

// Nor does one that never answers.
func TestFeedThatIsSlow(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		h = h.over(&outdated{slow: true})
		s := h.create(hourly("hourly"))
		if _, err := h.RunNow(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		h.Impatient()
		h.refresh()
		h.advance()
		if run := h.run(s.ID); run.Scans != 1 || !strings.Contains(run.Warning, "longer than") {
			t.Errorf("run = %+v; want it gone on", run)
		}
	})
}

// A run that is cancelled, or whose time is up, does not wait for the feed.
func TestCancelWhileTheFeedIsAwaited(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		h = h.over(&outdated{})
		s := h.create(hourly("hourly"))
		run, err := h.RunNow(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		run, err = h.CancelRun(t.Context(), s.ID, run.ID)
		if err != nil || run.State != schedule.Cancelled || run.Nodes != (schedule.RunNodes{Skipped: 1}) {
			t.Errorf("run = %+v, %v; want it cancelled", run, err)
		}
	})
}
