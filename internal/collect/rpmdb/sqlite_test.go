package rpmdb_test

import (
	"bytes"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"patrol/internal/collect/rpmdb"
)

// namesOf reads the database with its log, if it has one.
func namesOf(t *testing.T, database, wal []byte) (names []string, err error) {
	t.Helper()
	var log io.Reader
	if wal != nil {
		log = bytes.NewReader(wal)
	}
	err = rpmdb.Read(t.Context(), io.NewSectionReader(bytes.NewReader(database), 0, int64(len(database))), log, func(p *rpmdb.Package) {
		names = append(names, p.Name)
	})
	return names, err
}

// What was committed is read, be it in the database or in its log alone; and
// nothing is written anywhere.
func TestWriteAheadLog(t *testing.T) {
	before, err := os.ReadFile(filepath.Join("..", "testdata", "rpmdb.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "rpmdb.sqlite")
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file+"?_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	run := func(statement string) {
		t.Helper()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		t.Helper()
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	whole, err := namesOf(t, before, nil)
	if err != nil || len(whole) < 2 {
		t.Fatalf("%q, %v", whole, err)
	}
	run("DELETE FROM Packages WHERE hnum = (SELECT min(hnum) FROM Packages)")
	once := read(file + "-wal")
	run("DELETE FROM Packages")
	empty := read(file + "-wal")
	database := read(file)

	// A wrong checksum ends the log, and what was committed before it counts.
	damaged := slices.Clone(empty)
	damaged[len(once)+100] ^= 1
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	tests := []struct {
		name string
		wal  []byte
		want int
	}{
		{"no log", nil, len(whole)},
		{"an empty log", []byte{}, len(whole)},
		{"one commit", once, len(whole) - 1},
		{"two commits", empty, 0},
		{"a damaged frame", damaged, len(whole) - 1},
		{"cut in the second commit", empty[:len(empty)-1], len(whole) - 1},
		{"cut in the first", once[:len(once)-1], len(whole)},
	}
	for _, tt := range tests {
		got, err := namesOf(t, database, tt.wal)
		if err != nil || len(got) != tt.want {
			t.Errorf("%s: %q, %v, want %d packages", tt.name, got, err, tt.want)
		}
	}
	if _, err := namesOf(t, database, bytes.Repeat([]byte("x"), 100)); err == nil {
		t.Error("anything is taken for a log")
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
