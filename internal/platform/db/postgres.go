package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"patrol/internal/platform/logs"
)

// IsURL tells whether a name is that of a PostgreSQL database, rather than a file.
func IsURL(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

const (
	// writers is few: a console's transactions are short, and each connection is a
	// process of the server.
	writers = 8
	readers = 16
	// attempts bounds how often one transaction is begun. From the second on, those
	// that failed go one after the other.
	attempts = 20
)

// OpenPostgres opens the database of a postgres:// URL, which must exist. Any
// number of consoles may share it.
func OpenPostgres(ctx context.Context, url string) (*DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err) // pgx hides the password
	}
	config.RuntimeParams["application_name"] = "patrol"
	markConnections(config)
	writer := stdlib.OpenDB(*config)
	writer.SetMaxOpenConns(writers)
	writer.SetMaxIdleConns(writers)
	reading := config.Copy()
	reading.RuntimeParams["default_transaction_read_only"] = "on"
	reader := stdlib.OpenDB(*reading)
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	d := &DB{writer: writer, reader: reader, questions: reader, dialect: PostgreSQL, url: url}
	if err := writer.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s on %s: %w", config.Database, config.Host, err), d.Close())
	}
	return d, nil
}

// writeRepeatedly runs f until it can be put in order with what others do.
func (d *DB) writeRepeatedly(ctx context.Context, f func(tx *Tx) error) error {
	err := d.write(ctx, d.writer, f)
	for attempt := 1; attempt < attempts && isContradiction(err); attempt++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(time.Duration(attempt) * time.Millisecond)):
		}
		d.counts.repeated.Add(1)
		err = d.writeInTurn(ctx, f)
	}
	return err
}

// writeInTurn lets transactions that failed go one after the other, so that they
// do not fail each other again.
func (d *DB) writeInTurn(ctx context.Context, f func(tx *Tx) error) error {
	return d.locked(ctx, writing, func(conn *sql.Conn) error { return d.write(ctx, conn, f) })
}

// Alone runs f while no other console runs one under the same turn, outside of
// any transaction: f may take long. On SQLite there is one console alone.
func (d *DB) Alone(ctx context.Context, turn Turn, f func() error) error {
	if d.dialect != PostgreSQL {
		return f()
	}
	return d.locked(ctx, turn, func(*sql.Conn) error { return f() })
}

// locked holds an advisory lock of the server's while it calls f. The lock belongs
// to the connection, and ends with it should this process be killed.
func (d *DB) locked(ctx context.Context, turn Turn, f func(conn *sql.Conn) error) error {
	conn, err := d.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("wait for a turn: %w", err)
	}
	defer conn.Close()
	// Before any transaction, which would see the database as it was before the wait.
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(turn)); err != nil {
		return fmt.Errorf("wait for a turn: %w", err)
	}
	err = f(conn)
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(turn)); failed != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // to be closed, not used again
	}
	return err
}

// isContradiction tells of the two errors that say: run the transaction again
// (PostgreSQL, appendix A: serialization_failure and deadlock_detected).
func isContradiction(err error) bool {
	var failed *pgconn.PgError
	return errors.As(err, &failed) && (failed.Code == "40001" || failed.Code == "40P01")
}

// channel is what consoles that share a database wake each other on.
const channel = "patrol"

// Notify tells all who listen, in every console on this database. SQLite has one
// console alone, who needs no telling.
func (d *DB) Notify(ctx context.Context, topics ...string) error {
	if d.dialect != PostgreSQL {
		return nil
	}
	list, err := Column(topics)
	if err != nil {
		return err
	}
	_, err = d.writer.ExecContext(ctx, `SELECT pg_notify($1, value->>0) FROM json_array_elements($2::json)`, channel, list)
	return err
}

// Listen calls heard with every topic that anybody notifies of, until the context
// ends. After a connection that broke it calls heard with "": what was said
// meanwhile is not known.
func (d *DB) Listen(ctx context.Context, heard func(topic string)) {
	if d.dialect != PostgreSQL {
		<-ctx.Done()
		return
	}
	broken := logs.Lasting{What: "the connection that wakes this console broke; work is still found by looking for it"}
	for first := true; ctx.Err() == nil; first = false {
		err := d.listen(ctx, first, func(topic string) {
			broken.Note(ctx, nil)
			heard(topic)
		})
		if ctx.Err() != nil {
			return
		}
		broken.Note(ctx, err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (d *DB) listen(ctx context.Context, first bool, heard func(topic string)) error {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	if !first {
		heard("")
	}
	for {
		notification, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(notification.Payload)
	}
}
