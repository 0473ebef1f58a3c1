package feed

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/blob"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
)

// consoles are several on one database and one store of large objects.
type consoles struct {
	t       *testing.T
	url     string
	bundles string
	feed    *publisher
}

func shareHouse(t *testing.T) consoles {
	p := publish(t, map[string]string{"/ecosystems.txt": "Go\n", "/Go/all.zip": string(zipOf(t, goRecord))})
	return consoles{t, dbtest.PostgresURL(t), "file://" + filepath.Join(t.TempDir(), "blobs"), p}
}

// open adds a console.
func (c consoles) open() (*Service, *Store) {
	c.t.Helper()
	d := dbtest.OpenPostgres(c.t, c.url, event.Migrations, blob.Migrations, Migrations)
	bundles, err := blob.Open(c.t.Context(), c.bundles, d)
	if err != nil {
		c.t.Fatal(err)
	}
	store := openStore(c.t)
	return NewService(store, d, Settings{
		URL: c.feed.URL, Interval: time.Hour, Ecosystems: []string{AllEcosystems}, Shared: bundles, Signals: lease.NewSignals(),
	}, time.Now), store
}

func (c consoles) revision(s *Store) *Revision {
	c.t.Helper()
	r, err := s.Current(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// Of consoles that start together one compiles the feed; the others install it.
func TestOneConsoleCompiles(t *testing.T) {
	c := shareHouse(t)
	var starting sync.WaitGroup
	stores := make([]*Store, 3)
	for i := range stores {
		s, store := c.open()
		stores[i] = store
		starting.Go(func() {
			if _, err := s.updateIfDue(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	for i, store := range stores {
		if r := c.revision(store); r.Sample() || r.ID() != c.revision(stores[0]).ID() {
			t.Errorf("console %d has %s", i, r.ID())
		}
	}
	fetched := slices.DeleteFunc(c.feed.since(), func(answer string) bool { return answer != "200 /Go/all.zip" })
	if len(fetched) != 1 {
		t.Errorf("the feed was fetched %d times, want once", len(fetched))
	}
}

// A console installs what another has compiled later, woken or by itself, and
// nobody downloads what nobody needs.
func TestOthersFollow(t *testing.T) {
	c := shareHouse(t)
	first, firstStore := c.open()
	second, secondStore := c.open()
	for i, records := range [][]string{{goRecord}, {goRecord, goNameless}} {
		c.feed.put("/Go/all.zip", string(zipOf(t, records...)))
		if outcome, err := first.Update(t.Context(), nil); err != nil || !outcome.Changed {
			t.Fatalf("%d: %+v, %v", i, outcome, err)
		}
		if _, err := second.receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := c.revision(secondStore).ID(), c.revision(firstStore).ID(); got != want {
			t.Errorf("%d: the second console has %s, the first %s", i, got, want)
		}
	}
	// Whoever updates next does so from there.
	before := c.revision(secondStore).ID()
	if outcome, err := second.Update(t.Context(), nil); err != nil || outcome.Changed {
		t.Errorf("%+v, %v", outcome, err)
	}
	if got := c.revision(secondStore).ID(); got != before {
		t.Errorf("the second console has gone from %s to %s", before, got)
	}
}

// A console that ends in the middle of an update keeps no other from it.
func TestConsoleThatDiesUpdating(t *testing.T) {
	c := shareHouse(t)
	dying, _ := c.open()
	ctx, kill := context.WithCancel(t.Context())
	err := dying.alone(ctx, func(*handed) error {
		kill()
		return ctx.Err()
	})
	if err == nil {
		t.Error("an update that was broken off says that it is done")
	}
	heir, store := c.open()
	if _, err := heir.updateIfDue(t.Context()); err != nil || c.revision(store).Sample() {
		t.Errorf("the next console: %v", err)
	}
}

// A console that was given another place for large objects does not start.
func TestOtherStoreIsRefused(t *testing.T) {
	c := shareHouse(t)
	c.open()
	d := dbtest.OpenPostgres(t, c.url)
	if _, err := blob.Open(t.Context(), "file://"+t.TempDir(), d); err == nil {
		t.Error("another store was taken for the database's")
	}
	var ids int
	dbtest.Write(t, d, func(tx *db.Tx) error {
		return tx.QueryRowContext(t.Context(), `SELECT count(*) FROM blob_store`).Scan(&ids)
	})
	if ids != 1 {
		t.Errorf("the database knows %d stores", ids)
	}
}
