package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
)

// Guard says what is asked of who reads the log: whether they still may do what
// they might when their request began, and which nodes they see, as a parameter
// for json_each. Without it members of a team are told nothing, and streams last.
func (l *Log) Guard(unchanged func(context.Context) (bool, error), sees func(context.Context) (string, error)) {
	l.unchanged, l.sees = unchanged, sees
}

// toCaller adds to a condition that an event is told to the caller. Who sees all
// nodes is asked for nothing more.
func (l *Log) toCaller(ctx context.Context, where string, args []any) (string, []any, error) {
	switch {
	case access.From(ctx).Scope == "":
		return where, args, nil
	case l.sees == nil:
		return "", nil, errors.New("read the event log: nobody says which nodes the caller sees")
	}
	nodes, err := l.sees(ctx)
	if err != nil {
		return "", nil, err
	}
	args = append(args, nodes)
	return fmt.Sprintf(`%s AND (e.audience = '%s' OR e.audience %s)`, where, Everybody, db.Among(fmt.Sprint("$", len(args)))), args, nil
}

// whileUnchanged returns a context that ends once the caller may not do what they
// might when their request began: it is asked when somebody's access changes, and
// now and then, for it may end by itself. What is returned with it ends the asking.
func (l *Log) whileUnchanged(ctx context.Context) (context.Context, func()) {
	if l.unchanged == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	changed, stop := l.signals.Wait(access.Changed)
	poll := time.NewTicker(l.pace.poll)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			case <-poll.C:
			}
			same, err := l.unchanged(ctx)
			if err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "event stream ends: it is not known whether its reader still may follow", "error", err)
			}
			if err != nil || !same {
				cancel()
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		<-ended
		poll.Stop()
		stop()
	}
}
