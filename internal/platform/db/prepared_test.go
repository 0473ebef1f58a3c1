package db_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// More questions than are kept are answered as well, however many ask.
func TestMoreQuestionsThanAreKept(t *testing.T) {
	d := dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), notes)
	dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "kept") })
	const questions, asking = db.MostPrepared + 100, 4
	var askers sync.WaitGroup
	for asker := range asking {
		askers.Go(func() {
			for i := range questions {
				// Some ask the same at once, and none in the order of another.
				n := (i*(2*asker+1) + asker) % questions
				question := fmt.Sprintf(`SELECT text, %d + $1 FROM note`, n)
				var text string
				var sum int
				if err := d.Read().QueryRowContext(t.Context(), question, asker).Scan(&text, &sum); err != nil || text != "kept" || sum != n+asker {
					t.Errorf("%s of %d: %q %d, %v", question, asker, text, sum, err)
					return
				}
				rows, err := d.Read().QueryContext(t.Context(), question, asker)
				sums, err := db.All(rows, err, func(scan db.Scan) (sum int, err error) { return sum, scan(&text, &sum) })
				if err != nil || !slices.Equal(sums, []int{n + asker}) {
					t.Errorf("%s of %d: %d, %v", question, asker, sums, err)
					return
				}
			}
		})
	}
	askers.Wait()
	// Each may bring one more that it began to prepare when there was room.
	if kept := db.Prepared(d); kept < db.MostPrepared || kept >= db.MostPrepared+asking {
		t.Errorf("%d statements are kept; want %d, and fewer than %d more", kept, db.MostPrepared, asking)
	}
}

// Of readers that are in the middle of an answer each has its own place in it.
func TestOneQuestionManyReaders(t *testing.T) {
	d := dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), notes)
	const all = 300
	dbtest.Write(t, d, func(tx *db.Tx) error {
		for i := range all {
			if err := insert(t.Context(), tx, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	})
	var readers sync.WaitGroup
	for reader := range 16 {
		readers.Go(func() {
			for round := range 20 {
				from := (reader*31 + round) % all
				rows, err := d.Read().QueryContext(t.Context(), `SELECT text FROM note WHERE id > $1 ORDER BY id`, from)
				texts, err := db.All(rows, err, db.Value[string])
				if err != nil || len(texts) != all-from || texts[0] != fmt.Sprint(from) {
					t.Errorf("after %d: %d notes, %v", from, len(texts), err)
				}
			}
		})
	}
	readers.Wait()
}

// A question that is wrong is told so, each time, and holds up no other.
func TestWrongQuestions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for question, names := range map[string]string{
			`SELEKT 1`:              "SELEKT",
			`SELECT size FROM note`: "size",
			`SELECT 1 FROM nowhere`: "nowhere",
		} {
			for range 3 {
				rows, err := d.Read().QueryContext(t.Context(), question)
				if _, err = db.All(rows, err, db.Value[int]); err == nil || !strings.Contains(err.Error(), names) {
					t.Errorf("%s: %v", question, err)
				}
				var n int
				if err := d.Read().QueryRowContext(t.Context(), question).Scan(&n); err == nil || !strings.Contains(err.Error(), names) {
					t.Errorf("%s, one row: %v", question, err)
				}
			}
		}
		// To write is refused as ever.
		for range 2 {
			rows, err := d.Read().QueryContext(t.Context(), `INSERT INTO note (text) VALUES ($1) RETURNING text`, "smuggled")
			if all, err := db.All(rows, err, db.Value[string]); err == nil {
				t.Errorf("a reader wrote %q", all)
			}
		}
		dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "kept") })
		if got := texts(t, d); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("notes = %q", got)
		}
	}, notes)
}

// Who gives up at the first question of its kind does not spoil it for the next.
func TestQuestionGivenUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		const question = `SELECT count(*) FROM note WHERE text <> $1`
		var n int
		if err := d.Read().QueryRowContext(ctx, question, "").Scan(&n); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "kept") })
		for range 2 {
			if err := d.Read().QueryRowContext(t.Context(), question, "").Scan(&n); err != nil || n != 1 {
				t.Errorf("asked again: %d, %v", n, err)
			}
		}
	}, notes)
}

// A table that changes after a question was parsed is asked as it is then.
func TestTableChangesAfterAQuestion(t *testing.T) {
	d := dbtest.OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), notes)
	change := func(statement string) {
		t.Helper()
		dbtest.Write(t, d, func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), statement)
			return err
		})
	}
	ask := func(question string) (columns, first []string) {
		t.Helper()
		rows, err := d.Read().QueryContext(t.Context(), question)
		if err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		if columns, err = rows.Columns(); err != nil {
			t.Fatal(err)
		}
		err = db.Each(rows, func(scan db.Scan) error {
			values := make([]any, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			err := scan(into...)
			first = nil
			for _, v := range values {
				first = append(first, fmt.Sprint(v))
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		return columns, first
	}
	want := func(question string, columns, first []string) {
		t.Helper()
		for range 2 {
			if c, f := ask(question); !slices.Equal(c, columns) || !slices.Equal(f, first) {
				t.Errorf("%s: %q %q; want %q %q", question, c, f, columns, first)
			}
		}
	}
	dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "kept") })
	const all, one = `SELECT * FROM note`, `SELECT text FROM note WHERE text = 'kept' ORDER BY at`
	want(all, []string{"id", "text", "at"}, []string{"1", "kept", "<nil>"})
	want(one, []string{"text"}, []string{"kept"})
	change(`ALTER TABLE note ADD COLUMN size BIGINT NOT NULL DEFAULT 7`)
	want(all, []string{"id", "text", "at", "size"}, []string{"1", "kept", "<nil>", "7"})
	change(`CREATE INDEX note_text ON note (text, at)`)
	want(one, []string{"text"}, []string{"kept"})
	change(`DROP INDEX note_text`)
	want(one, []string{"text"}, []string{"kept"})
	change(`DROP TABLE note`)
	if rows, err := d.Read().QueryContext(t.Context(), one); err == nil {
		_, err = db.All(rows, err, db.Value[string])
		if err == nil || !strings.Contains(err.Error(), "note") {
			t.Errorf("a table that is gone is asked: %v", err)
		}
	}
	change(`CREATE TABLE note (text TEXT NOT NULL, at BIGINT)`)
	change(`INSERT INTO note (text, at) VALUES ('kept', 9)`)
	want(all, []string{"text", "at"}, []string{"kept", "9"})
	want(one, []string{"text"}, []string{"kept"})
}
