package schedule

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/scan"
)

// glance is how long the loop sleeps at most: a clock that was set forward, or
// another process that changed a schedule, is noticed after that.
const glance = 30 * time.Second

// fireDue fires what is due, each schedule in a transaction of its own, and
// returns how long nothing will be.
func (s *Service) fireDue(ctx context.Context) (time.Duration, error) {
	for {
		fired, err := s.fireNext(ctx)
		if err != nil {
			return 0, err
		}
		if !fired {
			return s.untilNext(ctx)
		}
	}
}

func (s *Service) untilNext(ctx context.Context) (time.Duration, error) {
	var next time.Time
	err := s.db.Read().QueryRowContext(ctx, `SELECT min(next_fire_at) FROM schedule`).Scan(db.Time{Time: &next})
	if err != nil || next.IsZero() {
		return glance, err
	}
	return min(max(next.Sub(s.now()), 0), glance), nil
}

// fireNext fires the schedule that is due the longest; false if none is.
func (s *Service) fireNext(ctx context.Context) (fired bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		var sch Schedule
		var due time.Time
		err := tx.QueryRowContext(ctx, `SELECT id, name, cron, time_zone, selector, next_fire_at FROM schedule
			WHERE next_fire_at <= $1 ORDER BY next_fire_at, id LIMIT 1`, now.UnixMicro()).
			Scan(&sch.ID, &sch.Name, &sch.Cron, &sch.TimeZone, &sch.Selector, db.Time{Time: &due})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find the schedule that is due: %w", err)
		}
		t, err := parse(sch.Cron, sch.TimeZone)
		if err != nil {
			return fmt.Errorf("schedule %q: %w", sch.Name, err)
		}
		// Taking the row by its old fire time is the claim: of two consoles one
		// finds it changed and does nothing.
		result, err := tx.ExecContext(ctx, `UPDATE schedule SET next_fire_at = $3 WHERE id = $1 AND next_fire_at = $2`,
			sch.ID, due.UnixMicro(), db.Micros(t.next(now)))
		if err != nil {
			return fmt.Errorf("claim schedule %q: %w", sch.Name, err)
		}
		fired = true
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = s.start(ctx, tx, sch, due)
		return err
	})
	return fired, err
}

// RunNow fires a schedule once, enabled or not, and leaves its next fire time.
func (s *Service) RunNow(ctx context.Context, id string) (run Run, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		sch, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, s.now(), "schedule.run", sch.subject(), nil, nil); err != nil {
			return err
		}
		run, err = s.start(ctx, tx, sch, s.now())
		return err
	})
	return run, err
}

// start writes a run and its scans. A selector that fails on some node fails the
// run, visibly, and not the loop.
func (s *Service) start(ctx context.Context, tx *db.Tx, sch Schedule, due time.Time) (Run, error) {
	run := Run{ID: db.NewID(), ScheduledFor: due, FiredAt: s.now()}
	nodes, err := s.nodes.Select(ctx, tx, sch.Selector)
	var wrong *problem.Error
	switch {
	case errors.As(err, &wrong):
		run.Error = wrong.Error()
	case err != nil:
		return run, err
	}
	run.Selected = len(nodes)
	for _, node := range nodes {
		_, started, err := s.scans.Start(ctx, tx, node, scan.Cause{Trigger: scan.BySchedule, Schedule: sch.ID, Run: run.ID})
		if err != nil {
			return run, err
		}
		if started {
			run.Scans++
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run (id, schedule_id, scheduled_for, fired_at, selected, started, error) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		run.ID, sch.ID, due.UnixMicro(), run.FiredAt.UnixMicro(), run.Selected, run.Scans, run.Error)
	if err != nil {
		return run, fmt.Errorf("write run of schedule %q: %w", sch.Name, err)
	}
	return run, event.Append(ctx, tx, run.FiredAt, "schedule.fired", sch.ID, run)
}
