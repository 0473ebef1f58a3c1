package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Migrations are the tables of one room: the files `*.sql` of a directory,
// applied once each in the order of their names. A file never changes after it
// was released; a change is a new file.
type Migrations struct {
	Room  string
	Files fs.FS
}

// Migrate brings the tables of the rooms up to date, each file in a transaction
// of its own, and refuses a database whose applied files differ from this
// program's: it was written by a newer or foreign version.
func (d *DB) Migrate(ctx context.Context, rooms ...Migrations) error {
	err := d.Write(ctx, func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_migration (
			room TEXT NOT NULL, file TEXT NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (room, file))`)
		return err
	})
	if err != nil {
		return fmt.Errorf("prepare migrations: %w", err)
	}
	for _, room := range rooms {
		if err := d.migrateRoom(ctx, room); err != nil {
			return fmt.Errorf("migrate %s: %w", room.Room, err)
		}
	}
	return nil
}

func (d *DB) migrateRoom(ctx context.Context, room Migrations) error {
	names, err := fs.Glob(room.Files, "migrations/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(names)
	applied, err := d.applied(ctx, room.Room)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(room.Files, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		checksum, file := hex.EncodeToString(sum[:]), path.Base(name)
		if have, ok := applied[file]; ok {
			delete(applied, file)
			if have != checksum {
				return fmt.Errorf("%s was applied with other contents: this database belongs to another version of patrol", file)
			}
			continue
		}
		if err := d.apply(ctx, room.Room, file, checksum, string(text)); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	for file := range applied {
		return fmt.Errorf("%s is unknown here: the database was written by a newer patrol; start that version", file)
	}
	return nil
}

func (d *DB) applied(ctx context.Context, room string) (map[string]string, error) {
	rows, err := d.reader.QueryContext(ctx, `SELECT file, checksum FROM schema_migration WHERE room = $1`, room)
	if err != nil {
		return nil, err
	}
	applied := make(map[string]string)
	return applied, Each(rows, func(scan Scan) error {
		var file, checksum string
		err := scan(&file, &checksum)
		applied[file] = checksum
		return err
	})
}

func (d *DB) apply(ctx context.Context, room, file, checksum, text string) error {
	return d.Write(ctx, func(tx *Tx) error {
		if _, err := tx.ExecContext(ctx, d.dialect.ddl(text)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO schema_migration (room, file, checksum) VALUES ($1, $2, $3)`,
			room, file, checksum)
		return err
	})
}

// ddl replaces the one word that table definitions cannot share: BIGKEY, a
// 64-bit key that the database counts up.
func (d Dialect) ddl(text string) string {
	return strings.ReplaceAll(text, "BIGKEY", map[Dialect]string{
		SQLite: "INTEGER PRIMARY KEY AUTOINCREMENT",
	}[d])
}
