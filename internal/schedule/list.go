package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

const selectSchedules = `SELECT s.id, s.name, s.cron, s.time_zone, s.selector, s.enabled, s.options, s.next_fire_at, s.created_at,
	s.paused_at, s.paused_until, s.pause_reason, s.held_for, s.held_until, s.held_by, s.missed, s.held_missed, s.decided_at FROM schedule AS s`

// List returns schedules, oldest first.
func (s *Service) List(ctx context.Context, p rest.Paging) (rest.Page[Schedule], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Schedule]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectSchedules+` WHERE s.id > $1 ORDER BY s.id LIMIT $2`, after, p.Limit+1)
	items, err := db.All(rows, err, func(scan db.Scan) (Schedule, error) {
		row, err := readRow(scan)
		return row.shown(s.now()), err
	})
	if err == nil {
		err = withLastRuns(ctx, s.db.Read(), items)
	}
	if err != nil {
		return rest.Page[Schedule]{}, fmt.Errorf("list schedules: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(s Schedule) any { return s.ID })
}

// Get returns one schedule.
func (s *Service) Get(ctx context.Context, id string) (Schedule, error) {
	sch, err := find(ctx, s.db.Read(), id)
	if err != nil {
		return sch, err
	}
	if !sch.paused(s.now()) {
		sch.Pause = nil
	}
	one := []Schedule{sch}
	err = withLastRuns(ctx, s.db.Read(), one)
	return one[0], err
}

// find returns a schedule without its last run, and with a pause that may be over.
func find(ctx context.Context, q db.Querier, id string) (Schedule, error) {
	row, err := db.One(q.QueryRowContext(ctx, selectSchedules+` WHERE s.id = $1`, id), readRow)
	if errors.Is(err, db.ErrNotFound) {
		return row.Schedule, problem.NotFound("schedule", id)
	}
	return row.Schedule, err
}

// findPlan returns a schedule with its plan.
func findPlan(ctx context.Context, q db.Querier, id string) (Schedule, plan, error) {
	sch, err := find(ctx, q, id)
	if err != nil {
		return sch, plan{}, err
	}
	p, err := sch.plan()
	return sch, p, err
}

// row is a schedule as the database has it.
type row struct {
	Schedule
	firing  firing
	decided time.Time
}

func (r row) shown(now time.Time) Schedule {
	if !r.paused(now) {
		r.Pause = nil
	}
	return r.Schedule
}

func readRow(scan db.Scan) (r row, err error) {
	var enabled, caughtUp int
	var pause Pause
	err = scan(&r.ID, &r.Name, &r.Cron, &r.TimeZone, &r.Selector, &enabled, db.JSON{Into: &r.Options}, db.Time{Time: &r.NextFireAt}, db.Time{Time: &r.CreatedAt},
		db.Time{Time: &pause.Since}, db.Time{Time: &pause.Until}, &pause.Reason,
		db.Time{Time: &r.firing.heldFor}, db.Time{Time: &r.firing.heldUntil}, &r.firing.heldBy, &r.Missed, &caughtUp, db.Time{Time: &r.decided})
	if err != nil {
		return r, err
	}
	r.Enabled, r.firing.caughtUp = enabled == 1, caughtUp == 1
	r.firing.next, r.firing.missed = r.NextFireAt, r.Missed
	r.Options = r.definition().complete().Options
	if !pause.Since.IsZero() {
		r.Pause = &pause
	}
	if !r.firing.heldFor.IsZero() {
		r.Held = &Held{For: r.firing.heldFor, By: r.firing.heldBy, Until: r.firing.heldUntil}
	}
	return r, nil
}

// standing returns a schedule, where it stands, and when that was decided.
func standing(ctx context.Context, tx *db.Tx, id string) (Schedule, firing, time.Time, error) {
	r, err := db.One(tx.QueryRowContext(ctx, selectSchedules+` WHERE s.id = $1`, id), readRow)
	return r.Schedule, r.firing, r.decided, err
}

// stand writes where a schedule stands from now on.
func stand(ctx context.Context, tx *db.Tx, id string, f firing, decided time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE schedule SET next_fire_at = $2, decided_at = $3, held_for = $4, held_until = $5, held_by = $6, held_missed = $7, missed = $8 WHERE id = $1`,
		id, db.Micros(f.next), db.Micros(decided), db.Micros(f.heldFor), db.Micros(f.heldUntil), f.heldBy, db.Bit(f.caughtUp), f.missed)
	if err != nil {
		return fmt.Errorf("move schedule %s on: %w", id, err)
	}
	return nil
}

// withLastRuns adds to schedules what their last runs were.
func withLastRuns(ctx context.Context, q db.Querier, schedules []Schedule) error {
	ids := make([]string, len(schedules))
	for i, s := range schedules {
		ids[i] = s.ID
	}
	list, err := db.Column(ids)
	if err != nil {
		return err
	}
	rows, err := q.QueryContext(ctx, selectRuns+` WHERE r.id IN (SELECT (SELECT max(id) FROM run WHERE schedule_id = j.value->>0) FROM json_each($1) AS j)`, list)
	last, err := db.All(rows, err, readRun)
	if err != nil {
		return err
	}
	of := make(map[string]*Run, len(last))
	for i := range last {
		of[last[i].schedule] = &last[i].Run
	}
	for i := range schedules {
		schedules[i].LastRun = of[schedules[i].ID]
	}
	return nil
}
