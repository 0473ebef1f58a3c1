package dbtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"patrol/internal/platform/db"
)

// To make the tables of all rooms takes a tenth of a second, and hundreds of tests
// want the same ones: each test program makes them once in a file, and every test has
// a copy. (On PostgreSQL a copy takes nearly as long as they do.)

// files are those that no test uses, by the tables that they have.
var files = struct {
	sync.Mutex
	made map[[sha256.Size]byte][]byte
}{made: make(map[[sha256.Size]byte][]byte)}

// file returns what is in the file of a SQLite database with these tables and no rows.
func file(t testing.TB, migrations []db.Migrations) []byte {
	t.Helper()
	key, err := tables(migrations)
	if err != nil {
		t.Fatal(err)
	}
	files.Lock()
	defer files.Unlock()
	if files.made[key] == nil {
		if files.made[key], err = makeFile(t.Context(), migrations); err != nil {
			t.Fatal(err)
		}
	}
	return files.made[key]
}

// tables tells which ones migrations make: rooms of tests have others under one name.
func tables(migrations []db.Migrations) (key [sha256.Size]byte, err error) {
	hash := sha256.New()
	for _, m := range migrations {
		names, err := fs.Glob(m.Files, "migrations/*.sql")
		if err != nil {
			return key, err
		}
		for _, name := range names {
			text, err := fs.ReadFile(m.Files, name)
			if err != nil {
				return key, err
			}
			fmt.Fprintf(hash, "%s %s %d %s", m.Room, name, len(text), text)
		}
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

func makeFile(ctx context.Context, migrations []db.Migrations) ([]byte, error) {
	dir, err := os.MkdirTemp("", "patrol-template-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "template.db")
	d, err := db.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	// Whoever closes a database last writes all of it into the one file.
	if err := errors.Join(d.Migrate(ctx, migrations...), d.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func copyTo(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
