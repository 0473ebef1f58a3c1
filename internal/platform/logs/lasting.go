package logs

import (
	"context"
	"log/slog"
	"time"
)

// Lasting is a failure of something that is tried again and again: it is told when it
// begins and when it has ended, however often it is seen in between. It belongs to
// the loop that tries.
type Lasting struct {
	// What says what failed, and that it will be tried again.
	What string

	since time.Time
}

// Note takes how it went this time. That the context has ended is no failure.
func (l *Lasting) Note(ctx context.Context, err error) {
	switch {
	case err == nil && !l.since.IsZero():
		slog.InfoContext(ctx, "it works again", "failed", l.What, "lasted", time.Since(l.since).Round(time.Second))
		l.since = time.Time{}
	case err == nil || ctx.Err() != nil:
	case l.since.IsZero():
		slog.ErrorContext(ctx, l.What, "error", err)
		l.since = time.Now()
	default:
		slog.DebugContext(ctx, l.What, "error", err, "since", l.since)
	}
}
