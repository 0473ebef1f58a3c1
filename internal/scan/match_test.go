package scan_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/lease"
	"patrol/internal/scan"
)

func TestMatch(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		id := h.report(node)
		h.clock.Advance(time.Second)
		if !h.match() || h.match() {
			t.Fatal("one scan waits to be matched")
		}
		s := h.wantState(id, scan.Complete)
		revision, err := h.knowledge.For(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Feed == nil || s.Feed.Revision != revision.ID() || s.Feed.Sample || s.Engine == "" || s.Counts.Unknown == 0 || s.Opened != s.Counts.Unknown ||
			s.Resolved != 0 || s.Duration() != time.Second || !s.Finished() {
			t.Errorf("scan = %+v", s)
		}
		if len(s.NotAssessed) != 1 || s.NotAssessed[0].Ecosystem != "amzn:2023" {
			t.Errorf("not assessed = %+v; want what the feed does not cover", s.NotAssessed)
		}
		n, err := h.fleet.Get(t.Context(), node)
		if err != nil || n.Counts != s.Counts || n.LastScan == nil || n.LastScan.ID != id || n.LastScan.State != scan.Complete || len(n.NotAssessed) != 1 {
			t.Errorf("node = %+v, %v", n, err)
		}
		if h.events("scan.completed", id) != 1 {
			t.Errorf("%d events; want 1", h.events("scan.completed", id))
		}
		// The same again changes nothing.
		again := h.report(node)
		h.match()
		if s := h.wantState(again, scan.Complete); s.Opened != 0 || s.Resolved != 0 || s.Counts.Unknown == 0 {
			t.Errorf("a second scan = %+v", s)
		}
	})
}

// pausing is a feed that is slow to answer: it says when it was asked, and
// answers once it is told to.
type pausing struct {
	scan.Knowledge
	asked, proceed chan struct{}
}

func (p pausing) For(ctx context.Context, ecosystems []string) (*feed.Revision, error) {
	p.asked <- struct{}{}
	<-p.proceed
	return p.Knowledge.For(ctx, ecosystems)
}

// A console that was thought dead wakes up after another has done its work.
func TestMatcherThatWasTakenOver(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.report(h.node("web-1"))
		slow := pausing{h.knowledge, make(chan struct{}), make(chan struct{})}
		first := scan.NewService(h.db, h.fleet, h.findings, slow, h.signals, h.clock.Now)
		var ended sync.WaitGroup
		ended.Go(func() {
			if _, err := first.MatchNext(t.Context()); err != nil {
				t.Error(err)
			}
		})
		<-slow.asked
		if h.match() {
			t.Error("the scan was taken over while its lease ran")
		}
		h.clock.Advance(lease.Duration)
		if !h.match() {
			t.Error("the scan was not taken over")
		}
		done := h.wantState(id, scan.Complete)
		close(slow.proceed)
		ended.Wait()
		if after := h.get(id); after.Opened != done.Opened || !after.FinishedAt.Equal(done.FinishedAt) || h.events("scan.completed", id) != 1 {
			t.Errorf("scan = %+v with %d events; want it done once: %+v", after, h.events("scan.completed", id), done)
		}
	})
}

func TestCancelWhileMatching(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.report(h.node("web-1"))
		slow := pausing{h.knowledge, make(chan struct{}), make(chan struct{})}
		matcher := scan.NewService(h.db, h.fleet, h.findings, slow, h.signals, h.clock.Now)
		var ended sync.WaitGroup
		ended.Go(func() {
			if _, err := matcher.MatchNext(t.Context()); err != nil {
				t.Error(err)
			}
		})
		<-slow.asked
		if _, err := h.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		close(slow.proceed)
		ended.Wait()
		h.wantState(id, scan.Cancelled)
		if n := dbtest.Count(t, h.db.Read(), `SELECT (SELECT count(*) FROM occurrence) + (SELECT count(*) FROM event WHERE type = 'scan.completed')`); n != 0 {
			t.Errorf("a cancelled scan left %d occurrences and events", n)
		}
	})
}

// broken is a feed that cannot be read.
type broken struct{}

func (broken) For(context.Context, []string) (*feed.Revision, error) {
	return nil, errors.New("the revision is damaged")
}

func TestMatchingThatFails(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.report(h.node("web-1"))
		h.Service = scan.NewService(h.db, h.fleet, h.findings, broken{}, h.signals, h.clock.Now)
		for attempt := 1; attempt <= 5; attempt++ {
			h.wantState(id, scan.Matching)
			if !h.match() {
				t.Fatalf("attempt %d: nothing to match", attempt)
			}
			if h.match() {
				t.Fatalf("attempt %d was followed by another at once", attempt)
			}
			h.clock.Advance(10 * time.Minute) // longer than any backoff
		}
		s := h.wantState(id, scan.Failed)
		if !strings.Contains(s.Error, "the revision is damaged") || h.events("scan.failed", id) != 1 || h.match() {
			t.Errorf("error = %q", s.Error)
		}
	})
}

// A scan that brings down the console, again and again, ends too.
func TestMatcherThatIsKilledEveryTime(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.report(h.node("web-1"))
		matching := lease.Table{Name: "scan", Open: scan.Matching}
		for range 5 {
			dbtest.Write(t, h.db, func(tx *db.Tx) error { // and then it is killed
				claims, err := matching.Claim(t.Context(), tx, h.clock.Now(), 1, "")
				if err == nil && len(claims) != 1 {
					t.Errorf("claimed %v", claims)
				}
				return err
			})
			h.clock.Advance(lease.Duration)
		}
		h.match()
		s := h.wantState(id, scan.Failed)
		if !strings.Contains(s.Error, "5 times") || h.events("scan.failed", id) != 1 {
			t.Errorf("error = %q", s.Error)
		}
	})
}

// Run is woken by what agents report, and ends with its context.
func TestRun(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		ctx, cancel := context.WithCancel(t.Context())
		slow := pausing{h.knowledge, make(chan struct{}), make(chan struct{}, 2)}
		matcher := scan.NewService(h.db, h.fleet, h.findings, slow, h.signals, h.clock.Now)
		var ended sync.WaitGroup
		ended.Go(func() { matcher.Run(ctx) })
		first, second := h.report(h.node("web-1")), h.report(h.node("web-2"))
		for range 2 {
			<-slow.asked
			slow.proceed <- struct{}{}
		}
		third := h.report(h.node("web-3"))
		<-slow.asked // the third is begun, so the others are done
		h.wantState(first, scan.Complete)
		h.wantState(second, scan.Complete)
		cancel()
		slow.proceed <- struct{}{}
		ended.Wait()
		h.wantState(third, scan.Matching) // for the next console
	})
}
