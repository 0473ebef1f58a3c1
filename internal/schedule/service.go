package schedule

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/problem"
	"patrol/internal/scan"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "schedule", Files: files}

// Scans starts a scan of a node in the caller's transaction; started is false if
// the node is being scanned already.
type Scans interface {
	Start(ctx context.Context, tx *db.Tx, node string, cause scan.Cause) (id string, started bool, err error)
}

// Nodes returns the ids of the nodes that a selector means.
type Nodes interface {
	Select(ctx context.Context, q db.Querier, selector string) ([]string, error)
}

// Service keeps schedules and fires them.
type Service struct {
	db      *db.DB
	scans   Scans
	nodes   Nodes
	signals *lease.Signals
	now     func() time.Time
}

// NewService returns the room over a migrated database.
func NewService(d *db.DB, scans Scans, nodes Nodes, signals *lease.Signals, now func() time.Time) *Service {
	return &Service{d, scans, nodes, signals, now}
}

// AllHosts and AllContainers are the schedules that every console begins with.
const (
	AllHosts      = "Vulnerability scan of all hosts"
	AllContainers = "Vulnerability scan of all containers"
)

// topic is the signal that some schedule's next fire time changed.
const topic = "schedule"

// DefaultsCreated is the event by which a console remembers that it had its first
// schedules; it is never swept out of the log.
const DefaultsCreated = "schedule.defaults_created"

// Defaults makes the two schedules that every console begins with, disabled, if
// the console has never had a schedule: one that was deleted stays so.
func (s *Service) Defaults(ctx context.Context) error {
	defaults := []Definition{
		{Name: AllHosts, Cron: "0 0 * * 0", TimeZone: "UTC", Selector: `node.kind == "host"`},
		{Name: AllContainers, Cron: "0 0 * * 0", TimeZone: "UTC", Selector: `node.kind == "container"`},
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var made int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM event WHERE type = $1`, DefaultsCreated).Scan(&made); err != nil || made > 0 {
			return err
		}
		for _, d := range defaults {
			if _, err := s.insert(ctx, tx, d, time.Time{}); err != nil {
				return err
			}
		}
		return event.Append(ctx, tx, s.now(), DefaultsCreated, "", struct{}{})
	})
}

// Create adds a schedule.
func (s *Service) Create(ctx context.Context, d Definition) (Schedule, error) {
	if d.TimeZone == "" {
		d.TimeZone = "UTC"
	}
	t, err := d.check(s.now())
	if err != nil {
		return Schedule{}, err
	}
	var id string
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if id, err = s.insert(ctx, tx, d, t.next(s.now())); err != nil {
			return err
		}
		return s.record(ctx, tx, "schedule.created", Schedule{}, id)
	})
	if err != nil {
		return Schedule{}, err
	}
	return s.Get(ctx, id)
}

func (s *Service) insert(ctx context.Context, tx *db.Tx, d Definition, next time.Time) (string, error) {
	id := db.NewID()
	if !d.Enabled {
		next = time.Time{}
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO schedule (id, name, cron, time_zone, selector, enabled, next_fire_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING`,
		id, d.Name, d.Cron, d.TimeZone, d.Selector, flag(d.Enabled), db.Micros(next), s.now().UnixMicro())
	if err != nil {
		return "", fmt.Errorf("create schedule %q: %w", d.Name, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return "", errors.Join(err, problem.Conflict("there is a schedule named %q already", d.Name))
	}
	tx.AfterCommit(func() { s.signals.Wake(topic) })
	return id, nil
}

// Change is an edit of a schedule; what is nil stays.
type Change struct {
	Name     *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Cron     *string `json:"cron,omitempty"`
	TimeZone *string `json:"time_zone,omitempty"`
	Selector *string `json:"selector,omitempty"`
	Enabled  *bool   `json:"enabled,omitempty"`
	// NextFireAt moves the next fire time alone; the ones that follow are cron's.
	NextFireAt *time.Time `json:"next_fire_at,omitempty" doc:"When to fire next, once; after that the cron expression decides."`
}

// Edit changes a schedule. The next fire time is computed anew when what decides
// it changes.
func (s *Service) Edit(ctx context.Context, id string, c Change) (Schedule, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		// Read where it is written: a schedule that fires meanwhile has moved on.
		old, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		d, next, err := c.apply(old, s.now())
		if err != nil {
			return err
		}
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM schedule WHERE name = $1 AND id <> $2`, d.Name, id).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return problem.Conflict("there is a schedule named %q already", d.Name)
		}
		_, err = tx.ExecContext(ctx, `UPDATE schedule SET name = $2, cron = $3, time_zone = $4, selector = $5, enabled = $6, next_fire_at = $7 WHERE id = $1`,
			id, d.Name, d.Cron, d.TimeZone, d.Selector, flag(d.Enabled), db.Micros(next))
		if err != nil {
			return fmt.Errorf("edit schedule %s: %w", id, err)
		}
		tx.AfterCommit(func() { s.signals.Wake(topic) })
		return s.record(ctx, tx, "schedule.edited", old, id)
	})
	if err != nil {
		return Schedule{}, err
	}
	return s.Get(ctx, id)
}

// record audits a change of a schedule, which was new if old is zero.
func (s *Service) record(ctx context.Context, tx *db.Tx, action string, old Schedule, id string) error {
	is, err := find(ctx, tx, id)
	if err != nil {
		return err
	}
	if old.ID == "" {
		return audit.Record(ctx, tx, s.now(), action, is.subject(), nil, is)
	}
	return audit.Record(ctx, tx, s.now(), action, is.subject(), old, is)
}

// apply returns what a schedule becomes, and when it fires next: zero while it
// is disabled.
func (c Change) apply(old Schedule, now time.Time) (Definition, time.Time, error) {
	d := Definition{old.Name, old.Cron, old.TimeZone, old.Selector, old.Enabled}
	set(&d.Name, c.Name)
	set(&d.Cron, c.Cron)
	set(&d.TimeZone, c.TimeZone)
	set(&d.Selector, c.Selector)
	set(&d.Enabled, c.Enabled)
	t, err := d.check(now)
	if err != nil {
		return d, time.Time{}, err
	}
	if !d.Enabled {
		if c.NextFireAt != nil {
			err = problem.Invalid("next_fire_at", "a disabled schedule does not fire: enable it in the same change, or run it")
		}
		return d, time.Time{}, err
	}
	next := old.NextFireAt
	if d.Cron != old.Cron || d.TimeZone != old.TimeZone || d.Enabled != old.Enabled {
		next = t.next(now)
	}
	set(&next, c.NextFireAt)
	if next.IsZero() {
		return d, next, problem.Invalid("next_fire_at", "is no time")
	}
	return d, next, nil
}

// Delete removes a schedule and the record of its runs; their scans stay.
func (s *Service) Delete(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		old, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM schedule WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete schedule %s: %w", id, err)
		}
		return audit.Record(ctx, tx, s.now(), "schedule.deleted", old.subject(), old, nil)
	})
}

// Run fires schedules as they fall due, until the context ends.
func (s *Service) Run(ctx context.Context) {
	failing := logs.Lasting{What: "schedules could not be fired; they will be tried again"}
	s.signals.Loop(ctx, topic, func(ctx context.Context) time.Duration {
		wait, err := s.fireDue(ctx)
		failing.Note(ctx, err)
		if err != nil {
			return time.Second
		}
		return wait
	})
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
