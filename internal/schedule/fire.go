package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
)

// glance is how long the loops sleep at most: a clock that was set, or another
// process that changed a schedule, is noticed after that.
const glance = 30 * time.Second

// fireDue fires what is due and returns how long nothing will be. A schedule that
// cannot be fired holds up no other.
func (s *Service) fireDue(ctx context.Context) (time.Duration, error) {
	now := s.now()
	// A fire time that was decided in the future was so by a clock that was set back.
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id FROM schedule WHERE next_fire_at <= $1 OR held_until <= $1 OR decided_at > $2
		ORDER BY COALESCE(held_until, next_fire_at), id`, now.UnixMicro(), now.Add(punctual).UnixMicro())
	due, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return again, fmt.Errorf("find the schedules that are due: %w", err)
	}
	var checked time.Time
	if len(due) > 0 {
		checked = s.checked(ctx)
	}
	s.unfired.keep(due)
	due = slices.DeleteFunc(due, func(id string) bool { return s.unfired.rests(id, now) })
	if err := s.fireAll(ctx, due, together, checked, now); err != nil {
		return again, err
	}
	wait, err := s.untilNext(ctx, now)
	if err := errors.Join(s.unfired.err(), err); err != nil {
		return min(wait, again), err
	}
	return wait, nil
}

// together is how many schedules fire in one transaction: a commit costs as much as
// several of them.
const together = 32

// fireAll fires schedules, so many in one transaction, and notes which could not be. It
// returns an error only if none could.
func (s *Service) fireAll(ctx context.Context, due []string, many int, checked, now time.Time) error {
	for some := range slices.Chunk(due, many) {
		err := s.fire(ctx, checked, some...)
		switch {
		case db.Down(ctx, err):
			return err
		case err != nil && len(some) > 1: // of which, shows when each is by itself
			if err := s.fireAll(ctx, some, 1, checked, now); err != nil {
				return err
			}
		default:
			for _, id := range some {
				s.unfired.note(id, err, now)
			}
		}
	}
	return nil
}

// untilNext is how long no schedule falls due, of those that were not by then.
func (s *Service) untilNext(ctx context.Context, then time.Time) (time.Duration, error) {
	var next, held time.Time
	err := s.db.Read().QueryRowContext(ctx, `SELECT (SELECT min(next_fire_at) FROM schedule WHERE next_fire_at > $1), (SELECT min(held_until) FROM schedule WHERE held_until > $1)`, then.UnixMicro()).
		Scan(db.Time{Time: &next}, db.Time{Time: &held})
	if next.IsZero() || !held.IsZero() && held.Before(next) {
		next = held
	}
	if err != nil || next.IsZero() {
		return glance, err
	}
	return min(max(next.Sub(s.now()), 0), glance), nil
}

func (s *Service) fire(ctx context.Context, checked time.Time, ids ...string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, id := range ids {
			if err := s.fireIn(ctx, tx, id, checked); err != nil {
				return err
			}
		}
		return nil
	})
}

// fireIn looks at a schedule that seemed due. Two consoles that do so at once are put
// in order, and the second finds that it is not.
func (s *Service) fireIn(ctx context.Context, tx *db.Tx, id string, checked time.Time) error {
	now := s.now()
	sch, f, decided, err := standing(ctx, tx, id)
	if errors.Is(err, db.ErrNotFound) {
		return nil // it was deleted meanwhile
	}
	if err != nil {
		return err
	}
	p, err := sch.plan()
	if err != nil {
		return err
	}
	if decided.After(now.Add(punctual)) && !f.next.IsZero() {
		f.next = p.rewound(f.next, sch.from(now)) // it may have been set back into a pause
	} else if f.next.After(now) && (f.heldUntil.IsZero() || f.heldUntil.After(now)) {
		return nil // another console was first
	}
	taken := f.take(p, now)
	if f.lost(taken, now) {
		err := event.Append(ctx, tx, now, "schedule.missed", sch.ID, map[string]int{"missed": taken.missed})
		if err != nil {
			return err
		}
	}
	if f, err = s.settle(ctx, tx, sch, p, taken, checked); err != nil {
		return err
	}
	return stand(ctx, tx, sch.ID, f, now)
}

// settle makes a run of the fire time that is held, if there is one and nothing
// holds it any longer.
func (s *Service) settle(ctx context.Context, tx *db.Tx, sch Schedule, p plan, f firing, checked time.Time) (firing, error) {
	now := s.now()
	if f.heldFor.IsZero() {
		return f, nil
	}
	if free := p.free(now); free.After(now) {
		f.heldBy, f.heldUntil = ByWindow, free
		return f, nil
	}
	if sch.Overlap != Allow {
		before, err := runBefore(ctx, tx, sch.ID)
		switch {
		case err != nil:
			return f, err
		case before != "" && sch.Overlap == BufferOne:
			f.heldBy, f.heldUntil = ByOverlap, time.Time{}
			return f, nil
		case before != "":
			_, err := tx.ExecContext(ctx, `UPDATE run SET dropped = dropped + 1 WHERE id = $1`, before)
			if err != nil {
				return f, fmt.Errorf("note a fire time that was dropped for run %s: %w", before, err)
			}
			return f.dropped(), event.Append(ctx, tx, now, "schedule.dropped", sch.ID, map[string]any{"scheduled_for": f.heldFor, "run": before})
		}
	}
	run := Run{Cause: OnSchedule, ScheduledFor: f.heldFor, CaughtUp: f.caughtUp, HeldBy: f.heldBy, Missed: f.missed, FeedCheckedAt: checked}
	_, err := s.start(ctx, tx, sch, p, run)
	return f.started(), err
}

// runBefore returns the last run of a schedule that goes on; empty if none does. One
// of which nothing is left has only not been noticed yet.
func runBefore(ctx context.Context, tx *db.Tx, id string) (string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT r.id FROM run AS r WHERE r.schedule_id = $1 AND r.finished_at IS NULL AND (r.chosen = 0
		OR EXISTS (SELECT 1 FROM run_node WHERE run_id = r.id AND state = 'waiting')
		OR EXISTS (SELECT 1 FROM scan WHERE run_id = r.id AND `+unfinished+`) OR EXISTS (SELECT 1 FROM scan WHERE run_id = r.id AND retry = 'open'))
		ORDER BY r.id DESC LIMIT 1`, id)
	going, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return "", fmt.Errorf("find the run before: %w", err)
	}
	if len(going) == 0 {
		return "", nil
	}
	return going[0], nil
}

// RunNow fires a schedule once, enabled or not, and leaves its next fire time. What
// it would scan in a maintenance window waits for the end of that.
func (s *Service) RunNow(ctx context.Context, id string) (run Run, err error) {
	checked := s.checked(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		run, err = s.fireBy(ctx, tx, id, "schedule.run", Run{Cause: OnDemand, ScheduledFor: s.now(), FeedCheckedAt: checked})
		return err
	})
	return run, err
}

// Range is a stretch of time.
type Range struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to,omitzero" doc:"Now, unless given."`
}

// Backfill fires a schedule once for all fire times of a stretch of the past. It is
// one run whatever their number: a scan tells of the node and the feed as they are
// now, so that each further one would find the same.
func (s *Service) Backfill(ctx context.Context, id string, r Range) (run Run, err error) {
	checked := s.checked(ctx)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		to := r.To
		if to.IsZero() || to.After(now) {
			to = now
		}
		_, p, err := findPlan(ctx, tx, id)
		if err != nil {
			return err
		}
		first := p.next(r.From.Add(-time.Nanosecond))
		if r.From.IsZero() || first.IsZero() || first.After(to) {
			return problem.Invalid("from", "there is no fire time from %s to %s", r.From.Format(time.RFC3339), to.Format(time.RFC3339))
		}
		last, count := p.passed(first, to)
		run, err = s.fireBy(ctx, tx, id, "schedule.backfilled", Run{Cause: Backfilled, ScheduledFor: last, CaughtUp: true, Missed: count - 1, FeedCheckedAt: checked})
		return err
	})
	return run, err
}

// fireBy makes a run because somebody asked for it.
func (s *Service) fireBy(ctx context.Context, tx *db.Tx, id, action string, run Run) (Run, error) {
	sch, p, err := findPlan(ctx, tx, id)
	if err != nil {
		return run, err
	}
	started, err := s.start(ctx, tx, sch, p, run)
	if err != nil {
		return run, err
	}
	if _, err := s.step(ctx, tx, started, s.once(ctx, tx)); err != nil {
		return run, err
	}
	if run, err = findRun(ctx, tx, id, started); err != nil {
		return run, err
	}
	return run, audit.Record(ctx, tx, s.now(), action, sch.subject(), nil, run)
}

// start writes a run. Its nodes are chosen by who goes on with it, so that of a
// thousand schedules that are due at once none waits for the selectors of others.
func (s *Service) start(ctx context.Context, tx *db.Tx, sch Schedule, p plan, run Run) (string, error) {
	now := s.now()
	id := db.NewID()
	perLabel := PerLabel{}
	if sch.PerLabel != nil {
		perLabel = *sch.PerLabel
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO run (id, schedule_id, cause, scheduled_for, fired_at, caught_up, held_by, missed, selected, started, error,
			max_concurrent, label_key, label_max, deadline, retries, feed_checked_at, looked_at, chosen)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, '', $9, $10, $11, $12, $13, $14, $5, 0)`,
		id, sch.ID, run.Cause, run.ScheduledFor.UnixMicro(), now.UnixMicro(), db.Bit(run.CaughtUp), run.HeldBy, run.Missed,
		sch.MaxConcurrent, perLabel.Key, perLabel.Max, now.Add(p.timeout).UnixMicro(), *sch.Retries, db.Micros(run.FeedCheckedAt))
	if err != nil {
		return "", fmt.Errorf("write run of schedule %q: %w", sch.Name, err)
	}
	tx.AfterCommit(func() {
		s.signals.Wake(runTopic)
		if run.FeedCheckedAt.IsZero() {
			s.signals.Wake(feedTopic)
		}
	})
	return id, nil
}

// choose writes the nodes that a run means. A selector that fails on some node fails
// the run, visibly, and not the loop.
func (s *Service) choose(ctx context.Context, tx *db.Tx, sch Schedule, run string, all selection) error {
	p, err := sch.plan()
	if err != nil {
		return err
	}
	previous, err := lastFired(ctx, tx, sch.ID, run)
	if err != nil {
		return err
	}
	among, err := all()
	if err != nil {
		return err
	}
	nodes, err := among.Select(sch.Selector, previous)
	var wrong *problem.Error
	failed := ""
	switch {
	case errors.As(err, &wrong):
		failed = wrong.Error()
	case err != nil:
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE run SET chosen = 1, selected = $2, error = $3 WHERE id = $1`, run, len(nodes), failed); err != nil {
		return fmt.Errorf("write the choice of run %s: %w", run, err)
	}
	return await(ctx, tx, run, nodes, s.now(), p.spread)
}

// lastFired is when a schedule fired last before a run; zero if it never did. A run
// whose selector failed saw no node.
func lastFired(ctx context.Context, q db.Querier, id, run string) (last time.Time, err error) {
	err = q.QueryRowContext(ctx, `SELECT max(fired_at) FROM run WHERE schedule_id = $1 AND id < $2 AND error = ''`, id, run).Scan(db.Time{Time: &last})
	return last, err
}

// await writes the nodes of a run, evenly due over a time.
func await(ctx context.Context, tx *db.Tx, run string, nodes []string, now time.Time, over time.Duration) error {
	rows := make([][2]any, len(nodes))
	for i, node := range nodes {
		share := float64(i) / float64(len(nodes))
		rows[i] = [2]any{node, now.Add(time.Duration(share * float64(over))).UnixMicro()}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run_node (run_id, node_id, state, due_at, reason)
		SELECT CAST($1 AS TEXT), value->>0, 'waiting', CAST(value->>1 AS BIGINT), '' FROM json_each($2) AS j`, run, list)
	if err != nil {
		return fmt.Errorf("write the nodes of run %s: %w", run, err)
	}
	return nil
}
