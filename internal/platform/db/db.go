// Package db is the database that every room stands on.
//
// There are two pools over one SQLite file: a writer of a single connection,
// so that writers queue instead of failing with BUSY, and a pool that can only
// read. Rooms see [DB] and [Tx] and write their own SQL, with $1 parameters and
// in the words that SQLite and PostgreSQL share; what differs goes through
// [Dialect].
//
// Holding a transaction and asking the writer for another one deadlocks, for
// there is one connection: pass the [Tx] on. Never wait for a network inside one.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

// Dialect names what the SQL of a room may have to tell apart.
type Dialect string

// SQLite is the embedded database.
const SQLite Dialect = "sqlite"

// Querier is what both a transaction and the reading pool answer.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx is a writing transaction.
type Tx struct {
	*sql.Tx
	after []func()
}

// AfterCommit has f called once the transaction is committed, in order; never
// when it is rolled back. It is where waiting readers are woken.
func (t *Tx) AfterCommit(f func()) { t.after = append(t.after, f) }

// DB is an open database.
type DB struct {
	writer, reader *sql.DB
	dialect        Dialect
	closing        sync.Once
}

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
	writer, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	if err := writer.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), writer.Close())
	}
	reader, err := sql.Open("sqlite", dsn(path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), writer.Close())
	}
	reader.SetMaxOpenConns(8)
	return &DB{writer: writer, reader: reader, dialect: SQLite}, nil
}

// dsn names the file with the settings of every connection. synchronous=FULL:
// what has been committed survives a power cut, not only a killed process.
func dsn(path, last string) string {
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	return name.String() + "?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(10000)" +
		"&_pragma=foreign_keys(1)&_pragma=cache_size(-32000)&" + last
}

// Close ends both pools.
func (d *DB) Close() error {
	var err error
	d.closing.Do(func() { err = errors.Join(d.reader.Close(), d.writer.Close()) })
	return err
}

// Dialect tells which database this is.
func (d *DB) Dialect() Dialect { return d.dialect }

// Read returns the pool for reading. A write through it fails.
func (d *DB) Read() Querier { return d.reader }

// Write runs f in one transaction: committed if f returns nil, rolled back
// otherwise.
func (d *DB) Write(ctx context.Context, f func(tx *Tx) error) error {
	sqlTx, err := d.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	tx := &Tx{Tx: sqlTx}
	defer func() { _ = sqlTx.Rollback() }() // a no-op after Commit
	if err := f(tx); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	for _, call := range tx.after {
		call()
	}
	return nil
}
