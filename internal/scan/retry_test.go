package scan_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// fail has the node's agent fail what it is to do.
func (h house) fail(node string) {
	h.t.Helper()
	c := h.claim(node)
	if _, err := h.Finish(h.t.Context(), node, c.ID, wire.FinishRequest{LeaseID: c.LeaseID, Error: "the disk does not answer"}); err != nil {
		h.t.Fatal(err)
	}
}

// retry has three consoles, none of which was there before, look for what is to be
// tried again, and returns how long there will be nothing.
func (h house) retry() (wait time.Duration) {
	h.t.Helper()
	for wait == 0 {
		var looking sync.WaitGroup
		waits := make([]time.Duration, 3)
		for i := range waits {
			console := scan.NewService(h.db, h.fleet, h.findings, h.knowledge, h.signals, h.clock.Now)
			console.SetAutomatic(func(context.Context, db.Querier) (scan.Automatic, error) {
				return scan.Automatic{OnArrival: []string{fleet.Host}, OnChange: []string{fleet.Host}}, nil
			})
			looking.Go(func() {
				var err error
				if waits[i], err = console.RetryDue(h.t.Context()); err != nil {
					h.t.Error(err)
				}
			})
		}
		looking.Wait()
		wait = max(waits[0], waits[1], waits[2])
	}
	return wait
}

// due is in how long the one scan that failed is tried again.
func (h house) due() time.Duration {
	h.t.Helper()
	return time.UnixMicro(int64(dbtest.Count(h.t, h.db.Read(), `SELECT retry_at FROM scan WHERE retry_at IS NOT NULL`))).Sub(h.clock.Now())
}

func (h house) pending() int {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM scan WHERE retry_at IS NOT NULL`)
}

// A scan of arrival or change that fails is tried again after a minute, two and four,
// once each, whichever console is there.
func TestRetry(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(both, both)
		host := h.node("web-1")
		want := []string{"arrival failed"}
		for i, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			h.fail(host)
			due := h.due()
			if due < wait*3/4 || due > wait*5/4 {
				t.Errorf("after it failed %d times it waits for %v; want %v, more or less", i+1, due, wait)
			}
			h.clock.Advance(due - time.Second)
			if wait := h.retry(); wait != time.Second {
				t.Errorf("a second before, consoles sleep for %v", wait)
			}
			h.wantScans(host, want...)
			h.clock.Advance(time.Second)
			h.retry()
			h.wantScans(host, append(want, "arrival queued")...)
			want = append(want, "arrival failed")
		}
		h.fail(host)
		if n := h.pending(); n != 0 {
			t.Errorf("%d are tried once more", n)
		}
		h.wantScans(host, want...)

		// A change begins anew, and is done with when it succeeds.
		h.changed(host, wire.ChangedRequest{Host: true})
		h.fail(host)
		h.clock.Advance(h.due())
		h.retry()
		h.collect(host)
		h.match()
		h.wantScans(host, append(want, "change failed", "change complete")...)
		if n := h.pending(); n != 0 {
			t.Errorf("%d are tried again", n)
		}
	})
}

// A node that was scanned meanwhile, is being scanned, is gone, or is not to be scanned
// by itself any longer, is not scanned again.
func TestNotRetried(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(both, both)
		for what, test := range map[string]struct {
			meanwhile func(host string)
			want      []string
		}{
			"scanned": {func(host string) { h.report(host); h.match() }, []string{"on_demand complete"}},
			"busy":    {func(host string) { h.start(host) }, []string{"on_demand queued"}},
			"given up": {func(host string) {
				if _, err := h.Cancel(t.Context(), h.start(host)); err != nil {
					t.Fatal(err)
				}
			}, []string{"on_demand cancelled", "arrival queued"}},
			"changed": {func(host string) { h.changed(host, wire.ChangedRequest{Host: true}) }, []string{"change queued"}},
			"gone": {func(host string) {
				if err := h.fleet.Retire(t.Context(), host); err != nil {
					t.Fatal(err)
				}
			}, nil},
		} {
			host := h.node(what)
			h.fail(host)
			test.meanwhile(host)
			h.clock.Advance(2 * time.Minute)
			h.retry()
			h.wantScans(host, append([]string{"arrival failed"}, test.want...)...)
		}
		host := h.node("not wanted")
		h.fail(host)
		h.automatic(nil, both)
		h.clock.Advance(2 * time.Minute)
		if _, err := h.RetryDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.wantScans(host, "arrival failed")
		// Nobody else's failure is tried again: somebody asked for it, and looks.
		asked := h.node("asked")
		h.start(asked)
		h.fail(asked)
		if n := h.pending(); n != 0 {
			t.Errorf("%d are tried again", n)
		}
	})
}

// A clock that is set back puts nothing off.
func TestRetryAfterTheClockWasSetBack(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(both, both)
		host := h.node("web-1")
		h.fail(host)
		h.clock.Advance(-time.Hour)
		h.retry()
		h.wantScans(host, "arrival failed", "arrival queued")
	})
}
