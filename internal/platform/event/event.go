// Package event is the append-only log of what happened. An entry is written in
// the transaction of the change that it tells of, so neither can be without the
// other, and is numbered in commit order: those who append take turns until they
// commit.
package event

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the log.
var Migrations = db.Migrations{Room: "event", Files: files}

// Event is one entry, named as CloudEvents names its attributes.
type Event struct {
	// ID is the sequence number; it grows in commit order, and may have gaps.
	ID int64 `json:"id"`
	// Type is a noun and what happened to it: "scan.completed".
	Type string `json:"type"`
	// Subject is the id of the noun.
	Subject string          `json:"subject"`
	Time    time.Time       `json:"time"`
	Data    json.RawMessage `json:"data"`
	// Audience is whom it is told to.
	Audience Audience `json:"-"`
}

// Topic is the signal that the log has grown.
const Topic = "event"

// Append writes an event that is told to who sees all nodes, in the transaction of
// the change, at its end. From there to the commit no other transaction appends, or
// a number could be seen after a greater one, and who reads on from that would miss
// it.
func Append(ctx context.Context, tx *db.Tx, now time.Time, kind, subject string, data any) error {
	return AppendTo(ctx, tx, now, AllNodes, kind, subject, data)
}

// Audience is whom an event is told to: an event that nobody thought of is told to
// no member of a team.
type Audience string

// The audiences that are not those of one node.
const (
	AllNodes  Audience = ""  // who sees all nodes
	Everybody Audience = "*" // who may read events at all
)

// Of is the audience of what happened to a node: who sees that.
func Of(node string) Audience { return Audience(node) }

// Node is the node that the audience is that of; "" if it is none.
func (a Audience) Node() string {
	if a == AllNodes || a == Everybody {
		return ""
	}
	return string(a)
}

// AppendTo writes an event for an audience, as [Append] does.
func AppendTo(ctx context.Context, tx *db.Tx, now time.Time, to Audience, kind, subject string, data any) error {
	text, err := db.ToJSON(data)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", kind, err)
	}
	last(ctx, tx, kind, `INSERT INTO event (type, subject, time, data, audience) VALUES ($1, $2, $3, $4, $5)`,
		kind, subject, now.UnixMicro(), text, string(to))
	return nil
}

// News is one of many events of a type that are appended together.
type News struct {
	To      Audience
	Subject string
	Data    any
}

// AppendAll writes events of one type in their order, as [Append] does.
func AppendAll(ctx context.Context, tx *db.Tx, now time.Time, kind string, news []News) error {
	if len(news) == 0 {
		return nil
	}
	rows := make([][3]string, len(news))
	for i, n := range news {
		text, err := db.ToJSON(n.Data)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", kind, err)
		}
		rows[i] = [3]string{n.Subject, text, string(n.To)}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	last(ctx, tx, kind, `INSERT INTO event (type, subject, time, data, audience)
		SELECT CAST($1 AS TEXT), value->>0, CAST($2 AS BIGINT), value->>1, value->>2 FROM json_each($3) AS j ORDER BY j.key`, kind, now.UnixMicro(), list)
	return nil
}

// last has a statement that appends events run at the end of the transaction.
func last(ctx context.Context, tx *db.Tx, kind, statement string, args ...any) {
	tx.BeforeCommit(func() error {
		err := tx.Take(ctx, db.Events)
		if err == nil {
			_, err = tx.ExecContext(ctx, statement, args...)
		}
		if err != nil {
			return fmt.Errorf("append event %s: %w", kind, err)
		}
		return nil
	})
	tx.Wake(Topic)
}

// After returns up to limit events that follow a sequence number, in order.
func After(ctx context.Context, q db.Querier, id int64, limit int) ([]Event, error) {
	return read(ctx, q, `WHERE e.id > $1 ORDER BY e.id LIMIT $2`, id, limit)
}

func read(ctx context.Context, q db.Querier, rest string, args ...any) ([]Event, error) {
	rows, err := q.QueryContext(ctx, `SELECT e.id, e.type, e.subject, e.time, e.data, e.audience FROM event AS e `+rest, args...)
	events, err := db.All(rows, err, func(scan db.Scan) (e Event, err error) {
		return e, scan(&e.ID, &e.Type, &e.Subject, db.Time{Time: &e.Time}, db.JSON{Into: &e.Data}, &e.Audience)
	})
	if err != nil {
		return nil, fmt.Errorf("read the event log: %w", err)
	}
	return events, nil
}
