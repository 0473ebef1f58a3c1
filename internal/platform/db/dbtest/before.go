package dbtest

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"patrol/internal/platform/db"
)

// Before returns the migrations of a room that came before the one with a number:
// those that a database of an older version has.
func Before(t testing.TB, room db.Migrations, number string) db.Migrations {
	t.Helper()
	older := fstest.MapFS{}
	err := fs.WalkDir(room.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() >= number {
			return err
		}
		text, err := fs.ReadFile(room.Files, path)
		older[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil || len(older) == 0 {
		t.Fatalf("migrations of %s before %s: %d, %v", room.Room, number, len(older), err)
	}
	return db.Migrations{Room: room.Room, Files: older}
}
