package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrGone is what to tell who asked while the database could not be reached.
var ErrGone = errors.New("the console cannot reach its database; nothing is lost, try again later")

// ErrBadText is what to tell who sent text that the database cannot hold.
var ErrBadText = errors.New("a text holds the character U+0000, or bytes that are not UTF-8")

// IsGone tells of errors that say: the database cannot be reached, or is going away.
// Asking again later helps. Those codes are PostgreSQL's (appendix A): class 08, the
// shutdowns, one that does not take connections yet, and one that has too many.
func IsGone(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // it was the caller who went
	}
	var lost *lostError
	var refused *pgconn.ConnectError
	if errors.As(err, &lost) || errors.As(err, &refused) || errors.Is(err, driver.ErrBadConn) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "08") || pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P03" || pg.Code == "53300"
	}
	return pgconn.SafeToRetry(err) // the connection was closed before anything was sent
}

// Down tells whether whatever else is tried would fail as well: the caller ends, or
// the database cannot be reached or written. Otherwise an error is about what was
// tried, and others may go on.
func Down(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, ErrReadOnly) || IsGone(err))
}

// IsBadText tells of errors that say: a text is none that the database can hold
// (PostgreSQL, appendix A: character_not_in_repertoire and untranslatable_character).
func IsBadText(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "22021" || pg.Code == "22P05")
}

// lostError is that of a connection to the database which broke. Others break as
// well: only by where it was made is it known that it is this one.
type lostError struct{ err error }

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// connection marks the errors of a connection to the database.
type connection struct{ net.Conn }

func (c connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, lost(err)
}

func (c connection) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, lost(err)
}

// lost leaves alone what the caller's own patience ended.
func lost(err error) error {
	var timed net.Error
	if err == nil || errors.As(err, &timed) && timed.Timeout() {
		return err
	}
	return &lostError{err}
}

// markConnections has the errors of all connections marked.
func markConnections(config *pgx.ConnConfig) {
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return connection{conn}, nil
	}
}
