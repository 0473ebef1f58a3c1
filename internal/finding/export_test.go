package finding

import (
	"context"
	"time"

	"patrol/internal/feed"
)

// Attend does what Run does each time, and returns when to look again.
func (s *Service) Attend(ctx context.Context, ahead time.Duration) (time.Duration, error) {
	return s.attend(ctx, func(context.Context) (time.Duration, error) { return ahead, nil })
}

// MoveOneByOne has re-matches write as little as they can in one transaction.
func (s *Service) MoveOneByOne() { s.moveRows = 1 }

// Differing matches what the fleet has of the packages of which a revision says
// something else than an old one, and returns how many components that is.
func (s *Service) Differing(ctx context.Context, old, rev *feed.Revision) (int, error) {
	lacking, err := s.lacking(ctx, rev)
	if err != nil {
		return 0, err
	}
	d, _, err := s.differing(ctx, rematch{rev: rev}, old, lacking)
	return len(d.ids), err
}

// Compared compares the steps that nodes are to take, and returns what tells whether
// that stands still.
func (s *Service) Compared(ctx context.Context, rev *feed.Revision) (stands func() (bool, error), err error) {
	behind, err := s.behind(ctx, rev)
	if err != nil {
		return nil, err
	}
	c, _, err := compare(ctx, s.db.Read(), rev, stepsOf(behind))
	return func() (bool, error) { return c.stands(ctx, s.db.Read(), stepsOf(behind)) }, err
}

// Many says how many open occurrences are too many to be counted at once.
func (s *Service) Many(n int) { s.many = n }
