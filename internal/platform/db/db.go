// Package db is the database that every room stands on: SQLite in a file, or
// PostgreSQL. Rooms see [DB] and [Tx] and write their own SQL once, with $1
// parameters and in the words that both share; the few that PostgreSQL lacks are
// made when the tables are (see [DB.Migrate]).
//
// A writing transaction is serializable on both, so a rule that reads before it
// writes holds whoever else writes. SQLite has one writer, and others queue.
// PostgreSQL lets them overlap and fails one of two that contradict each other;
// [DB.Write] then runs it again. So what a transaction's function does outside of
// the database must bear repeating; [Tx.AfterCommit] is for what must not.
//
// Holding a transaction and asking the writer for another one deadlocks on
// SQLite, for there is one connection: pass the [Tx] on. Never wait for a network
// inside one.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// Dialect names what the SQL of a room may have to tell apart.
type Dialect string

// The databases.
const (
	SQLite     Dialect = "sqlite"     // embedded
	PostgreSQL Dialect = "postgresql" // for several consoles
)

// Querier is what both a transaction and the reading pool answer.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx is a writing transaction.
type Tx struct {
	*sql.Tx
	dialect Dialect
	after   []func()
}

// Turn is what transactions can take turns at, from when they ask to their end.
type Turn int64

// The turns. The numbers are those of PostgreSQL's advisory locks.
const (
	writing Turn = 0x7061_7472_0000 + iota // what failed, to be tried again
	schema                                 // changing tables
	// Events is appending to the event log.
	Events
	// Feed is compiling a feed, which one console does for all.
	Feed
)

// Take waits for its turn, which lasts until the transaction ends. On SQLite
// every transaction has it already.
func (t *Tx) Take(ctx context.Context, turn Turn) error {
	if t.dialect != PostgreSQL {
		return nil
	}
	_, err := t.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(turn))
	return err
}

// AfterCommit has f called once the transaction is committed, in order; never
// when it is rolled back. It is where waiting readers are woken.
func (t *Tx) AfterCommit(f func()) { t.after = append(t.after, f) }

// DB is an open database.
type DB struct {
	writer, reader *sql.DB
	dialect        Dialect
	url            string // PostgreSQL's
	closing        sync.Once
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
// otherwise. On PostgreSQL f runs again if the transaction could not be put in
// order with others.
func (d *DB) Write(ctx context.Context, f func(tx *Tx) error) error {
	if d.dialect == PostgreSQL {
		return d.writeRepeatedly(ctx, f)
	}
	return write(ctx, d.writer, SQLite, f)
}

// beginner is a pool, or one connection of it.
type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func write(ctx context.Context, on beginner, dialect Dialect, f func(tx *Tx) error) error {
	opts := &sql.TxOptions{Isolation: sql.LevelSerializable} // which SQLite's always are
	sqlTx, err := on.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	tx := &Tx{Tx: sqlTx, dialect: dialect}
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
