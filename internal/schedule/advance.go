package schedule

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/scan"
)

const (
	// batch is how many scans one transaction starts or ends: others want to write too.
	batch = 200
	// breath is how long the ends of scans are gathered before runs are looked at.
	breath = 20 * time.Millisecond
	// runs is how many runs are looked at together.
	runs = 500
)

// advance goes on with all runs for which there is something to do, and returns how
// long there will be nothing. One that cannot be gone on with holds up no other.
func (s *Service) advance(ctx context.Context) (time.Duration, error) {
	if err := s.pace(ctx); err != nil {
		return again, err
	}
	for {
		now := s.now()
		ids, err := s.ready(ctx, now)
		if err != nil {
			return again, err
		}
		s.stuck.keep(ids)
		worked := false
		all := s.once(ctx, s.db.Read())
		for _, id := range ids {
			if s.stuck.rests(id, now) {
				continue
			}
			var did bool
			err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
				did, err = s.step(ctx, tx, id, all)
				return err
			})
			if db.Down(ctx, err) {
				return again, err
			}
			s.stuck.note(id, err, now)
			worked = worked || did && err == nil
		}
		if worked {
			continue
		}
		wait, err := s.untilDue(ctx, now)
		if err := errors.Join(s.stuck.err(), err); err != nil {
			return min(wait, again), err
		}
		return wait, nil
	}
}

// selection returns all nodes.
type selection func() (fleet.Selection, error)

// once reads all nodes when they are first asked for.
func (s *Service) once(ctx context.Context, q db.Querier) selection {
	return sync.OnceValues(func() (fleet.Selection, error) { return s.nodes.Selection(ctx, q) })
}

// ready returns runs for which there seems to be something to do: nodes that are
// due and may find room, scans that failed, a time that is up, or nothing left. What
// rests takes up no room among them.
func (s *Service) ready(ctx context.Context, now time.Time) ([]string, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT r.id FROM run AS r WHERE r.finished_at IS NULL AND (
			r.ending <> '' OR r.chosen = 0 OR r.deadline <= $2
			OR EXISTS (SELECT 1 FROM scan WHERE run_id = r.id AND retry = 'open')
			OR r.feed_checked_at IS NOT NULL AND EXISTS (SELECT 1 FROM run_node AS w WHERE w.run_id = r.id AND w.state = 'waiting' AND w.due_at <= $2)
				AND (r.max_concurrent = 0 OR r.max_concurrent > (SELECT count(*) FROM scan AS s WHERE s.run_id = r.id AND `+holding+`))
			OR NOT EXISTS (SELECT 1 FROM run_node AS w WHERE w.run_id = r.id AND w.state = 'waiting')
				AND NOT EXISTS (SELECT 1 FROM scan WHERE run_id = r.id AND `+unfinished+`))
		ORDER BY r.id LIMIT $1`, runs+len(s.stuck), now.UnixMicro())
	ids, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return nil, fmt.Errorf("find the runs to go on with: %w", err)
	}
	return ids, nil
}

// untilDue is how long no node falls due, and no run's time is up, of those that were
// not by then.
func (s *Service) untilDue(ctx context.Context, then time.Time) (time.Duration, error) {
	var due, deadline time.Time
	err := s.db.Read().QueryRowContext(ctx, `SELECT
		(SELECT min(w.due_at) FROM run AS r JOIN run_node AS w ON w.run_id = r.id WHERE r.finished_at IS NULL AND w.state = 'waiting' AND w.due_at > $1),
		(SELECT min(deadline) FROM run WHERE finished_at IS NULL AND deadline > $1)`, then.UnixMicro()).Scan(db.Time{Time: &due}, db.Time{Time: &deadline})
	now, wait := s.now(), glance
	for _, moment := range []time.Time{due, deadline} {
		if !moment.IsZero() {
			wait = min(wait, max(moment.Sub(now), 0))
		}
	}
	return wait, err
}

// going is a run that has not finished.
type going struct {
	id, schedule, ending string
	deadline             time.Time
	checked              bool   // the feed is as new as it can be
	retries              int    // how often a node is scanned again
	limit                int    // of scans at once; zero for none
	labelKey             string // empty for no limit for each value
	labelLimit           int
}

// step does what there is to do for a run, up to a batch; false if there was
// nothing.
func (s *Service) step(ctx context.Context, tx *db.Tx, id string, all selection) (did bool, err error) {
	// Counting up is the claim: of two consoles one waits here and then sees what the
	// other did.
	r := going{id: id}
	var chosen, checked int
	err = tx.QueryRowContext(ctx, `UPDATE run SET steps = steps + 1 WHERE id = $1 AND finished_at IS NULL
		RETURNING schedule_id, ending, deadline, max_concurrent, label_key, label_max, chosen, retries, CASE WHEN feed_checked_at IS NULL THEN 0 ELSE 1 END`, id).
		Scan(&r.schedule, &r.ending, db.Time{Time: &r.deadline}, &r.limit, &r.labelKey, &r.labelLimit, &chosen, &r.retries, &checked)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim run %s: %w", id, err)
	}
	r.checked = checked == 1
	sch, err := find(ctx, tx, r.schedule)
	if err != nil {
		return false, err
	}
	if chosen == 0 {
		if err := s.choose(ctx, tx, sch, id, all); err != nil {
			return false, err
		}
	}
	if r.ending == "" && !s.now().Before(r.deadline) {
		r.ending = TimedOut
	}
	retried, err := s.retry(ctx, tx, r)
	if err != nil {
		return false, err
	}
	switch {
	case r.ending != "":
		did, err = s.giveUp(ctx, tx, r)
	case r.checked:
		did, err = s.startDue(ctx, tx, r, sch)
	}
	if err != nil {
		return false, err
	}
	ended, err := s.finish(ctx, tx, r)
	if err != nil || chosen == 1 {
		return did || retried || ended, err
	}
	run, err := findRun(ctx, tx, r.schedule, id)
	if err != nil {
		return false, err
	}
	return true, event.Append(ctx, tx, s.now(), "schedule.fired", r.schedule, run)
}

// giveUp skips what waits, and ends the scans.
func (s *Service) giveUp(ctx context.Context, tx *db.Tx, r going) (bool, error) {
	if err := s.dropRetries(ctx, tx, r.id); err != nil {
		return false, err
	}
	_, err := tx.ExecContext(ctx, `UPDATE run_node SET state = 'skipped', reason = $2 WHERE run_id = $1 AND state = 'waiting'`, r.id, r.ending)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE run SET ending = $2 WHERE id = $1`, r.id, r.ending)
	}
	if err != nil {
		return false, fmt.Errorf("give up run %s: %w", r.id, err)
	}
	state, reason := reasonOf(r.ending)
	ended, err := s.scans.EndRun(ctx, tx, r.id, state, reason, batch)
	return ended > 0, err
}

// startDue starts scans of nodes that are due, as many as there is room for.
func (s *Service) startDue(ctx context.Context, tx *db.Tx, r going, sch Schedule) (bool, error) {
	now := s.now()
	held, err := s.holdBack(ctx, tx, r, sch, now)
	if err != nil || held {
		return held, err
	}
	room := batch
	if r.limit > 0 {
		var going int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM scan AS s WHERE s.run_id = $1 AND `+holding, r.id, now.UnixMicro()).Scan(&going); err != nil {
			return false, fmt.Errorf("count the scans of run %s: %w", r.id, err)
		}
		if room = min(room, r.limit-going); room <= 0 {
			return false, nil
		}
	}
	nodes, err := s.due(ctx, tx, r, now, room)
	if err != nil || len(nodes) == 0 {
		return false, err
	}
	t := turn{run: r.id}
	for _, n := range nodes {
		if n.gone {
			t.skip(n, gone)
			continue
		}
		_, started, err := s.scans.Start(ctx, tx, n.id, scan.Cause{Trigger: scan.BySchedule, Schedule: r.schedule, Run: r.id, Attempt: n.attempt})
		switch {
		case err != nil:
			return false, err
		case started:
			t.begin(n)
		default:
			t.skip(n, busy)
		}
	}
	if err := s.scans.Settle(ctx, tx, t.stand, false); err != nil {
		return false, err
	}
	return true, t.note(ctx, tx)
}

// holdBack moves what is due in a maintenance window to its end, and what is due
// later by as much.
func (s *Service) holdBack(ctx context.Context, tx *db.Tx, r going, sch Schedule, now time.Time) (bool, error) {
	if len(sch.Windows) == 0 {
		return false, nil
	}
	p, err := sch.plan()
	if err != nil {
		return false, err
	}
	free := p.free(now)
	if free.IsZero() || free.Equal(now) {
		return false, nil
	}
	result, err := tx.ExecContext(ctx, `UPDATE run_node SET due_at = due_at + $3 WHERE run_id = $1 AND state = 'waiting'
		AND EXISTS (SELECT 1 FROM run_node AS w WHERE w.run_id = $1 AND w.state = 'waiting' AND w.due_at <= $2)`,
		r.id, now.UnixMicro(), free.Sub(now).Microseconds())
	if err != nil {
		return false, fmt.Errorf("hold back run %s: %w", r.id, err)
	}
	moved, err := result.RowsAffected()
	return moved > 0, err
}

// finish ends a run of which nothing is left, and lets go what waits for that.
func (s *Service) finish(ctx context.Context, tx *db.Tx, r going) (bool, error) {
	now := s.now()
	result, err := tx.ExecContext(ctx, `UPDATE run SET finished_at = $2, states = COALESCE(
			(SELECT CAST(json_group_object(state, amount) AS TEXT) FROM (SELECT state, count(*) AS amount FROM scan WHERE run_id = $1 AND `+counted+` GROUP BY state) AS c), '{}')
		WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM run_node WHERE run_id = $1 AND state = 'waiting')
		AND NOT EXISTS (SELECT 1 FROM scan WHERE run_id = $1 AND `+unfinished+`) AND NOT EXISTS (SELECT 1 FROM scan WHERE run_id = $1 AND retry = 'open')`, r.id, now.UnixMicro())
	if err != nil {
		return false, fmt.Errorf("finish run %s: %w", r.id, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE schedule SET held_until = $2 WHERE id = $1 AND held_by = 'overlap' AND held_until IS NULL`, r.schedule, now.UnixMicro())
	if err != nil {
		return false, fmt.Errorf("let go what waits for run %s: %w", r.id, err)
	}
	tx.AfterCommit(func() { s.signals.Wake(topic) })
	run, err := findRun(ctx, tx, r.schedule, r.id)
	if err != nil {
		return false, err
	}
	return true, event.Append(ctx, tx, now, "schedule.run_finished", r.schedule, run)
}
