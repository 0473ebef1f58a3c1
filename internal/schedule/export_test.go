package schedule

import (
	"context"
	"time"

	"patrol/internal/platform/db"
)

// FireDue and Advance are one look each of Run, so that tests say when it happens.
func (s *Service) FireDue(ctx context.Context) (time.Duration, error) { return s.fireDue(ctx) }

func (s *Service) Refresh(ctx context.Context) (time.Duration, error) { return s.refresh(ctx) }

// Impatient has runs wait for the feed for a moment only.
func (s *Service) Impatient() { s.patience = time.Millisecond }

func (s *Service) Advance(ctx context.Context) (time.Duration, error) { return s.advance(ctx) }

// Insert writes an enabled schedule without looking at it, that fires next then.
func (s *Service) Insert(ctx context.Context, tx *db.Tx, d Definition, next time.Time) error {
	d.Enabled = true
	_, err := s.insert(ctx, tx, d.complete(), next)
	return err
}

// Rules are what a definition says of time.
type Rules struct{ plan plan }

// RulesOf returns those of a definition, whose options may be incomplete.
func RulesOf(d Definition) (Rules, error) {
	p, err := d.complete().plan()
	return Rules{p}, err
}

func (r Rules) Free(at time.Time) time.Time                  { return r.plan.free(at) }
func (r Rules) Next(after time.Time) time.Time               { return r.plan.next(after) }
func (r Rules) Upcoming(now time.Time, n int) []time.Time    { return r.plan.upcoming(now, n) }
func (r Rules) Rewound(next, now time.Time) time.Time        { return r.plan.rewound(next, now) }
func (r Rules) Passed(first, now time.Time) (time.Time, int) { return r.plan.passed(first, now) }

// Taken is what is held, whether it is caught up, what was missed, and whether that is
// told as an event.
type Taken struct {
	Held     time.Time
	CaughtUp bool
	Missed   int
	Told     bool
}

// Take is a look now at a schedule that held something or nothing, and was to fire next
// then.
func (r Rules) Take(held Held, next, now time.Time) Taken {
	f := firing{next: next, heldFor: held.For, heldBy: held.By, heldUntil: held.Until}
	taken := f.take(r.plan, now)
	return Taken{taken.heldFor, taken.caughtUp, taken.missed, f.lost(taken, now)}
}
