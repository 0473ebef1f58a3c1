package feed

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

// due asks a service whether a run is to wait for it.
func due(t *testing.T, s *Service) bool {
	t.Helper()
	is, err := s.Due(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// A feed is refreshed when it is older than its interval, and a source that cannot be
// reached is not asked by every run.
func TestRefresh(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := publish(t, map[string]string{"/ecosystems.txt": "Go\n", "/Go/all.zip": string(zipOf(t, goRecord))})
		clock := clocktest.At(time.Now())
		s := NewService(openStore(t), d, Settings{URL: p.URL, Interval: time.Hour, Ecosystems: []string{AllEcosystems}}, clock.Now)
		asked := func() bool { return len(p.since()) > 0 }
		refresh := func() error { return s.Refresh(t.Context()) }

		if !due(t, s) {
			t.Error("a feed that was never asked for is new enough")
		}
		if err := refresh(); err != nil || !asked() || due(t, s) {
			t.Errorf("the first Refresh = %v", err)
		}
		if r, err := s.For(t.Context(), nil); err != nil || r.Sample() {
			t.Errorf("For = %v, %v; want what was refreshed", r, err)
		}
		clock.Advance(59 * time.Minute)
		if err := refresh(); err != nil || asked() || due(t, s) {
			t.Errorf("Refresh within the interval = %v", err)
		}
		clock.Advance(2 * time.Minute)
		p.put("/Go/all.zip", "")
		if !due(t, s) {
			t.Error("a feed older than its interval is new enough")
		}
		if err := refresh(); err == nil || !asked() {
			t.Errorf("Refresh of what is not there = %v", err)
		}
		// The store notes attempts by the clock of the machine.
		clock.Set(time.Now().Add(4 * time.Minute))
		if err := refresh(); err == nil || !strings.Contains(err.Error(), "all.zip") || asked() || !due(t, s) {
			t.Errorf("Refresh after one that failed = %v; want why, and that nobody was asked", err)
		}
		p.put("/Go/all.zip", string(zipOf(t, goRecord)))
		clock.Set(time.Now().Add(6 * time.Minute))
		if err := refresh(); err != nil || !asked() {
			t.Errorf("Refresh some minutes later = %v", err)
		}
	}, event.Migrations)
}

// Of consoles whose runs wait at once one asks the source.
func TestOneConsoleRefreshes(t *testing.T) {
	c := shareHouse(t)
	var asking sync.WaitGroup
	services := make([]*Service, 3)
	for i := range services {
		s, _ := c.open()
		services[i] = s
		asking.Go(func() {
			if err := s.Refresh(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	fetched := slices.DeleteFunc(c.feed.since(), func(answer string) bool { return answer != "200 /Go/all.zip" })
	if len(fetched) != 1 {
		t.Errorf("the feed was fetched %d times, want once", len(fetched))
	}
	for i, s := range services {
		if due(t, s) {
			t.Errorf("console %d has it still due", i)
		}
	}
}

// What one console asked in vain all know of: none asks again at once, and each says why,
// until one had success.
func TestOneConsoleAsksInVain(t *testing.T) {
	c := shareHouse(t)
	first, _ := c.open()
	second, _ := c.open()
	c.feed.put("/Go/all.zip", "")
	if err := first.Refresh(t.Context()); err == nil {
		t.Error("what is not there was refreshed")
	}
	c.feed.since()
	if !due(t, second) {
		t.Error("the other console takes the feed for new enough")
	}
	if err := second.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "all.zip") || len(c.feed.since()) > 0 {
		t.Errorf("Refresh of the other console = %v; want why, and that nobody was asked", err)
	}
	c.feed.put("/Go/all.zip", string(zipOf(t, goRecord)))
	for _, s := range []*Service{second, first} {
		s.now = func() time.Time { return time.Now().Add(6 * time.Minute) }
		if err := s.Refresh(t.Context()); err != nil || due(t, s) {
			t.Errorf("Refresh some minutes later = %v", err)
		}
	}
}

// What was asked for by a clock that was far ahead does not count when it is set back:
// nobody waits until then.
func TestClockThatWasAhead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := publish(t, map[string]string{"/ecosystems.txt": "Go\n", "/Go/all.zip": string(zipOf(t, goRecord))})
		clock := clocktest.At(time.Now())
		s := NewService(openStore(t), d, Settings{URL: p.URL, Interval: time.Hour, Ecosystems: []string{AllEcosystems}, StaleAfter: 24 * time.Hour}, clock.Now)
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.since()
		clock.Advance(-30 * 24 * time.Hour)
		if !due(t, s) {
			t.Error("a feed that will be asked for in a month is new enough")
		}
		if err := s.Refresh(t.Context()); err != nil || len(p.since()) == 0 {
			t.Errorf("Refresh = %v; want the source asked", err)
		}
		// Nor is it fresh for all that time.
		for _, want := range []bool{false, true} {
			if err := s.judge(t.Context()); err != nil {
				t.Fatal(err)
			}
			if f, err := s.freshness(t.Context()); err != nil || f.Stale != want {
				t.Errorf("at %v: %+v, %v; want stale %v", clock.Now(), f, err, want)
			}
			clock.Advance(25 * time.Hour)
		}
	}, event.Migrations, Migrations)
}

// Consoles that share what they ask for do not wait for that moment either.
func TestConsoleWhoseClockWasAhead(t *testing.T) {
	c := shareHouse(t)
	s, _ := c.open()
	for _, at := range []struct {
		clock time.Duration
		asks  bool
	}{{0, true}, {-time.Hour, true}, {-59 * time.Minute, false}} {
		s.now = func() time.Time { return time.Now().Add(at.clock) }
		if _, err := s.updateIfDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		if asked := len(c.feed.since()) > 0; asked != at.asks {
			t.Errorf("with a clock that is %v ahead it asked: %v", at.clock, asked)
		}
	}
}
