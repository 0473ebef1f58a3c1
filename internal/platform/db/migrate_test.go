package db_test

import (
	"strings"
	"testing"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

const (
	table  = "CREATE TABLE note (id BIGKEY, text TEXT NOT NULL);"
	column = "ALTER TABLE note ADD COLUMN author TEXT;"
)

func TestMigrationsAreAppliedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for range 2 {
			if err := d.Migrate(t.Context(), room(table)); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Migrate(t.Context(), room(table, column)); err != nil {
			t.Fatalf("a file that was added later: %v", err)
		}
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM schema_migration`); n != 2 {
			t.Errorf("%d files are noted as applied; want 2", n)
		}
	})
}

func TestMigrateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		files []string
		says  string
	}{
		"a changed file": {[]string{table + " -- changed", column}, "0001_note.sql was applied with other contents"},
		"a missing file": {[]string{table}, "0002_note.sql is unknown here"},
		"a wrong file":   {[]string{table, column, "CREATE TABLE other (x TEXT); CREATE NONSENSE;"}, "0003_note.sql"},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB) {
				err := d.Migrate(t.Context(), room(test.files...))
				if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "notes") {
					t.Fatalf("Migrate = %v; want it to name the room and say %q", err, test.says)
				}
				if err := d.Migrate(t.Context(), room(table, column)); err != nil {
					t.Errorf("what was refused left something behind: %v", err)
				}
			}, room(table, column))
		})
	}
}
