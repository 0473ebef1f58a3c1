package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

// There are two pools over one file: a writer of a single connection, so that
// writers queue instead of failing with BUSY, and a pool that can only read.

// Open opens the SQLite database in a file, making it and its directory where
// they are missing. The file is readable by its owner alone: it holds the hashes
// of credentials.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	// What is written for a whole fleet goes into pages all over its indexes: with 32 MB
	// an eighth of the time went into reading these again.
	writer, err := sql.Open("sqlite", dsn(path, 64_000, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	if err := writer.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), writer.Close())
	}
	reader, err := sql.Open("sqlite", dsn(path, 32_000, "_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), writer.Close())
	}
	reader.SetMaxOpenConns(questioners)
	reader.SetMaxIdleConns(questioners) // each has statements that are parsed
	return &DB{writer: writer, reader: reader, questions: &prepared{DB: reader, statements: make(map[string]*statement)}, dialect: SQLite}, nil
}

// questioners is how many may read at once.
const questioners = 8

// dsn names the file with the settings of every connection. synchronous=FULL:
// what has been committed survives a power cut, not only a killed process. The cache is
// of that many kilobytes.
func dsn(path string, cache int, last string) string {
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return name.String() + "?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(10000)" +
		"&_pragma=foreign_keys(1)&_pragma=temp_store(2)&_pragma=wal_autocheckpoint(16000)&_pragma=cache_size(-" + strconv.Itoa(cache) + ")&" + last
}

// Snapshot copies the SQLite database in a file into a new one, as it is at one
// instant, while others read and write it.
func Snapshot(ctx context.Context, path, to string) (err error) {
	source, err := sql.Open("sqlite", dsn(path, 32_000, "_pragma=temp_store(1)"))
	if err != nil {
		return fmt.Errorf("copy database %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if _, err := source.ExecContext(ctx, `VACUUM INTO $1`, to); err != nil {
		return fmt.Errorf("copy database %s to %s: %w", path, to, err)
	}
	return nil
}
