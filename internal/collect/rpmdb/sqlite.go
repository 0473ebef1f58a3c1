package rpmdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// readSQLite reads a copy of the database in a temporary directory: SQLite needs
// a real path, and where the database is it would write beside it. An rpm
// database once made a scanner write files (CVE-2021-3762). The write-ahead log
// goes along, since on a live host the last transactions may still be in it.
func readSQLite(ctx context.Context, database *io.SectionReader, wal io.Reader, yield func([]byte)) (err error) {
	dir, err := os.MkdirTemp("", "patrol-rpm-")
	if err != nil {
		return fmt.Errorf("copying the rpm database: %w; set TMPDIR to a directory that can be written to", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, "rpmdb.sqlite")
	if err := copyTo(copied, io.NewSectionReader(database, 0, database.Size())); err != nil {
		return err
	}
	if wal != nil {
		if err := copyTo(copied+"-wal", wal); err != nil {
			return err
		}
	}
	db, err := sql.Open("sqlite", copied+"?_pragma=trusted_schema(0)&_pragma=cell_size_check(1)")
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer db.Close()
	return headers(ctx, db, yield)
}

func headers(ctx context.Context, db *sql.DB, yield func([]byte)) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer conn.Close()
	// The table may be a view, or compute its column: no value, however it comes
	// about, may be larger than a header.
	if _, err := sqlite.Limit(conn, sqlite3.SQLITE_LIMIT_LENGTH, maxHeader); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	rows, err := conn.QueryContext(ctx, "SELECT blob FROM Packages")
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var blob sql.RawBytes
		if err := rows.Scan(&blob); err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
		yield(blob)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	return nil
}

func copyTo(file string, from io.Reader) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("copying the rpm database: %w", err)
	}
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("copying the rpm database: %w", err)
	}
	return nil
}
