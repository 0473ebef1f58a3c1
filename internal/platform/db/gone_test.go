package db_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
)

func TestDatabaseThatIsGone(t *testing.T) {
	address, cut := dbtest.CutPostgres(t)
	d := dbtest.OpenPostgres(t, address, event.Migrations)
	read := func() error {
		var n int
		return d.Read().QueryRowContext(t.Context(), `SELECT 1`).Scan(&n)
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	// In the middle of a transaction.
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		cut()
		_, err := tx.ExecContext(t.Context(), `DELETE FROM event`)
		return err
	})
	if !db.IsGone(err) {
		t.Errorf("a transaction that broke: %#v", err)
	}
	for range 3 {
		if err := read(); !db.IsGone(err) {
			t.Errorf("Read = %v", err)
		}
		if err := d.Write(t.Context(), func(*db.Tx) error { return nil }); !db.IsGone(err) {
			t.Errorf("Write = %v", err)
		}
	}
	// Nor is it read-only, which would outlast this.
	if err := d.ReadOnly(); err != nil {
		t.Error(err)
	}
}

// The commit's answer is lost as well.
func TestDatabaseThatGoesBeforeTheCommit(t *testing.T) {
	address, cut := dbtest.CutPostgres(t)
	d := dbtest.OpenPostgres(t, address, event.Migrations)
	err := d.Write(t.Context(), func(*db.Tx) error { cut(); return nil })
	if !db.IsGone(err) {
		t.Errorf("Write = %v", err)
	}
}

func TestServerThatShutsDown(t *testing.T) {
	d := dbtest.OpenPostgres(t, dbtest.PostgresURL(t))
	err := d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	})
	if !db.IsGone(err) {
		t.Errorf("Write = %v", err)
	}
	for _, code := range []string{"57P01", "57P02", "57P03", "08006", "53300"} {
		err := raise(t, d, code)
		if !db.IsGone(err) || db.IsBadText(err) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func raise(t *testing.T, d *db.DB, code string) error {
	return d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DO $$ BEGIN RAISE EXCEPTION 'as a test wants it' USING ERRCODE = '`+code+`'; END $$`)
		return err
	})
}

// What the caller broke off, and what is wrong with a statement, is not the database's
// absence.
func TestDatabaseThatIsThere(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var n int
		for _, err := range []error{
			nil, io.EOF, errors.New("other"), db.ErrNotFound,
			d.Read().QueryRowContext(ctx, `SELECT 1`).Scan(&n),
			d.Read().QueryRowContext(t.Context(), `SELECT nonsense`).Scan(&n),
			d.Write(ctx, func(*db.Tx) error { return nil }),
		} {
			if db.IsGone(err) {
				t.Errorf("%v says that the database is gone", err)
			}
		}
	})
}

func TestTextThatPostgreSQLCannotHold(t *testing.T) {
	d := dbtest.OpenPostgres(t, dbtest.PostgresURL(t))
	for _, text := range []string{"a\x00b", "\xff"} {
		var back string
		err := d.Read().QueryRowContext(t.Context(), `SELECT CAST($1 AS TEXT)`, text).Scan(&back)
		if !db.IsBadText(err) || db.IsGone(err) {
			t.Errorf("%q: %v", text, err)
		}
	}
	err := d.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM json_array_elements_text($1::json)`, `["a\u0000b"]`).Scan(new(int))
	if !db.IsBadText(err) {
		t.Errorf("in JSON: %v", err)
	}
}
