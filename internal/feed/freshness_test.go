package feed

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

// events returns the data of all events of a type.
func events(t *testing.T, d *db.DB, kind string) (all []string) {
	t.Helper()
	rows, err := d.Read().QueryContext(t.Context(), `SELECT data FROM event WHERE type LIKE '%' || CAST($1 AS TEXT) ORDER BY id`, kind)
	all, err = db.All(rows, err, db.Value[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestStaleFeedIsSaidOnce: by however many consoles, however often they look, and
// again once it is over.
func TestStaleFeedIsSaidOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		clock := clocktest.At(time.Now())
		published := everything(t)
		s := NewService(openStore(t), d, Settings{URL: published, Interval: time.Hour}, clock.Now)
		other := NewService(openStore(t), d, Settings{URL: published, Interval: time.Hour}, clock.Now)
		look := func() {
			t.Helper()
			for _, one := range []*Service{s, other, s} {
				if err := one.judge(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := s.Update(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		clock.Advance(DefaultStaleAfter - time.Minute)
		look()
		if overview, err := s.Overview(t.Context()); err != nil || overview.Stale || len(events(t, d, "feed.stale")) != 0 {
			t.Errorf("before its time: %+v, %v, %v", overview.Freshness, err, events(t, d, "feed.stale"))
		}
		s.settings.URL = filepath.Join(published, "nowhere")
		if _, err := s.Update(t.Context(), nil); err == nil {
			t.Error("nothing is published there")
		}
		clock.Advance(2 * time.Minute)
		look()
		look()
		for name, one := range map[string]*Service{"this": s, "another": other} {
			overview, err := one.Overview(t.Context())
			if err != nil || !overview.Stale || clock.Now().Sub(overview.Since) > 2*time.Minute || !strings.Contains(overview.Because, "last brought up to date") {
				t.Errorf("%s console: %+v, %v", name, overview.Freshness, err)
			}
		}
		said := events(t, d, "feed.stale")
		if len(said) != 1 || !strings.Contains(said[0], "nowhere") || !strings.Contains(said[0], "stale_since") {
			t.Errorf("feed.stale: %v; want one that says why", said)
		}
		restarted := NewService(s.store, d, Settings{URL: published, Interval: time.Hour}, clock.Now)
		if err := restarted.judge(t.Context()); err != nil || len(events(t, d, "feed.stale")) != 1 {
			t.Errorf("a console that restarts says it again: %v", err)
		}

		clock.Set(time.Now()) // which is what the store notes attempts by
		s.settings.URL = published
		clock.Advance(time.Second)
		if _, err := s.Update(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		look()
		if overview, err := other.Overview(t.Context()); err != nil || overview.Stale || !overview.Since.IsZero() {
			t.Errorf("afterwards: %+v, %v", overview.Freshness, err)
		}
		if fresh := events(t, d, "feed.fresh"); len(fresh) != 1 || len(events(t, d, "feed.stale")) != 1 {
			t.Errorf("feed.fresh: %v; want one", fresh)
		}
	}, event.Migrations, Migrations)
}

// TestFeedThatNeverCameIsStale: the time begins when a console first looks.
func TestFeedThatNeverCameIsStale(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		clock := clocktest.At(time.Now())
		s := NewService(openStore(t), d, Settings{URL: filepath.Join(t.TempDir(), "nowhere"), Interval: time.Hour, StaleAfter: 2 * time.Hour}, clock.Now)
		for range 3 {
			_, _ = s.Update(t.Context(), nil) // which fails
			clock.Advance(time.Hour)
		}
		if err := s.judge(t.Context()); err != nil {
			t.Fatal(err)
		}
		overview, err := s.Overview(t.Context())
		if err != nil || !overview.Stale || !overview.Sample || !strings.Contains(overview.Because, "never brought up to date") || len(events(t, d, "feed.stale")) != 1 {
			t.Errorf("%+v, %v", overview.Freshness, err)
		}
	}, event.Migrations, Migrations)
}

// TestUpdateCountsChanges: the event of an update says how many records came, changed
// and went.
func TestUpdateCountsChanges(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := publish(t, map[string]string{"/ecosystems.txt": "Go\n", "/Go/all.zip": string(zipOf(t, goRecord))})
		s := NewService(openStore(t), d, Settings{URL: p.URL, Interval: time.Hour, Ecosystems: []string{AllEcosystems}}, time.Now)
		update := func() Changes {
			t.Helper()
			outcome, err := s.Update(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return outcome.Changes
		}
		count := func(c Changes) [3]int { return [3]int{c.New, c.Changed, c.Gone} }
		if c := update(); count(c) != [3]int{1, 0, 0} {
			t.Errorf("a first feed: %+v; want all new", c)
		}
		if c := update(); count(c) != [3]int{} {
			t.Errorf("the same feed: %+v", c)
		}
		another := strings.Replace(goRecord, "GO-2024-0001", "GO-2024-0002", 1)
		changed := strings.Replace(goRecord, "The decoder loops", "The decoder loops for ever", 1)
		if another == goRecord || changed == goRecord {
			t.Fatalf("the record is %s", goRecord)
		}
		p.put("/Go/all.zip", string(zipOf(t, changed, another)))
		if c := update(); count(c) != [3]int{1, 1, 0} {
			t.Errorf("one changed and one came: %+v", c)
		}
		p.put("/Go/all.zip", string(zipOf(t, another)))
		if c := update(); count(c) != [3]int{0, 0, 1} {
			t.Errorf("one went: %+v", c)
		}
		said := events(t, d, "feed.updated")
		if len(said) != 3 {
			t.Fatalf("feed.updated: %v; want three", said)
		}
		var last struct {
			Changes map[string]int `json:"changes"`
		}
		if err := json.Unmarshal([]byte(said[1]), &last); err != nil || last.Changes["new"] != 1 || last.Changes["changed"] != 1 || last.Changes["gone"] != 0 {
			t.Errorf("the event says %s, %v", said[1], err)
		}
	}, event.Migrations, Migrations)
}

// TestSlowSourceDelaysNoOther: OSV is brought up to date while another source has not
// answered yet.
func TestSlowSourceDelaysNoOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		asked, answer := make(chan struct{}), make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(asked)
			<-answer
			_, _ = w.Write([]byte(kevFile))
		}))
		defer slow.Close()
		s := NewService(openStore(t), d, Settings{URL: everything(t), Interval: time.Hour, Intelligence: Addresses{KEV: slow.URL}}, time.Now)
		fetched := make(chan error)
		go func() { fetched <- s.UpdateIntelligence(t.Context()) }()
		<-asked
		outcome, err := s.Update(t.Context(), nil)
		if err != nil || !outcome.Changed {
			t.Errorf("OSV: %+v, %v", outcome, err)
		}
		close(answer)
		if err := <-fetched; err != nil {
			t.Error(err)
		}
		overview, err := s.Overview(t.Context())
		if err != nil || overview.Revision != outcome.Revision || overview.Intelligence == "" {
			t.Errorf("%+v, %v", overview, err)
		}
		for _, source := range overview.Status.Sources {
			if wanted := source.Ecosystem() != "" || source.Name == "kev"; wanted == source.AttemptedAt.IsZero() && source.State != SourceOff {
				t.Errorf("%s was attempted at %v", source.Name, source.AttemptedAt)
			}
		}
	}, event.Migrations, Migrations)
}
