package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/problem"
	"patrol/internal/policy"
)

const (
	// readPoll finds what no signal told of.
	readPoll = 5 * time.Second
	// readBatch is how many events are read at once.
	readBatch = 200
)

// Run reads the event log for the rules, and delivers, until the context ends.
func (s *Service) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.deliver(ctx)
	}()
	failing := logs.Lasting{What: "the event log could not be read for notifications; it will be tried again"}
	s.signals.Loop(ctx, event.Topic, func(ctx context.Context) time.Duration {
		wait, err := s.Read(ctx)
		failing.Note(ctx, err)
		return wait
	})
	<-done
}

// Read has every rule read to the end of the log, makes the digests that are due, also
// of what was read while the log goes on and on, and returns when to look again.
func (s *Service) Read(ctx context.Context) (time.Duration, error) {
	for {
		more, err := s.readOn(ctx)
		if err != nil {
			return readPoll, err
		}
		next, err := s.digests(ctx)
		switch {
		case err != nil || !more && next.IsZero():
			return readPoll, err
		case !more:
			return max(0, min(readPoll, next.Sub(s.now()))), nil
		}
	}
}

// reader is a rule, and how far it has read.
type reader struct {
	Rule
	seen int64
}

// readers returns the enabled rules that have something to read, those that have read
// least first: to make a rule ready to be asked takes longer than to find that out.
func (s *Service) readers(ctx context.Context) ([]reader, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+ruleColumns+`, r.seen FROM rule AS r WHERE r.enabled = 1 AND r.seen < `+newest+` ORDER BY r.seen, r.id`)
	readers, err := db.All(rows, err, func(scan db.Scan) (r reader, err error) {
		r.Rule, err = scanRule(func(dest ...any) error { return scan(append(dest, &r.seen)...) })
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	return readers, nil
}

// readOn has the rules that have read least read a batch; more tells whether there may
// be another.
func (s *Service) readOn(ctx context.Context) (more bool, err error) {
	readers, err := s.readers(ctx)
	if err != nil {
		return false, err
	}
	q := s.db.Read()
	askers, seen, err := s.askers(ctx, q, readers)
	if err != nil || len(askers) == 0 {
		return false, err
	}
	events, err := event.After(ctx, q, seen, readBatch)
	if err != nil || len(events) == 0 {
		return false, err
	}
	told := make(map[string][]telling, len(askers))
	for _, e := range events {
		happenings, err := s.relevant(ctx, q, askers, e)
		if err != nil {
			return false, err
		}
		for _, a := range askers {
			for _, h := range happenings {
				if err := a.tell(ctx, h, told); err != nil {
					return false, err
				}
			}
		}
	}
	last := events[len(events)-1].ID
	for _, a := range askers {
		if err := s.commit(ctx, a, seen, last, told[a.id]); err != nil {
			return false, err
		}
	}
	return true, nil
}

// askers makes those rules ready to be asked that have read least, and returns how far
// that is. One that cannot be used stands still and says why; the others go on.
func (s *Service) askers(ctx context.Context, q db.Querier, readers []reader) (askers []*asker, seen int64, err error) {
	look := s.lookup(q)
	for _, r := range readers {
		if len(askers) > 0 && r.seen != seen {
			break
		}
		a, err := s.asker(ctx, q, r.Rule, look)
		var unusable *problem.Error
		switch {
		case errors.As(err, &unusable):
			if err := s.stands(ctx, r.Rule, unusable); err != nil {
				return nil, 0, err
			}
		case err != nil:
			return nil, 0, err
		default:
			askers, seen = append(askers, a), r.seen
		}
	}
	return askers, seen, nil
}

// stands notes of a rule why it cannot be used, such as by an earlier version of Patrol
// than that which saved it.
func (s *Service) stands(ctx context.Context, r Rule, why error) error {
	text := clean(shorten(why.Error(), 2000))
	if r.Error == text {
		return nil
	}
	slog.ErrorContext(ctx, "a rule of notifications cannot be used, and tells nothing until it is edited", "rule", r.Name, "error", why)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE rule SET error = $2, error_at = $3 WHERE id = $1 AND definition = $4`, r.ID, text, s.now().UnixMicro(), r.definition)
		return err
	})
}

func (s *Service) asker(ctx context.Context, q db.Querier, r Rule, look *lookup) (*asker, error) {
	c, err := r.check()
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	a := &asker{checked: &c, id: r.ID, definition: r.definition, look: look, now: s.now()}
	a.raised = func(ctx context.Context, keys []string) (map[string]time.Time, error) {
		return raised(ctx, q, r.ID, keys)
	}
	if c.Team == "" {
		return a, nil
	}
	selector, err := s.options.Team(ctx, q, c.Team)
	if errors.Is(err, db.ErrNotFound) {
		a.fault(fmt.Errorf("there is no team named %q any more", c.Team))
		selector, err = "false", nil
	}
	if err == nil {
		if a.team, err = policy.Compile(selector); err != nil {
			err = problem.Invalid("team", "%v", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("team of rule %q: %w", r.Name, err)
	}
	return a, nil
}

// relevant returns what an event means, if any of the rules may have to tell of it: to
// find out what findings it is about takes time.
func (s *Service) relevant(ctx context.Context, q db.Querier, askers []*asker, e event.Event) ([]happening, error) {
	for _, a := range askers {
		if a.asksOf(e.Type) {
			return s.happenings(ctx, q, e)
		}
	}
	return nil, nil
}

// asksOf tells whether an event of the log may matter to the rule.
func (a *asker) asksOf(kind string) bool {
	if a.reads(kind) || slices.ContainsFunc(ends[kind], a.reads) {
		return true
	}
	switch kind {
	case "scan.completed", "rematch.completed", "rematch.overtaken", "rematch.failed", "decision.created", "decision.revoked", "decision.expired",
		"node.retired", "node.decided", "vulnerability.reassessed", "occurrences.overdue":
		return a.readsFindings()
	}
	return false
}

// telling is a matter with the words for it.
type telling struct {
	matter
	Notification
}

// tell adds what a rule has to tell of a happening.
func (a *asker) tell(ctx context.Context, h happening, told map[string][]telling) error {
	matters, err := a.pick(ctx, h)
	if err != nil {
		return fmt.Errorf("rule %q: %w", a.Name, err)
	}
	for _, m := range matters {
		n, err := a.say(m)
		a.fault(err)
		told[a.id] = append(told[a.id], telling{m, n})
	}
	return nil
}

// commit writes what a rule tells with how far it has read, all or nothing; nothing at
// all if another console was first, or the rule was edited meanwhile.
func (s *Service) commit(ctx context.Context, a *asker, seen, last int64, told []telling) error {
	fault := errors.Join(a.faults...)
	if fault != nil {
		slog.WarnContext(ctx, "a rule of notifications failed on some events", "rule", a.Name, "error", fault)
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE rule SET seen = $3 WHERE id = $1 AND seen = $2 AND enabled = 1 AND definition = $4`, a.id, seen, last, a.definition)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if fault != nil {
			_, err := tx.ExecContext(ctx, `UPDATE rule SET error = $2, error_at = $3 WHERE id = $1`, a.id, clean(shorten(fault.Error(), 2000)), s.now().UnixMicro())
			if err != nil {
				return err
			}
		}
		if len(told) == 0 {
			return nil
		}
		return s.write(ctx, tx, a, told)
	})
	if err != nil {
		return fmt.Errorf("write what rule %q tells: %w", a.Name, err)
	}
	return nil
}
