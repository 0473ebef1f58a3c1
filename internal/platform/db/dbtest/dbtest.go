// Package dbtest runs a room's tests against real databases: each suite once on
// every database that Patrol supports.
package dbtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"patrol/internal/platform/db"
)

// Each runs a suite once per supported database, each time on an empty one with
// these tables.
func Each(t *testing.T, suite func(t *testing.T, d *db.DB), migrations ...db.Migrations) {
	t.Helper()
	t.Run(string(db.SQLite), func(t *testing.T) {
		suite(t, OpenSQLite(t, filepath.Join(t.TempDir(), "patrol.db"), migrations...))
	})
	t.Run(string(db.PostgreSQL), func(t *testing.T) {
		suite(t, OpenPostgres(t, PostgresURL(t), migrations...))
	})
}

// OpenSQLite opens the database in a file, brings its tables up to date, and
// closes it when the test ends.
func OpenSQLite(t testing.TB, path string, migrations ...db.Migrations) *db.DB {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := copyTo(path, file(t, migrations)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := db.Open(t.Context(), path)
	return migrated(t, d, err, migrations)
}

// OpenPostgres does so with the database of a URL.
func OpenPostgres(t testing.TB, url string, migrations ...db.Migrations) *db.DB {
	t.Helper()
	d, err := db.OpenPostgres(t.Context(), url)
	return migrated(t, d, err, migrations)
}

func migrated(t testing.TB, d *db.DB, err error, migrations []db.Migrations) *db.DB {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.Migrate(t.Context(), migrations...); err != nil {
		t.Fatal(err)
	}
	return d
}

// Write runs f in one transaction, and ends the test if it fails.
func Write(t testing.TB, d *db.DB, f func(tx *db.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// Count returns the one number that a query asks for.
func Count(t testing.TB, q db.Querier, query string, args ...any) int {
	t.Helper()
	var n int
	if err := q.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// Text returns the one text that a query asks for.
func Text(t testing.TB, q db.Querier, query string, args ...any) (text string) {
	t.Helper()
	if err := q.QueryRowContext(t.Context(), query, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}
