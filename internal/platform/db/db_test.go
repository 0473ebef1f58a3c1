package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// notes is a room with one table.
var notes = room("CREATE TABLE note (id BIGKEY, text TEXT NOT NULL, at BIGINT);")

func room(files ...string) db.Migrations {
	fsys := fstest.MapFS{}
	for i, text := range files {
		fsys[fmt.Sprintf("migrations/%04d_note.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return db.Migrations{Room: "notes", Files: fsys}
}

func insert(ctx context.Context, tx *db.Tx, text string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO note (text) VALUES ($1)`, text)
	return err
}

func texts(t *testing.T, d *db.DB) []string {
	t.Helper()
	rows, err := d.Read().QueryContext(t.Context(), `SELECT text FROM note ORDER BY id`)
	all, err := db.All(rows, err, db.Value[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWriteCommitsOrRollsBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "kept") })
		refused := errors.New("refused")
		err := d.Write(t.Context(), func(tx *db.Tx) error { return errors.Join(insert(t.Context(), tx, "gone"), refused) })
		if !errors.Is(err, refused) {
			t.Errorf("Write = %v; want the error of its function", err)
		}
		if got := texts(t, d); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("notes = %q; want what was committed", got)
		}
	}, notes)
}

func TestPanicRollsBackAndFreesTheWriter(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		func() {
			defer func() { _ = recover() }()
			_ = d.Write(t.Context(), func(tx *db.Tx) error {
				if err := insert(t.Context(), tx, "gone"); err != nil {
					t.Error(err)
				}
				panic("in the middle")
			})
		}()
		dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "kept") })
		if got := texts(t, d); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("notes = %q; want those of the second transaction", got)
		}
	}, notes)
}

func TestAfterCommit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var called []string
		dbtest.Write(t, d, func(tx *db.Tx) error {
			for _, name := range []string{"first", "second"} {
				tx.AfterCommit(func() {
					if len(texts(t, d)) != 1 {
						t.Error("called before the row could be read")
					}
					called = append(called, name)
				})
			}
			return insert(t.Context(), tx, "note")
		})
		_ = d.Write(t.Context(), func(tx *db.Tx) error {
			tx.AfterCommit(func() { called = append(called, "of a transaction that was rolled back") })
			return errors.New("refused")
		})
		if want := []string{"first", "second"}; !slices.Equal(called, want) {
			t.Errorf("called %q; want %q", called, want)
		}
	}, notes)
}

// What is to be done last is done last, in the transaction, and fails with it.
func TestBeforeCommit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error {
			tx.BeforeCommit(func() error { return insert(t.Context(), tx, "last") })
			return insert(t.Context(), tx, "first")
		})
		refused := errors.New("refused")
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			tx.BeforeCommit(func() error { return refused })
			return insert(t.Context(), tx, "of what was rolled back")
		})
		if got := texts(t, d); !errors.Is(err, refused) || !slices.Equal(got, []string{"first", "last"}) {
			t.Errorf("%v left the notes %q", err, got)
		}
	}, notes)
}

func TestReaderCannotWrite(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rows, err := d.Read().QueryContext(t.Context(), `INSERT INTO note (text) VALUES ('x') RETURNING id`)
		if err == nil {
			err = db.Each(rows, func(db.Scan) error { return nil })
		}
		if err == nil || len(texts(t, d)) != 0 {
			t.Errorf("a write through the reading pool gave %v and left %q", err, texts(t, d))
		}
	}, notes)
}

func TestReadTxSeesOneMoment(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "before") })
		refused := errors.New("refused")
		err := d.ReadTx(t.Context(), func(q db.Querier) error {
			for range 2 {
				if n := dbtest.Count(t, q, `SELECT count(*) FROM note`); n != 1 {
					t.Errorf("%d notes; want what there was at first", n)
				}
				dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "meanwhile") })
			}
			return refused
		})
		if !errors.Is(err, refused) {
			t.Errorf("ReadTx = %v; want the error of its function", err)
		}
		if got := texts(t, d); len(got) != 3 {
			t.Errorf("notes = %q", got)
		}
	}, notes)
}

func TestConcurrentWritersQueue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const writers, each = 8, 50
		var group sync.WaitGroup
		for range writers {
			group.Go(func() {
				for range each {
					// Reading first is what makes deferred transactions fail with BUSY.
					err := d.Write(t.Context(), func(tx *db.Tx) error {
						var n int
						if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM note`).Scan(&n); err != nil {
							return err
						}
						return insert(t.Context(), tx, fmt.Sprint(n))
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		for i, text := range texts(t, d) {
			if text != fmt.Sprint(i) {
				t.Fatalf("note %d saw %s notes before it: two transactions overlapped", i, text)
			}
		}
		if n := len(texts(t, d)); n != writers*each {
			t.Errorf("%d notes; want %d", n, writers*each)
		}
	}, notes)
}

func TestFile(t *testing.T) {
	for _, name := range []string{"patrol.db", "with space.db", "100%25.db", "what?mode=memory.db", "a#b.db", "ü&=;.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "made here", name)
			first, err := db.Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = first.Close() })
			if err := first.Migrate(t.Context(), notes); err != nil {
				t.Fatal(err)
			}
			dbtest.Write(t, first, func(tx *db.Tx) error { return insert(t.Context(), tx, "survives") })
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatalf("the database is in another file: %v", err)
			}
			if info.Mode().Perm() != 0o600 || info.Size() == 0 {
				t.Errorf("file has mode %v and %d bytes; want 0600 and some", info.Mode().Perm(), info.Size())
			}
			if got := texts(t, dbtest.OpenSQLite(t, path, notes)); !slices.Equal(got, []string{"survives"}) {
				t.Errorf("notes after reopening = %q", got)
			}
		})
	}
}

func TestOpenSaysWhichFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "patrol.db")
	if err := os.WriteFile(path, []byte("this is text, and no database at all, however long"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := db.Open(t.Context(), path); err == nil {
		_ = d.Close()
		t.Error("a text file was opened as a database")
	}
}

func TestTimeColumn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		moments := []time.Time{{}, time.Date(2026, 3, 29, 1, 2, 3, 456789000, time.UTC)}
		for _, moment := range moments {
			dbtest.Write(t, d, func(tx *db.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO note (text, at) VALUES ('', $1)`, db.Micros(moment))
				return err
			})
		}
		rows, err := d.Read().QueryContext(t.Context(), `SELECT at FROM note ORDER BY id`)
		got, err := db.All(rows, err, func(scan db.Scan) (at time.Time, err error) { return at, scan(db.Time{Time: &at}) })
		if err != nil || !slices.Equal(got, moments) {
			t.Errorf("times = %v, %v; want %v", got, err, moments)
		}
	}, notes)
}

func TestOneOfNone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		row := d.Read().QueryRowContext(t.Context(), `SELECT text FROM note WHERE id = 7`)
		_, err := db.One(row, db.Value[string])
		if !errors.Is(err, db.ErrNotFound) {
			t.Errorf("One = %v; want ErrNotFound", err)
		}
	}, notes)
}

// Two that read what the other writes cannot both be right: one runs again.
func TestContradictionsRunAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error { return insert(t.Context(), tx, "0") })
		var runs atomic.Int32
		both := make(chan struct{})
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				err := d.Write(t.Context(), func(tx *db.Tx) error {
					var n int
					if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM note`).Scan(&n); err != nil {
						return err
					}
					if runs.Add(1) == 2 {
						close(both)
					}
					if d.Dialect() == db.PostgreSQL {
						<-both // neither has written yet
					}
					return insert(t.Context(), tx, fmt.Sprint(n))
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if got := texts(t, d); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("notes = %q; want each to count those before it", got)
		}
		if want := map[db.Dialect]int32{db.SQLite: 2, db.PostgreSQL: 3}[d.Dialect()]; runs.Load() != want {
			t.Errorf("ran %d times; want %d", runs.Load(), want)
		}
	}, notes)
}

// Consoles that share a database wake each other.
func TestNotify(t *testing.T) {
	url := dbtest.PostgresURL(t)
	d := dbtest.OpenPostgres(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan string)
	var listening sync.WaitGroup
	listening.Go(func() {
		d.Listen(ctx, func(topic string) {
			select {
			case heard <- topic:
			case <-ctx.Done():
			}
		})
	})
	other := dbtest.OpenPostgres(t, url)
	for got := ""; got != "scans"; {
		if err := other.Notify(t.Context(), "scans"); err != nil { // again, until somebody listens
			t.Fatal(err)
		}
		select {
		case got = <-heard:
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	listening.Wait()
}

func TestOpenPostgresSaysWhich(t *testing.T) {
	d, err := db.OpenPostgres(t.Context(), "postgres://patrol:secret@127.0.0.1:1/production?connect_timeout=5")
	if err == nil {
		_ = d.Close()
		t.Fatal("opened a database where there is no server")
	}
	if text := err.Error(); !strings.Contains(text, "production") || !strings.Contains(text, "127.0.0.1") || strings.Contains(text, "secret") {
		t.Errorf("error = %v", err)
	}
}
