package schedule

import (
	"context"
	"fmt"
	"strings"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// PauseRequest says why nothing is to fire, and until when.
type PauseRequest struct {
	Reason string    `json:"reason" minLength:"1" maxLength:"1000"`
	Until  time.Time `json:"until,omitzero" doc:"When it ends by itself; without it, when somebody resumes."`
}

// Pause keeps a schedule from firing. What would have fired meanwhile is not made up
// for: somebody wanted it so. A run that goes on does so.
func (s *Service) Pause(ctx context.Context, id string, in PauseRequest) (Schedule, error) {
	now := s.now()
	switch {
	case strings.TrimSpace(in.Reason) == "":
		return Schedule{}, problem.Invalid("reason", "is empty: say why, for whoever wonders")
	case !in.Until.IsZero() && !in.Until.After(now):
		return Schedule{}, problem.Invalid("until", "%s is over", in.Until.Format(time.RFC3339))
	}
	return s.alter(ctx, id, "schedule.paused", func(tx *db.Tx, sch Schedule, p plan) error {
		if !sch.Enabled {
			return problem.Conflict("the schedule is disabled: there is nothing to pause")
		}
		sch.Pause = &Pause{in.Reason, now, in.Until}
		_, err := tx.ExecContext(ctx, `UPDATE schedule SET paused_at = $2, paused_until = $3, pause_reason = $4 WHERE id = $1`,
			id, now.UnixMicro(), db.Micros(in.Until), in.Reason)
		if err != nil {
			return fmt.Errorf("pause schedule %s: %w", id, err)
		}
		// A clock that is set back must not shorten the pause: nothing was decided.
		return stand(ctx, tx, id, firing{next: sch.nextBy(p, now), missed: sch.Missed}, time.Time{})
	})
}

// Resume ends a pause.
func (s *Service) Resume(ctx context.Context, id string) (Schedule, error) {
	return s.alter(ctx, id, "schedule.resumed", func(tx *db.Tx, sch Schedule, p plan) error {
		now := s.now()
		if !sch.paused(now) {
			return problem.Conflict("the schedule is not paused")
		}
		_, err := tx.ExecContext(ctx, `UPDATE schedule SET paused_at = NULL, paused_until = NULL, pause_reason = '' WHERE id = $1`, id)
		if err != nil {
			return fmt.Errorf("resume schedule %s: %w", id, err)
		}
		sch.Pause = nil
		return stand(ctx, tx, id, firing{next: sch.nextBy(p, now), missed: sch.Missed}, now)
	})
}

// alter changes a schedule in one transaction, with an entry in the audit log.
func (s *Service) alter(ctx context.Context, id, action string, change func(*db.Tx, Schedule, plan) error) (Schedule, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		sch, p, err := findPlan(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := change(tx, sch, p); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.signals.Wake(topic) })
		return s.record(ctx, tx, action, sch, id)
	})
	if err != nil {
		return Schedule{}, err
	}
	return s.Get(ctx, id)
}

// nextBy returns when a schedule that is enabled or not, and paused or not, fires
// next by its plan; zero if it does not.
func (s Schedule) nextBy(p plan, now time.Time) time.Time {
	from := s.from(now)
	if !s.Enabled || from.IsZero() {
		return time.Time{}
	}
	return p.next(from)
}

// from returns the moment after which fire times count: now, or the last one of a
// pause, as a fire time at its end counts; zero in a pause without an end.
func (s Schedule) from(now time.Time) time.Time {
	switch {
	case !s.paused(now):
		return now
	case s.Pause.Until.IsZero():
		return time.Time{}
	}
	return s.Pause.Until.Add(-time.Microsecond)
}
