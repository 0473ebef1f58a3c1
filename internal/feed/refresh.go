package feed

import (
	"context"
	"errors"
	"time"
)

// askAgain is how long after an update failed whoever needs the feed asks for it
// again.
const askAgain = 5 * time.Minute

// skew is by how much the clocks of consoles may differ.
const skew = time.Minute

// within tells whether something was less than a time ago. What is yet to come was noted
// before the clock was set back, and says nothing.
func (s *Service) within(at time.Time, span time.Duration) bool {
	ago := s.now().Sub(at)
	return ago > -skew && ago < span
}

// Due tells whether OSV was last asked longer ago than the interval, or could not be
// brought up to date then: a run of a schedule is to call [Service.Refresh] first.
func (s *Service) Due(ctx context.Context) (bool, error) {
	asked, failed, err := s.lastAsked(ctx)
	return err != nil || failed != "" || !s.within(asked, s.settings.Interval), err
}

// Refresh brings OSV up to date if it was last asked longer ago than the interval, by
// any console; after an update that failed, it asks again when some minutes have
// passed, and else returns why that one failed.
func (s *Service) Refresh(ctx context.Context) error {
	var before error
	_, err := s.updateUnless(ctx, nil, func(handed) bool {
		asked, failed, err := s.lastAsked(ctx)
		switch {
		case err != nil:
			return false
		case failed == "":
			return s.within(asked, s.settings.Interval)
		case s.within(asked, min(askAgain, s.settings.Interval)):
			before = errors.New(failed)
			return true
		}
		return false
	})
	if err == nil {
		err = before
	}
	return err
}

// lastAsked returns when any console asked OSV last, and why that was in vain; zero if
// nobody did.
func (s *Service) lastAsked(ctx context.Context) (at time.Time, failed string, err error) {
	last, err := s.store.readState()
	if err != nil {
		return at, "", err
	}
	if a := last.LastAttempt; a != nil {
		at, failed = a.At, a.Error
	}
	if s.settings.Shared == nil {
		return at, failed, nil
	}
	h, err := s.handed(ctx)
	if h.osvChecked.After(at) {
		at, failed = h.osvChecked, h.osvError // another one did since
	}
	return at, failed, err
}
