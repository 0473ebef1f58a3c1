// Package db is the database that every room stands on: SQLite in a file, or
// PostgreSQL. Rooms see [DB] and [Tx] and write their own SQL once, with $1
// parameters and in the words that both share; the few that PostgreSQL lacks are
// made when the tables are (see [DB.Migrate]).
//
// A writing transaction is serializable on both, so a rule that reads before it
// writes holds whoever else writes. SQLite has one writer; others queue, and may be
// committed together with one before them. PostgreSQL lets them overlap and fails
// one of two that contradict each other. On both [DB.Write] may have to run one
// again. So what a transaction's function does outside of the database must bear
// repeating; [Tx.AfterCommit] is for what must not.
//
// Holding a transaction and asking the writer for another one deadlocks on
// SQLite, for there is one connection: pass the [Tx] on. Never wait inside one:
// not for a network, and not for somebody whose own transaction may be committed
// together with it.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
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
	before  []func() error
	after   []func()
	topics  map[string]struct{}
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
	// Rematching is matching the fleet against a feed, which one console does for all.
	Rematching
	// Intelligence is fetching what is known beside advisories, likewise.
	Intelligence
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

// BeforeCommit has f called in the transaction when all else of it is done, in
// order. It is where a lock is taken for which others wait: none is held for
// longer than the commit takes.
func (t *Tx) BeforeCommit(f func() error) { t.before = append(t.before, f) }

// AfterCommit has f called once the transaction is committed and the writer is
// another's, in order; never when it is rolled back. It is where waiting readers are
// woken.
func (t *Tx) AfterCommit(f func()) { t.after = append(t.after, f) }

// Wake has those who wait for a topic woken once the transaction is committed, by
// whom [DB.OnWake] names.
func (t *Tx) Wake(topic string) {
	if t.topics == nil {
		t.topics = make(map[string]struct{})
	}
	t.topics[topic] = struct{}{}
}

// DB is an open database.
type DB struct {
	writer, reader *sql.DB
	questions      Querier // reader, or what is before it
	dialect        Dialect
	url            string // PostgreSQL's
	closing        sync.Once
	wake           func(topic string)
	queue          queue // for SQLite's one writer
	counts         counts
	broken         atomic.Pointer[error] // why nothing can be written
}

// OnWake says who is called with each topic of [Tx.Wake]. It is called before
// anything is written.
func (d *DB) OnWake(wake func(topic string)) { d.wake = wake }

// Close ends both pools.
func (d *DB) Close() error {
	var err error
	d.closing.Do(func() { err = errors.Join(d.reader.Close(), d.writer.Close()) })
	return err
}

// Dialect tells which database this is.
func (d *DB) Dialect() Dialect { return d.dialect }

// Read returns the pool for reading. A write through it fails.
func (d *DB) Read() Querier { return d.questions }

// ReadTx has f ask about one moment: none of its questions sees what is committed
// meanwhile. In f only q is to be asked: to wait for another connection while holding
// one deadlocks when all are held so. It is for few and large questions: SQLite parses
// each anew, and cannot reset its log while f runs.
func (d *DB) ReadTx(ctx context.Context, f func(q Querier) error) error {
	opts := &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true} // which SQLite's reader always is
	tx, err := d.reader.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to commit
	return f(tx)
}

// Write runs f in one transaction: committed if f returns nil, rolled back
// otherwise. f runs again if the transaction could not be put in order with others,
// or was committed with one that failed.
//
// While the disk is full it fails at once with [ErrReadOnly].
func (d *DB) Write(ctx context.Context, f func(tx *Tx) error) error {
	if err := d.ReadOnly(); err != nil {
		return err
	}
	return d.notice(d.attempt(ctx, f))
}

func (d *DB) attempt(ctx context.Context, f func(tx *Tx) error) error {
	if d.dialect == PostgreSQL {
		return d.writeRepeatedly(ctx, f)
	}
	return d.writeTogether(ctx, f)
}

// beginner is a pool, or one connection of it.
type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

func (d *DB) write(ctx context.Context, on beginner, f func(tx *Tx) error) (err error) {
	defer d.counts.note(time.Now(), &err)
	opts := &sql.TxOptions{Isolation: sql.LevelSerializable} // which SQLite's always are
	sqlTx, err := on.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	tx := &Tx{Tx: sqlTx, dialect: d.dialect}
	defer func() { _ = sqlTx.Rollback() }() // a no-op after Commit
	if err := tx.run(f); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	tx.committed(d.wake)
	return nil
}

// run does what a transaction is for, up to its commit.
func (t *Tx) run(f func(tx *Tx) error) error {
	if err := f(t); err != nil {
		return err
	}
	for _, call := range t.before {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// committed does what had to wait for that.
func (t *Tx) committed(wake func(topic string)) {
	for _, call := range t.after {
		call()
	}
	for topic := range t.topics {
		if wake != nil {
			wake(topic)
		}
	}
}
