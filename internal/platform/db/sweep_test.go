package db_test

import (
	"fmt"
	"testing"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// shelf is a room of boxes, each with things in it; some somebody wants.
var shelf = room(`CREATE TABLE box (id BIGKEY, made_at BIGINT NOT NULL);
CREATE TABLE thing (id BIGKEY, box_id BIGINT NOT NULL);
CREATE TABLE wish (id BIGKEY, box_id BIGINT NOT NULL);`)

// unwanted are boxes from before a moment that nobody wants.
var unwanted = db.Sweep{
	From: `box AS b`, ID: `b.id`, Needless: `b.made_at < $2 AND NOT EXISTS (SELECT 1 FROM wish AS w WHERE w.box_id = b.id)`,
	Delete: []string{`thing WHERE box_id`, `box WHERE id`}, Batch: 3,
}

// fill makes that many boxes of two things each, made at moments from 1 on.
func fill(t *testing.T, d *db.DB, boxes int) {
	dbtest.Write(t, d, func(tx *db.Tx) error {
		for n := range boxes {
			var id int64
			if err := tx.QueryRowContext(t.Context(), `INSERT INTO box (made_at) VALUES ($1) RETURNING id`, n+1).Scan(&id); err != nil {
				return err
			}
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO thing (box_id) VALUES ($1), ($1)`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// want has somebody want boxes of those moments.
func want(t *testing.T, d *db.DB, moments ...int) {
	list, err := db.Column(moments)
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Write(t, d, func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO wish (box_id) SELECT id FROM box WHERE made_at `+db.AmongIDs, list)
		return err
	})
}

// left are the moments of the boxes that are there, and how many things are.
func left(t *testing.T, d *db.DB) string {
	t.Helper()
	rows, err := d.Read().QueryContext(t.Context(), `SELECT made_at FROM box ORDER BY id`)
	boxes, err := db.All(rows, err, db.Value[int64])
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(boxes, " with ", dbtest.Count(t, d.Read(), `SELECT count(*) FROM thing`))
}

// What goes spans more than one batch, and whole batches of what stays lie between.
func TestSweep(t *testing.T) {
	for name, c := range map[string]struct {
		wanted  []int
		before  int
		removed int64
		left    string
	}{
		"all":      {nil, 100, 12, "[] with 0"},
		"some":     {[]int{1, 4, 5, 6, 7, 8, 12}, 100, 5, "[1 4 5 6 7 8 12] with 14"},
		"the old":  {[]int{2}, 6, 4, "[2 6 7 8 9 10 11 12] with 16"},
		"one each": {[]int{1, 2, 4, 5, 7, 8, 10, 11}, 100, 4, "[1 2 4 5 7 8 10 11] with 16"},
		"none":     {nil, 1, 0, "[1 2 3 4 5 6 7 8 9 10 11 12] with 24"},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				fill(t, d, 12)
				want(t, d, c.wanted...)
				for _, removed := range []int64{c.removed, 0} {
					n, err := d.Sweep(t.Context(), unwanted, c.before)
					if got := left(t, d); err != nil || n != removed || got != c.left {
						t.Errorf("%d removed, %v, left %s; want %d, left %s", n, err, got, removed, c.left)
					}
				}
			}, shelf)
		})
	}
}

// What was found is asked about again, and what somebody wants by then stays.
func TestSweepAsksAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 4)
		want(t, d, 2)
		rows, err := d.Read().QueryContext(t.Context(), `SELECT id FROM box WHERE made_at < 4`)
		found, err := db.All(rows, err, db.Value[int64])
		if err != nil {
			t.Fatal(err)
		}
		n, err := db.Drop(t.Context(), d, unwanted, found, 100)
		if got := left(t, d); err != nil || n != 2 || got != "[2 4] with 4" {
			t.Errorf("%d removed, %v, left %s", n, err, got)
		}
	}, shelf)
}

// A sweep that fails removes nothing of its batch, and says of what.
func TestSweepFails(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d, 2)
		for _, s := range []db.Sweep{
			{From: `box AS b`, ID: `b.id`, Needless: `b.made_at < $2 AND nonsense`, Delete: unwanted.Delete, Batch: 1},
			{From: `box AS b`, ID: `b.id`, Needless: `b.made_at < $2`, Delete: []string{`thing WHERE box_id`, `nothing WHERE id`}, Batch: 1},
		} {
			n, err := d.Sweep(t.Context(), s, 100)
			if got := left(t, d); err == nil || n != 0 || got != "[1 2] with 4" {
				t.Errorf("%d removed, %v, left %s", n, err, got)
			}
		}
	}, shelf)
}
