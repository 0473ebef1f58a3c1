package event_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func after(t *testing.T, d *db.DB, id int64, limit int) []event.Event {
	t.Helper()
	events, err := event.After(t.Context(), d.Read(), id, limit)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestAppend(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error {
			return event.Append(t.Context(), tx, noon, "scan.completed", "s1", map[string]int{"opened": 3})
		})
		events := after(t, d, 0, 10)
		if len(events) != 1 {
			t.Fatalf("events = %v", events)
		}
		e := events[0]
		if e.Type != "scan.completed" || e.Subject != "s1" || !e.Time.Equal(noon) || string(e.Data) != `{"opened":3}` || e.ID < 1 {
			t.Errorf("event = %+v", e)
		}
	}, event.Migrations)
}

func TestRolledBackLeavesNoEvent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_ = d.Write(t.Context(), func(tx *db.Tx) error {
			return errors.Join(event.Append(t.Context(), tx, noon, "scan.completed", "s1", nil), errors.New("refused"))
		})
		if events := after(t, d, 0, 10); len(events) != 0 {
			t.Errorf("events = %v; want none", events)
		}
	}, event.Migrations)
}

// Whoever reads on from the last number seen misses nothing, while others write.
func TestNumbersGrowInCommitOrder(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const writers, each = 8, 25
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for i := range each {
					err := d.Write(t.Context(), func(tx *db.Tx) error {
						return event.Append(t.Context(), tx, noon, "node.registered", fmt.Sprintf("%d/%d", w, i), nil)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		written := make(chan struct{})
		go func() { group.Wait(); close(written) }()

		var seen []event.Event
		read := func() {
			var last int64
			if len(seen) > 0 {
				last = seen[len(seen)-1].ID
			}
			seen = append(seen, after(t, d, last, 7)...)
		}
		for done := false; !done; {
			select {
			case <-written:
				done = true
			default:
				read()
			}
		}
		for range writers * each / 7 {
			read()
		}
		read()
		subjects := make(map[string]bool)
		for i, e := range seen {
			subjects[e.Subject] = true
			if i > 0 && e.ID <= seen[i-1].ID {
				t.Errorf("number %d follows %d", e.ID, seen[i-1].ID)
			}
		}
		if len(seen) != writers*each || len(subjects) != len(seen) {
			t.Errorf("read %d events of %d subjects; want %d", len(seen), len(subjects), writers*each)
		}
	}, event.Migrations)
}

func TestAfterPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error {
			for i := range 5 {
				if err := event.Append(t.Context(), tx, noon, "t", fmt.Sprint(i), nil); err != nil {
					return err
				}
			}
			return nil
		})
		first := after(t, d, 0, 3)
		rest := after(t, d, first[2].ID, 3)
		none := after(t, d, rest[1].ID, 3)
		if len(first) != 3 || len(rest) != 2 || rest[0].Subject != "3" || none == nil || len(none) != 0 {
			t.Errorf("pages = %v, %v, %v", first, rest, none)
		}
	}, event.Migrations)
}
