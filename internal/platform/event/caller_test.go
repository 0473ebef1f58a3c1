package event_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
)

// ended waits until a stream has.
func (r *reader) ended() {
	r.t.Helper()
	for r.lines.Scan() {
		if text := r.lines.Text(); len(text) > 5 && text[:5] == "data:" {
			r.t.Errorf("the stream goes on: %s", text)
		}
	}
}

// A member of a team is told what happened to their nodes, and what everybody is.
func TestEventsOfATeam(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serveTo(t, d, access.Principal{Role: access.Viewer, Scope: "theirs"}, func(l *event.Log, _ *lease.Signals) {
			l.Guard(func(context.Context) (bool, error) { return true, nil }, func(context.Context) (string, error) { return db.Column([]string{"n1", "n2"}) })
		})
		r := s.follow("?after=0")
		r.position()
		for _, e := range []struct {
			to      event.Audience
			subject string
		}{
			{event.Of("n1"), "scan of n1"},
			{event.Of("n9"), "scan of n9"},
			{event.AllNodes, "a schedule"},
			{event.Everybody, "the feed"},
			{event.Of(""), "nobody's"},
			{event.Of("n2"), "scan of n2"},
		} {
			dbtest.Write(t, d, func(tx *db.Tx) error {
				return event.AppendTo(t.Context(), tx, noon, e.to, "test.happened", e.subject, nil)
			})
		}
		want := []string{"scan of n1", "the feed", "scan of n2"}
		for _, subject := range want {
			if e := r.next(); e.Subject != subject {
				t.Errorf("the stream tells of %q; want %q", e.Subject, subject)
			}
		}
		member := access.With(t.Context(), access.Principal{Role: access.Viewer, Scope: "theirs"})
		for _, order := range []string{"oldest", "newest"} {
			page, err := s.List(member, event.Query{Order: order}, rest.Paging{Limit: 10})
			if err != nil || len(page.Items) != len(want) {
				t.Errorf("%s: %+v, %v", order, page, err)
			}
		}
		if page, err := s.List(t.Context(), event.Query{}, rest.Paging{Limit: 10}); err != nil || len(page.Items) != 6 {
			t.Errorf("who sees all nodes is told %+v, %v", page, err)
		}
	}, event.Migrations)
}

// Without anybody who says which nodes a member sees, they are told nothing.
func TestEventsOfATeamUnguarded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := event.NewLog(d, lease.NewSignals(), clocktest.At(noon).Now)
		if page, err := l.List(access.With(t.Context(), access.Principal{Scope: "theirs"}), event.Query{}, rest.Paging{Limit: 1}); err == nil {
			t.Errorf("they are told %+v", page)
		}
	}, event.Migrations)
}

// A stream ends when its reader may not follow any more: at once when that is
// signalled, and else when it is next asked.
func TestStreamEndsWithAccess(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, poll := range map[string]time.Duration{"signalled": never, "asked": 10 * time.Millisecond} {
			t.Run(name, func(t *testing.T) {
				var ends atomic.Bool
				var signals *lease.Signals
				s := serveTo(t, d, access.Principal{Role: access.Viewer}, func(l *event.Log, woken *lease.Signals) {
					signals = woken
					l.SetPace(poll, never, time.Minute)
					l.Guard(func(context.Context) (bool, error) { return !ends.Load(), nil }, nil)
				})
				r := s.follow("")
				r.position()
				signals.Wake(access.Changed) // somebody else's
				s.append("test.happened", "before")
				if e := r.next(); e.Subject != "before" {
					t.Errorf("event = %+v", e)
				}
				ends.Store(true)
				if name == "signalled" {
					signals.Wake(access.Changed)
				}
				r.ended()
			})
		}
	}, event.Migrations)
}

// serveTo is a log that answers a caller.
func serveTo(t *testing.T, d *db.DB, caller access.Principal, prepare func(*event.Log, *lease.Signals)) served {
	t.Helper()
	signals := lease.NewSignals()
	d.OnWake(signals.Wake)
	l := event.NewLog(d, signals, clocktest.At(noon).Now)
	l.SetPace(never, never, time.Minute)
	prepare(l, signals)
	mux := http.NewServeMux()
	l.Routes(rest.New(mux, "test"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(access.With(r.Context(), caller)))
	}))
	t.Cleanup(server.Close)
	return served{l, t, d, server.URL, server.Client()}
}
