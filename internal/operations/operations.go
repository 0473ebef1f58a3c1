// Package operations is what somebody who runs a console needs of it: whether it
// is ready and why not, what it measures, what is wrong and what to do about it,
// a backup, and how long it keeps what. It reads what every room writes, and
// writes nothing of theirs.
package operations

import (
	"context"
	"embed"
	"sync/atomic"
	"time"

	"patrol/internal/feed"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "operations", Files: files}

// Feed is what is asked of the feed.
type Feed interface {
	Overview(ctx context.Context) (feed.Overview, error)
}

// Service answers for one console.
type Service struct {
	db      *db.DB
	events  *event.Log
	feed    Feed
	options Options
	now     func() time.Time

	draining atomic.Bool
}

// Options are what a console knows of itself.
type Options struct {
	DataDir, Version string
	// FeedURL is asked for the time, where it is a URL.
	FeedURL string
	// Unopened lists the integrations whose secrets no key of the console opens, each
	// with the reason.
	Unopened func(context.Context) ([]string, error)
	// Listening counts the agents that listen here; nil where none can.
	Listening func() int
}

// NewService returns the room over a migrated database.
func NewService(d *db.DB, events *event.Log, f Feed, o Options, now func() time.Time) *Service {
	return &Service{db: d, events: events, feed: f, options: o, now: now}
}

// Drain says that the console is about to end: it is not ready any more.
func (s *Service) Drain() { s.draining.Store(true) }
