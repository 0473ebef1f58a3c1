package audit_test

import (
	"testing"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// Entries of a console whose clock was ahead stay for as long, and hold up nothing
// that came after them.
func TestSweepGoesPastClocksThatAreAhead(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const before, between, after, young, early = 3, 1500, 1200, 10, 1202
		ahead := noon.Add(365 * 24 * time.Hour)
		dbtest.Write(t, d, func(tx *db.Tx) error {
			for _, of := range []struct {
				entries int
				at      time.Time
			}{{1, ahead}, {before, noon}, {1, ahead}, {between, noon}, {early - 2, ahead}, {after, noon}, {young, noon.Add(time.Hour)}} {
				for range of.entries {
					if err := audit.Record(t.Context(), tx, of.at, "thing.made", audit.Subject{Kind: "thing"}, nil, nil); err != nil {
						return err
					}
				}
			}
			return nil
		})
		for _, want := range []struct {
			moment        time.Time
			removed, left int
		}{
			{noon, 0, before + between + after + young + early},
			{noon.Add(time.Minute), before + between + after, young + early},
			{noon.Add(time.Minute), 0, young + early},
			{noon.Add(2 * time.Hour), young, early},
			{ahead.Add(time.Minute), early, 0},
			{ahead.Add(time.Minute), 0, 0},
		} {
			removed, err := audit.NewLog(d).Sweep(t.Context(), want.moment)
			if err != nil || removed != int64(want.removed) {
				t.Errorf("before %v: %d removed, %v; want %d", want.moment, removed, err, want.removed)
			}
			if left := dbtest.Count(t, d.Read(), `SELECT count(*) FROM audit`); left != want.left {
				t.Errorf("before %v: %d are left; want %d", want.moment, left, want.left)
			}
		}
	}, audit.Migrations)
}
