package finding

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
)

const (
	// expiryTopic is the signal that there is another decision that ends.
	expiryTopic = "decision/expiry"
	// expiryPoll finds what no signal told of.
	expiryPoll = time.Minute
)

// Run ends decisions whose time has come, and warns of those that will end within
// the time that ahead returns, until the context ends.
func (s *Service) Run(ctx context.Context, signals *lease.Signals, ahead func(context.Context) (time.Duration, error)) {
	failing := logs.Lasting{What: "decisions could not be ended; it will be tried again"}
	signals.Loop(ctx, expiryTopic, func(ctx context.Context) time.Duration {
		wait, err := s.attend(ctx, ahead)
		failing.Note(ctx, err)
		return wait
	})
}

// attend does what is due, and returns when to look again.
func (s *Service) attend(ctx context.Context, ahead func(context.Context) (time.Duration, error)) (time.Duration, error) {
	if err := s.Expire(ctx); err != nil {
		return expiryPoll, err
	}
	warning, err := ahead(ctx)
	if err == nil {
		err = s.Warn(ctx, warning)
	}
	if err != nil {
		return expiryPoll, err
	}
	var next time.Time
	err = s.db.Read().QueryRowContext(ctx, `SELECT min(until) FROM decision WHERE expired_at IS NULL`).Scan(db.Time{Time: &next})
	if err != nil || next.IsZero() {
		return expiryPoll, err
	}
	return max(0, min(expiryPoll, next.Sub(s.now()))), nil
}

// Expire ends decisions whose time has come: what they were about counts again, and
// an event says so.
func (s *Service) Expire(ctx context.Context) error {
	now := s.now()
	ended, err := s.ids(ctx, `SELECT id FROM decision WHERE until <= $1 AND expired_at IS NULL ORDER BY until`, now.UnixMicro())
	if err != nil {
		return err
	}
	for _, id := range ended {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.expire(ctx, tx, id, now) }); err != nil {
			return fmt.Errorf("end decision %s: %w", id, err)
		}
	}
	return nil
}

func (s *Service) ids(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := s.db.Read().QueryContext(ctx, query, args...)
	return db.All(rows, err, db.Value[string])
}

func (s *Service) expire(ctx context.Context, tx *db.Tx, id string, now time.Time) error {
	d, err := s.decision(ctx, tx, id)
	if err != nil || !d.ExpiredAt.IsZero() {
		return ifGone(err) // another console was first, or it was revoked
	}
	if _, err := tx.ExecContext(ctx, `UPDATE decision SET expired_at = $2 WHERE id = $1`, id, now.UnixMicro()); err != nil {
		return err
	}
	if err := reconsider(ctx, tx, d.Vulnerability); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		slog.WarnContext(ctx, "a decision expired; what it was about counts again", "vulnerability", d.Vulnerability, "status", d.Status, "author", d.Author, "occurrences", d.Occurrences)
	})
	return event.AppendTo(ctx, tx, now, audienceOf(d.DecisionRequest), "decision.expired", id, d.told())
}

// Warn tells once of each decision that ends within that time: what it is about
// will count again. Of a short one it tells when half of it has passed, not as soon
// as it is taken.
func (s *Service) Warn(ctx context.Context, ahead time.Duration) error {
	if ahead <= 0 {
		return nil
	}
	now := s.now()
	const due = `warned_at IS NULL AND expired_at IS NULL AND until <= $1 AND until > $2 AND created_at + (until - created_at) / 2 <= $2`
	soon, err := s.ids(ctx, `SELECT id FROM decision WHERE `+due+` ORDER BY until`, now.Add(ahead).UnixMicro(), now.UnixMicro())
	if err != nil {
		return fmt.Errorf("find decisions that will end: %w", err)
	}
	for _, id := range soon {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.warn(ctx, tx, id, now) }); err != nil {
			return fmt.Errorf("warn of the end of decision %s: %w", id, err)
		}
	}
	return nil
}

func (s *Service) warn(ctx context.Context, tx *db.Tx, id string, now time.Time) error {
	d, err := s.decision(ctx, tx, id)
	if err != nil {
		return ifGone(err)
	}
	result, err := tx.ExecContext(ctx, `UPDATE decision SET warned_at = $2 WHERE id = $1 AND warned_at IS NULL AND expired_at IS NULL`, id, now.UnixMicro())
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return err // another console was first
	}
	tx.AfterCommit(func() {
		slog.WarnContext(ctx, "a decision is about to expire", "vulnerability", d.Vulnerability, "status", d.Status, "author", d.Author, "until", d.Until, "occurrences", d.Occurrences)
	})
	return event.AppendTo(ctx, tx, now, audienceOf(d.DecisionRequest), "decision.expiring", id, d.told())
}
