package feed

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

// TestServiceHandsOnIntelligence: each new state is handed on once, whoever
// installed it, and again if that failed.
func TestServiceHandsOnIntelligence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p, addresses := intelligencePublisher(t)
		store := openStore(t)
		mustUpdate(t, store, Options{URL: everything(t)})
		var handed []string
		refused := errors.New("not now")
		s := NewService(store, d, Settings{URL: everything(t), Interval: time.Hour, Intelligence: addresses, Reassess: func(_ context.Context, known *Intelligence) error {
			handed = append(handed, known.ID())
			err := refused
			refused = nil
			return err
		}}, time.Now)
		for range 2 {
			if err := s.UpdateIntelligence(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		first, err := store.Intelligence(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.put("/kev.json", strings.Replace(kevFile, "2024-06-20", "2024-06-21", 1))
		second := mustUpdateIntelligence(t, store, addresses) // another process
		for range 2 {
			if _, err := s.For(t.Context(), []string{"Go"}); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{first.ID(), first.ID(), second.Revision}; !slices.Equal(handed, want) {
			t.Errorf("handed on %v, want %v", handed, want)
		}
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM event WHERE type LIKE '%feed.intelligence_updated'`); n != 1 {
			t.Errorf("%d events, want one", n)
		}
		overview, err := s.Overview(t.Context())
		if err != nil || overview.Intelligence != second.Revision || len(overview.Status.Sources) != 3+4 || overview.AsOf.Year() != 2024 {
			t.Errorf("%+v, %v", overview, err)
		}
	}, event.Migrations, Migrations)
}

func TestServiceTakesNamedEcosystems(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, test := range []struct {
			named   []string
			sources int
		}{
			{nil, 1}, {[]string{AutoEcosystems}, 1}, {[]string{AllEcosystems}, 2}, {[]string{"npm"}, 1},
		} {
			p := publish(t, map[string]string{
				"/ecosystems.txt": "Go\nnpm\n", "/Go/all.zip": string(zipOf(t, goRecord)), "/npm/all.zip": string(zipOf(t, ghsaRecord)),
			})
			s := NewService(openStore(t), d, Settings{
				URL: p.URL, Interval: time.Hour, Ecosystems: test.named,
				Installed: func(context.Context) ([]string, error) { return []string{"Go"}, nil },
			}, time.Now)
			outcome, err := s.Update(t.Context(), nil)
			if err != nil || len(outcome.Sources) != test.sources {
				t.Errorf("%v: %+v, %v", test.named, outcome, err)
			}
		}
	}, event.Migrations, Migrations)
}
