package feed

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

// dripping serves a catalogue that begins with spaces, one after another, until it is
// told to finish: it moves all the time.
func dripping(t *testing.T) (url string, finish chan<- struct{}) {
	finished := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-finished:
				_, _ = w.Write([]byte(kevFile))
				return
			case <-tick.C:
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, finished
}

// TestSlowSourceOfIntelligence: what the others have is installed, and vulnerabilities
// are assessed by it, while one is still on its way.
func TestSlowSourceOfIntelligence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_, addresses := intelligencePublisher(t)
		slow, finish := dripping(t)
		addresses.KEV = slow
		store := openStore(t)
		assessed := make(chan []Source, 10)
		s := NewService(store, d, Settings{URL: everything(t), Interval: time.Hour, Intelligence: addresses, Reassess: func(_ context.Context, known *Intelligence) error {
			if known.ID() != "" {
				assessed <- known.Sources()
			}
			return nil
		}}, time.Now)
		s.together = 100 * time.Millisecond
		fetched := make(chan error, 1)
		go func() { fetched <- s.UpdateIntelligence(t.Context()) }()
		for had := 0; had < 3; {
			select {
			case sources := <-assessed:
				if had = len(sources); sources[had-1].Name == "kev" {
					t.Fatal("the slow one was there")
				}
			case err := <-fetched:
				t.Fatalf("the update ended: %v", err)
			}
		}
		if known := knownOf(t, store, "CVE-2024-1001"); known.EPSS == nil || known.KEV != nil && known.KEV.Listed {
			t.Errorf("known is %+v; want the others", known)
		}
		close(finish)
		if err := <-fetched; err != nil {
			t.Fatal(err)
		}
		if known := knownOf(t, store, "CVE-2024-1001"); known.EPSS == nil || known.KEV == nil || !known.KEV.Listed || len(known.CVSS) == 0 {
			t.Errorf("in the end %+v is known; want all", known)
		}
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM event WHERE type LIKE '%feed.intelligence_updated'`); n < 2 {
			t.Errorf("%d events, want one for each time", n)
		}
		overview, err := s.Overview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range overview.Status.Sources {
			if source.Ecosystem() == "" && source.State != SourceOK {
				t.Errorf("%+v; want it fine", source)
			}
		}
	}, event.Migrations, Migrations)
}

// A source that takes for ever fails in the end, and no other.
func TestSourceThatTakesForEver(t *testing.T) {
	_, addresses := intelligencePublisher(t)
	addresses.KEV, _ = dripping(t)
	outcome, err := openStore(t).UpdateIntelligence(t.Context(), Options{Intelligence: addresses, Patience: time.Second})
	if err != nil || len(outcome.Sources) != 3 || len(outcome.Failed) != 1 || outcome.Failed[0].Name != "kev" || !strings.Contains(outcome.Failed[0].Error, "it was not there after 1s") {
		t.Errorf("%+v, %v", outcome, err)
	}
}
