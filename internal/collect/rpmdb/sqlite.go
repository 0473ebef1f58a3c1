package rpmdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
	"modernc.org/sqlite/vfs"
)

// readSQLite reads the database where it is. SQLite itself wants a path that it
// can write beside, and an rpm database once made a scanner write files
// (CVE-2021-3762); through the file system below there is nothing to write to.
// On a live host the last transactions may still be in the write-ahead log alone.
func readSQLite(ctx context.Context, database *io.SectionReader, wal io.Reader, yield func([]byte)) (err error) {
	file := &sqliteFile{database: database, size: database.Size()}
	if wal != nil {
		log, err := readLog(ctx, wal)
		if err != nil {
			return fmt.Errorf("the write-ahead log: %w", err)
		}
		defer func() { _ = log.Close() }()
		file.log, file.size = log, cmp.Or(log.size, file.size)
	}
	name, registered, err := vfs.New(oneFile{file})
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer func() { err = errors.Join(err, registered.Close()) }()
	db, err := sql.Open("sqlite", "file:"+databaseName+"?vfs="+name+"&immutable=1&mode=ro&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)")
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return headers(ctx, db, yield)
}

func headers(ctx context.Context, db *sql.DB, yield func([]byte)) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	defer conn.Close()
	// The table may be a view, or compute its column: no value, however it comes
	// about, may be larger than a header, nor many be needed at once for one.
	for limit, value := range map[int]int{
		sqlite3.SQLITE_LIMIT_LENGTH: maxHeader, sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 3, sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 8,
	} {
		if _, err := sqlite.Limit(conn, limit, value); err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
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
