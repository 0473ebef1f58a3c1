package db

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrReadOnly says that nothing can be written, because the disk is full or
// fails. What was asked for is not done and nothing is lost: asking again later
// helps.
var ErrReadOnly = errors.New("the console cannot write to its disk and only reads until it can: free some space there; nothing is lost, try again later")

// ReadOnly returns nil, or an error that is [ErrReadOnly] and says why.
func (d *DB) ReadOnly() error {
	if why := d.broken.Load(); why != nil {
		return fmt.Errorf("%w (%w)", ErrReadOnly, *why)
	}
	return nil
}

// notice turns the database read-only where the error says that writing is
// impossible, whoever tries.
func (d *DB) notice(err error) error {
	if !isFull(err) {
		return err
	}
	if d.broken.Swap(&err) == nil {
		slog.Error("the console cannot write and is read-only until it can: free some space", "error", err)
	}
	return d.ReadOnly()
}

// Keep tries to write every second while the database is read-only, until the
// context ends.
func (d *DB) Keep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if d.ReadOnly() != nil {
			_ = d.Probe(ctx) // the state keeps why
		}
	}
}

// probeSize is more than a disk that is almost full has left.
const probeSize = 256 << 10

// Probe writes something and takes it away again. If that goes well the database
// is no longer read-only.
func (d *DB) Probe(ctx context.Context) error {
	filler := make([]byte, probeSize/2)
	_, _ = rand.Read(filler) // never fails; PostgreSQL would compress zeros
	// Two transactions, or the pages would never reach the disk.
	for _, statement := range []string{`INSERT INTO probe (filler) VALUES ($1)`, `DELETE FROM probe WHERE filler <> $1`} {
		err := d.attempt(ctx, func(tx *Tx) error {
			_, err := tx.ExecContext(ctx, statement, hex.EncodeToString(filler))
			return err
		})
		if err != nil {
			return d.notice(err)
		}
		filler = nil // what the second statement keeps
	}
	if d.dialect == SQLite {
		// The log has room that it had before the disk was full; the file may have none.
		var busy, pages, moved int
		if err := d.writer.QueryRowContext(ctx, `PRAGMA wal_checkpoint`).Scan(&busy, &pages, &moved); err != nil {
			return d.notice(err)
		}
	}
	if d.broken.Swap(nil) != nil {
		slog.Info("the console can write again")
	}
	return nil
}

// isFull tells of errors that say: nobody can write now. SQLite's result codes
// (the low byte is the primary one) and PostgreSQL's (appendix A): disk_full,
// io_error, and read_only_sql_transaction of a server that became a standby.
func isFull(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
			return true
		}
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "53100" || pg.Code == "58030" || pg.Code == "25006")
}
