package schedule

import (
	"context"
	"time"
)

// FireDue is one look of Run, so that tests say when it happens.
func (s *Service) FireDue(ctx context.Context) (time.Duration, error) { return s.fireDue(ctx) }

// Next returns the first fire time after a moment.
func Next(cron, zone string, after time.Time) (time.Time, error) {
	t, err := parse(cron, zone)
	if err != nil {
		return time.Time{}, err
	}
	return t.next(after), nil
}
