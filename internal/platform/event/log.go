package event

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// Log gives the log to those who follow it, and keeps it from growing for ever.
type Log struct {
	db      *db.DB
	signals *lease.Signals
	now     func() time.Time
	pace    pace

	unchanged func(context.Context) (bool, error)   // see Guard
	sees      func(context.Context) (string, error) // see Guard

	streams, dropped atomic.Int64
}

// pace is how often a stream does what, when nothing happens.
type pace struct {
	// poll finds what no signal told of.
	poll time.Duration
	// heartbeat is less than proxies allow a silent connection: 60 s with most.
	heartbeat time.Duration
	// patience is how long a reader may take for one batch.
	patience time.Duration
}

// NewLog returns the log of a migrated database.
func NewLog(d *db.DB, signals *lease.Signals, now func() time.Time) *Log {
	return &Log{db: d, signals: signals, now: now, pace: pace{5 * time.Second, 15 * time.Second, 20 * time.Second}}
}

// CloudEvent is an event in CloudEvents 1.0's JSON format (section 3).
type CloudEvent struct {
	SpecVersion string `json:"specversion" enum:"1.0"`
	// ID is the sequence number: unique, growing, with gaps.
	ID              string          `json:"id" doc:"The sequence number. It grows, and may have gaps."`
	Source          string          `json:"source"`
	Type            string          `json:"type" example:"scan.completed"`
	Subject         string          `json:"subject,omitempty" doc:"The id of what it happened to."`
	Time            time.Time       `json:"time"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// cloudEvent returns the event as others see it. All consoles on one database
// are one source, since they share the numbers.
func (e Event) cloudEvent() CloudEvent {
	return CloudEvent{
		SpecVersion: "1.0", ID: strconv.FormatInt(e.ID, 10), Source: "/patrol", Type: e.Type, Subject: e.Subject,
		Time: e.Time, DataContentType: "application/json", Data: e.Data,
	}
}

// bounds say which numbers the log holds: those after swept, up to newest.
type bounds struct{ swept, newest int64 }

func (l *Log) bounds(ctx context.Context) (b bounds, err error) {
	err = l.db.Read().QueryRowContext(ctx, `SELECT s.swept, COALESCE((SELECT max(id) FROM event), 0) FROM event_sweep AS s`).Scan(&b.swept, &b.newest)
	if err != nil {
		return b, fmt.Errorf("read the bounds of the event log: %w", err)
	}
	b.newest = max(b.newest, b.swept)
	return b, nil
}

// Position returns the number of the newest event.
func (l *Log) Position(ctx context.Context) (int64, error) {
	b, err := l.bounds(ctx)
	return b.newest, err
}

// holds tells whether who has seen this number can read on without a gap.
func (b bounds) holds(seen int64) error {
	switch {
	case seen < b.swept:
		return problem.Gone("events up to %d are no longer kept: the oldest that is available follows %d; read the present state anew and resume with after=%d", b.swept, b.swept, b.swept)
	case seen > b.newest:
		return problem.Gone("the log ends at %d: this console was restored from a backup, or is another one; read the present state anew and resume with after=%d", b.newest, b.newest)
	}
	return nil
}

var typePattern = regexp.MustCompile(`^([a-z0-9_]+\.)*([a-z0-9_]+|\*)$`)

// types selects events by their type; the zero value selects all.
type types string

// parseTypes takes types and patterns such as node.*, which means every type that
// begins with "node.".
func parseTypes(patterns []string) (types, error) {
	var pairs [][2]string
	for _, p := range patterns {
		prefix, isPrefix := strings.CutSuffix(p, "*")
		switch {
		case !typePattern.MatchString(p):
			return "", problem.Invalid("type", "is a type such as scan.completed, or a pattern such as node.*; several are separated by commas")
		case p == "*":
			return "", nil
		case isPrefix:
			pairs = append(pairs, [2]string{"", prefix})
		default:
			pairs = append(pairs, [2]string{p, ""})
		}
	}
	if pairs == nil {
		return "", nil
	}
	text, err := db.ToJSON(pairs)
	return types(text), err
}

// ofTypes is the condition on e.type whose parameter is $1.
const ofTypes = `($1 = '' OR EXISTS (SELECT 1 FROM json_each(CASE $1 WHEN '' THEN '[]' ELSE $1 END) AS j
	WHERE e.type = value->>0 OR (value->>1 <> '' AND substr(e.type, 1, length(value->>1)) = value->>1)))`

// next returns up to limit events of these types that follow a number, and up to
// where the log was read: to the end of it if fewer came.
func (l *Log) next(ctx context.Context, seen int64, of types, limit int) ([]Event, int64, error) {
	// The bounds come first: numbers grow in commit order, so all that there are up
	// to the newest can be seen by the time it can.
	b, err := l.bounds(ctx)
	if err == nil {
		err = b.holds(seen)
	}
	if err != nil || b.newest == seen {
		return nil, seen, err
	}
	where, args := `WHERE `+ofTypes+` AND e.id > $2 AND e.id <= $3`, []any{string(of), seen, b.newest, limit}
	if where, args, err = l.toCaller(ctx, where, args); err != nil {
		return nil, seen, err
	}
	events, err := read(ctx, l.db.Read(), where+` ORDER BY e.id LIMIT $4`, args...)
	if err != nil {
		return nil, seen, err
	}
	if len(events) == limit {
		return events, events[limit-1].ID, nil
	}
	return events, b.newest, nil
}

// Query says which events a list holds.
type Query struct {
	Type  []string `query:"type" doc:"Types such as scan.completed, or patterns such as node.*, separated by commas."`
	Order string   `query:"order" enum:"newest,oldest" default:"newest" doc:"Which come first."`
	After int64    `query:"after" minimum:"0" doc:"Only those that follow this number."`
}

// List returns a page of the log.
func (l *Log) List(ctx context.Context, q Query, p rest.Paging) (rest.Page[CloudEvent], error) {
	var page rest.Page[CloudEvent]
	of, err := parseTypes(q.Type)
	if err != nil {
		return page, err
	}
	var last int64
	if err := p.Decode(&last); err != nil {
		return page, err
	}
	where, order := `e.id > $2`, `e.id`
	if q.Order != "oldest" {
		where, order = `($2 = 0 OR e.id < $2)`, `e.id DESC`
	}
	where, args, err := l.toCaller(ctx, `WHERE `+ofTypes+` AND `+where+` AND e.id > $3`, []any{string(of), last, q.After, p.Limit + 1})
	if err != nil {
		return page, err
	}
	events, err := read(ctx, l.db.Read(), where+` ORDER BY `+order+` LIMIT $4`, args...)
	if err != nil {
		return page, err
	}
	items := make([]CloudEvent, len(events))
	for i, e := range events {
		items[i] = e.cloudEvent()
	}
	return rest.NewPage(items, p.Limit, func(e CloudEvent) any { return json.RawMessage(e.ID) })
}

// Streams returns how many readers follow the log, and how many were dropped
// because they took nothing for too long.
func (l *Log) Streams() (open, dropped int64) { return l.streams.Load(), l.dropped.Load() }
