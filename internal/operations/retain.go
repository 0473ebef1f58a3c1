package operations

import (
	"context"
	"log/slog"
	"time"

	"patrol/internal/platform/lease"
)

const (
	// retainEvery is how often what is old is removed.
	retainEvery = time.Hour
	// retainFirst lets a console begin its work before.
	retainFirst = 5 * time.Minute
)

// Sweep removes what one room keeps, in transactions that keep nobody waiting.
type Sweep struct {
	// What it removes, for the log.
	What string
	// Days are for how many it is kept; 0 is for ever.
	Days func(Retention) int
	// Before removes what was over before a moment, and returns how much that was.
	Before func(ctx context.Context, moment time.Time) (int64, error)
}

// Retain removes what is older than the settings say, in that order, until the
// context ends.
func (s *Service) Retain(ctx context.Context, sweeps ...Sweep) {
	lease.Every(ctx, retainFirst, func(ctx context.Context) time.Duration {
		s.RetainOnce(ctx, sweeps...)
		return retainEvery
	})
}

// RetainOnce does so once. What fails is logged, and does not keep the rest from
// being removed.
func (s *Service) RetainOnce(ctx context.Context, sweeps ...Sweep) {
	settings, err := s.Settings(ctx)
	if err != nil {
		slog.ErrorContext(ctx, "what is old could not be removed; it will be tried again", "error", err)
		return
	}
	for _, sweep := range sweeps {
		days := sweep.Days(settings.Retention)
		if days == 0 || ctx.Err() != nil {
			continue
		}
		removed, err := sweep.Before(ctx, s.now().Add(-time.Duration(days)*day))
		if err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "what is old could not be removed; it will be tried again", "what", sweep.What, "error", err)
		}
		if removed > 0 {
			slog.InfoContext(ctx, "removed what was old", "what", sweep.What, "removed", removed, "days", days)
		}
	}
}
