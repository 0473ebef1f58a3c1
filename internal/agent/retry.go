package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"patrol/internal/platform/lease"
	"patrol/internal/wire"
)

const (
	// steepest is the attempt from which on the agent waits no longer than before: 16
	// to 48 seconds. Whoever comes back after hours has all agents within a minute,
	// before their nodes count as inactive.
	steepest = 6
	// longest is how long the agent leaves a console alone that wants it, at most.
	longest = 10 * time.Minute
)

// delay is how long to wait after that many attempts: not shorter than the console
// wants, and spread, for it says the same to everybody.
func delay(err error, attempt int) time.Duration {
	wanted := min(wire.RetryAfter(err), longest)
	return max(lease.Backoff(min(attempt, steepest)), wanted+rand.N(wanted/2+1))
}

// again tries until it works or the context ends; an answer that will not change
// is returned.
func again(ctx context.Context, what string, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, wire.ErrUnknown) || errors.Is(err, wire.ErrLost) || errors.Is(err, wire.ErrRefused) {
			return fmt.Errorf("%s: %w", what, err)
		}
		wait := delay(err, attempt)
		slog.Warn("could not "+what, "error", err, "again_in", wait.Round(time.Millisecond))
		pause(ctx, wait)
	}
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
