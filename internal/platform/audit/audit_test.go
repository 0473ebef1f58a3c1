package audit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

type thing struct {
	Name string `json:"name"`
}

func record(t *testing.T, ctx context.Context, d *db.DB, action string, subject audit.Subject, before, after any) {
	t.Helper()
	dbtest.Write(t, d, func(tx *db.Tx) error { return audit.Record(ctx, tx, noon, action, subject, before, after) })
}

func TestEntryTellsWhoWhenceAndWhat(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := access.WithAddress(t.Context(), "192.0.2.7")
		ada := access.With(ctx, access.Principal{Kind: "user", ID: "u1", Name: "ada", Role: access.Admin})
		record(t, t.Context(), d, "feed.updated", audit.Subject{Kind: "feed"}, nil, nil)
		record(t, ctx, d, "session.refused", audit.Subject{Kind: "user", Name: "ada"}, nil, nil)
		record(t, ada, d, "thing.edited", audit.Subject{Kind: "thing", ID: "t1", Name: "new"}, thing{"old"}, thing{"new"})
		got := list(t, d, audit.Query{})
		want := []audit.Entry{
			{Actor: audit.Actor{Kind: "user", ID: "u1", Name: "ada"}, Address: "192.0.2.7", Action: "thing.edited"},
			{Actor: audit.Actor{Kind: "anonymous"}, Address: "192.0.2.7", Action: "session.refused"},
			{Actor: audit.Actor{Kind: "console"}, Action: "feed.updated"},
		}
		if len(got) != len(want) {
			t.Fatalf("%d entries: %+v", len(got), got)
		}
		for i, e := range got {
			if e.Actor != want[i].Actor || e.Address != want[i].Address || e.Action != want[i].Action || !e.Time.Equal(noon) {
				t.Errorf("entry %d = %+v; want %+v", i, e, want[i])
			}
		}
		if string(got[0].Before) != `{"name":"old"}` || string(got[0].After) != `{"name":"new"}` || got[2].Before != nil || got[2].After != nil {
			t.Errorf("before %s, after %s; without a subject %s, %s", got[0].Before, got[0].After, got[2].Before, got[2].After)
		}
	}, audit.Migrations)
}

func TestEntryIsOfTheTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		failed := errors.New("the change failed")
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			if err := audit.Record(t.Context(), tx, noon, "thing.edited", audit.Subject{}, nil, nil); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) || len(list(t, d, audit.Query{})) != 0 {
			t.Errorf("a change that was rolled back is told: %v", err)
		}
	}, audit.Migrations)
}

func TestListFiltersAndPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, actor := range []string{"ada", "bob"} {
			ctx := access.With(t.Context(), access.Principal{Kind: "user", ID: "id-" + actor, Name: actor})
			for _, action := range []string{"thing.made", "thing.deleted"} {
				for _, subject := range []string{"t1", "t2"} {
					record(t, ctx, d, action, audit.Subject{Kind: "thing", ID: subject}, nil, nil)
				}
			}
		}
		for q, want := range map[audit.Query]int{
			{}:                       8,
			{Actor: "ada"}:           4,
			{Actor: "id-ada"}:        4,
			{Action: "thing.made"}:   4,
			{Subject: "t2"}:          4,
			{Actor: "nobody"}:        0,
			{Subject: "' OR 1=1 --"}: 0,
			{Actor: "bob", Action: "thing.made", Subject: "t1"}: 1,
		} {
			got := list(t, d, q)
			if len(got) != want {
				t.Errorf("%+v lists %d entries; want %d", q, len(got), want)
			}
			for i := 1; i < len(got); i++ {
				if got[i].ID >= got[i-1].ID {
					t.Errorf("%+v: entry %d is not older than the one before", q, i)
				}
			}
		}
		if _, err := audit.NewLog(d).List(t.Context(), audit.Query{}, rest.Paging{Limit: 1, Cursor: "made-up"}); err == nil || !strings.Contains(err.Error(), "cursor") {
			t.Errorf("a made-up cursor gives %v", err)
		}
	}, audit.Migrations)
}

// list reads all pages, three entries each.
func list(t *testing.T, d *db.DB, q audit.Query) (entries []audit.Entry) {
	t.Helper()
	for p := (rest.Paging{Limit: 3}); ; {
		page, err := audit.NewLog(d).List(t.Context(), q, p)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, page.Items...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return entries
		}
	}
}

func TestSweep(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const old, young = 2500, 10
		dbtest.Write(t, d, func(tx *db.Tx) error {
			for i := range old + young {
				at := noon
				if i >= old {
					at = noon.Add(time.Hour)
				}
				if err := audit.Record(t.Context(), tx, at, "thing.made", audit.Subject{Kind: "thing"}, nil, nil); err != nil {
					return err
				}
			}
			return nil
		})
		for _, want := range []struct {
			before  time.Time
			removed int64
		}{{noon, 0}, {noon.Add(time.Minute), old}, {noon.Add(time.Minute), 0}} {
			if removed, err := audit.NewLog(d).Sweep(t.Context(), want.before); err != nil || removed != want.removed {
				t.Errorf("%d removed, %v; want %d", removed, err, want.removed)
			}
		}
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM audit`); n != young {
			t.Errorf("%d are left; want %d", n, young)
		}
	}, audit.Migrations)
}
