package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/logs"
)

// A feed that is not brought up to date any more looks like a quiet day. So it is
// said, once for all consoles on a database, and again once that is over. What counts
// is when OSV was last asked with success, not when it last had something new.

// DefaultStaleAfter is how long after its last success the feed is stale, unless three
// intervals are longer.
const DefaultStaleAfter = 24 * time.Hour

// judgeEvery is how often a console looks whether the feed is stale.
const judgeEvery = time.Minute

// Freshness tells whether the feed was brought up to date lately.
type Freshness struct {
	Stale bool `json:"stale" doc:"True if OSV was not brought up to date for too long, so that what was disclosed since is not found."`
	// Since is when it became so.
	Since time.Time `json:"stale_since,omitzero"`
	// Because says why, in a sentence.
	Because string `json:"stale_because,omitempty"`
}

// Freshness judges what is installed here by the last update that went well; limit
// is how long ago that may be. Of what was never updated nothing is known.
func (s Status) Freshness(now time.Time, limit time.Duration) Freshness {
	return fresh{began: now, succeeded: s.LastSuccess}.judge(now, limit, s.LastAttempt)
}

// fresh is the row that all consoles share.
type fresh struct {
	began, succeeded, staleSince time.Time
}

// judge tells whether the feed is stale at that time.
func (f fresh) judge(now time.Time, limit time.Duration, last *Attempt) Freshness {
	from, because := f.succeeded, "OSV was last brought up to date at "+f.succeeded.UTC().Format(time.RFC3339)
	if from.IsZero() {
		from, because = f.began, "OSV was never brought up to date since "+f.began.UTC().Format(time.RFC3339)
	}
	since := from.Add(limit)
	if from.IsZero() || now.Before(since) {
		return Freshness{}
	}
	if last != nil && last.Error != "" {
		because += "; the last attempt failed: " + last.Error
	}
	return Freshness{Stale: true, Since: since.UTC(), Because: because}
}

// staleAfter is how long ago the last success may be.
func (s *Service) staleAfter() time.Duration {
	if s.settings.StaleAfter > 0 {
		return s.settings.StaleAfter
	}
	return max(DefaultStaleAfter, 3*s.settings.Interval)
}

func readFresh(ctx context.Context, q db.Querier) (fresh, error) {
	f, err := db.One(q.QueryRowContext(ctx, `SELECT began_at, succeeded_at, stale_since FROM feed_freshness WHERE id = 1`), func(scan db.Scan) (f fresh, err error) {
		return f, scan(db.Time{Time: &f.began}, db.Time{Time: &f.succeeded}, db.Time{Time: &f.staleSince})
	})
	if errors.Is(err, db.ErrNotFound) {
		return fresh{}, nil
	}
	if err != nil {
		return f, fmt.Errorf("whether the feed is stale: %w", err)
	}
	return f, nil
}

// with adds what this process knows of successes. One that is yet to come was noted
// before the clock was set back: when it really was is not known, and it counts from now.
func (f fresh) with(succeeded, now time.Time) fresh {
	latest := now.Add(skew)
	if f.succeeded.After(latest) {
		f.succeeded = now
	}
	if succeeded.After(f.succeeded) && !succeeded.After(latest) {
		f.succeeded = succeeded
	}
	return f
}

// succeeded is when OSV was last asked with success as far as this process knows.
func (s *Service) succeeded(last state) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unneeded.After(last.LastSuccess) {
		return s.unneeded
	}
	return last.LastSuccess
}

// judge notes when OSV was last brought up to date, and writes the event when the feed
// became stale, or is fresh again.
func (s *Service) judge(ctx context.Context) error {
	last, err := s.store.readState()
	if err != nil {
		return err
	}
	row, err := readFresh(ctx, s.db.Read())
	if err != nil {
		return err
	}
	if s.settings.Shared != nil && !last.LastSuccess.IsZero() && row.succeeded.After(last.LastSuccess) {
		// Another console did it, and what it found is installed here or will be.
		if err := s.store.noteSuccess(row.succeeded); err != nil {
			return err
		}
	}
	now := s.now()
	known := row.with(s.succeeded(last), now)
	stale := known.judge(now, s.staleAfter(), nil).Stale
	if !row.began.IsZero() && known == row && stale == !row.staleSince.IsZero() {
		return nil
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return s.noteFresh(ctx, tx, known.succeeded, last.LastAttempt) })
}

func (s *Service) noteFresh(ctx context.Context, tx *db.Tx, succeeded time.Time, attempt *Attempt) error {
	row, err := readFresh(ctx, tx)
	if err != nil {
		return err
	}
	now := s.now()
	known := row.with(succeeded, now)
	if known.began.IsZero() {
		known.began = now
	}
	f := known.judge(now, s.staleAfter(), attempt)
	_, err = tx.ExecContext(ctx, `INSERT INTO feed_freshness (id, began_at, succeeded_at, stale_since) VALUES (1, $1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET succeeded_at = excluded.succeeded_at, stale_since = excluded.stale_since`,
		known.began.UnixMicro(), db.Micros(known.succeeded), db.Micros(f.Since))
	if err != nil {
		return fmt.Errorf("note whether the feed is stale: %w", err)
	}
	switch was := !row.staleSince.IsZero(); {
	case f.Stale && !was:
		return event.AppendTo(ctx, tx, now, event.Everybody, "feed.stale", "feed", f)
	case !f.Stale && was:
		return event.AppendTo(ctx, tx, now, event.Everybody, "feed.fresh", "feed", map[string]any{"stale_since": row.staleSince.UTC()})
	}
	return nil
}

// freshness is what the API shows: by the row, and by what this console has done since.
func (s *Service) freshness(ctx context.Context) (Freshness, error) {
	last, err := s.store.readState()
	if err != nil {
		return Freshness{}, err
	}
	row, err := readFresh(ctx, s.db.Read())
	if err != nil {
		return Freshness{}, err
	}
	now := s.now()
	return row.with(s.succeeded(last), now).judge(now, s.staleAfter(), last.LastAttempt), nil
}

// keepJudging looks whether the feed is stale, until the context ends.
func (s *Service) keepJudging(ctx context.Context) {
	failing := logs.Lasting{What: "whether the feed is stale is not known; it will be tried again"}
	ticker := time.NewTicker(judgeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			failing.Note(ctx, s.judge(ctx))
		}
	}
}
