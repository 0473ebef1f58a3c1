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

const selectSchedules = `SELECT s.id, s.name, s.cron, s.time_zone, s.selector, s.enabled, s.next_fire_at, s.created_at,
	r.id, r.scheduled_for, r.fired_at, r.selected, r.started, r.error
	FROM schedule AS s LEFT JOIN run AS r ON r.id = (SELECT max(id) FROM run WHERE schedule_id = s.id)`

// List returns schedules, oldest first.
func (s *Service) List(ctx context.Context, p rest.Paging) (rest.Page[Schedule], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Schedule]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectSchedules+` WHERE s.id > $1 ORDER BY s.id LIMIT $2`, after, p.Limit+1)
	items, err := db.All(rows, err, readSchedule)
	if err != nil {
		return rest.Page[Schedule]{}, fmt.Errorf("list schedules: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(s Schedule) any { return s.ID })
}

// Get returns one schedule.
func (s *Service) Get(ctx context.Context, id string) (Schedule, error) {
	return find(ctx, s.db.Read(), id)
}

func find(ctx context.Context, q db.Querier, id string) (Schedule, error) {
	found, err := db.One(q.QueryRowContext(ctx, selectSchedules+` WHERE s.id = $1`, id), readSchedule)
	if errors.Is(err, db.ErrNotFound) {
		return found, problem.NotFound("schedule", id)
	}
	return found, err
}

func readSchedule(scan db.Scan) (s Schedule, err error) {
	var enabled int
	var run struct {
		id, error             *string
		selected, started     *int
		scheduledFor, firedAt time.Time
	}
	err = scan(&s.ID, &s.Name, &s.Cron, &s.TimeZone, &s.Selector, &enabled, db.Time{Time: &s.NextFireAt}, db.Time{Time: &s.CreatedAt},
		&run.id, db.Time{Time: &run.scheduledFor}, db.Time{Time: &run.firedAt}, &run.selected, &run.started, &run.error)
	s.Enabled = enabled == 1
	if err == nil && run.id != nil {
		s.LastRun = &Run{*run.id, run.scheduledFor, run.firedAt, *run.selected, *run.started, *run.error}
	}
	return s, err
}

// Runs returns the runs of a schedule, newest first.
func (s *Service) Runs(ctx context.Context, id string, p rest.Paging) (rest.Page[Run], error) {
	before := "~" // sorts after every id
	if err := p.Decode(&before); err != nil {
		return rest.Page[Run]{}, err
	}
	if _, err := s.Get(ctx, id); err != nil {
		return rest.Page[Run]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, scheduled_for, fired_at, selected, started, error FROM run
		WHERE schedule_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, id, before, p.Limit+1)
	items, err := db.All(rows, err, func(scan db.Scan) (r Run, err error) {
		return r, scan(&r.ID, db.Time{Time: &r.ScheduledFor}, db.Time{Time: &r.FiredAt}, &r.Selected, &r.Scans, &r.Error)
	})
	if err != nil {
		return rest.Page[Run]{}, fmt.Errorf("list runs: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(r Run) any { return r.ID })
}
