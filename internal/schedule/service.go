package schedule

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"patrol/internal/fleet"
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

// Scans is what runs need of scans, in their own transactions.
type Scans interface {
	// Start begins a scan of a node; started is false if it is being scanned already.
	Start(ctx context.Context, tx *db.Tx, node string, cause scan.Cause) (id string, started bool, err error)
	// EndRun ends up to limit unfinished scans of a run, and returns how many.
	EndRun(ctx context.Context, tx *db.Tx, run, state, reason string, limit int) (int, error)
	// Failures returns up to limit scans of a run that failed of what may pass and
	// are not settled.
	Failures(ctx context.Context, tx *db.Tx, run string, limit int) ([]scan.Failure, error)
	// Settle notes of failed scans whether their nodes are scanned again.
	Settle(ctx context.Context, tx *db.Tx, scans []string, again bool) error
}

// Nodes reads all nodes, for selectors to choose among.
type Nodes interface {
	Selection(ctx context.Context, q db.Querier) (fleet.Selection, error)
}

// Service keeps schedules and fires them.
type Service struct {
	db      *db.DB
	scans   Scans
	nodes   Nodes
	feed    Feed
	signals *lease.Signals
	now     func() time.Time

	patience time.Duration // with the feed

	unfired, stuck aside // schedules, and runs
}

// NewService returns the room over a migrated database.
func NewService(d *db.DB, scans Scans, nodes Nodes, feed Feed, signals *lease.Signals, now func() time.Time) *Service {
	return &Service{
		db: d, scans: scans, nodes: nodes, feed: feed, signals: signals, now: now, patience: feedPatience,
		unfired: make(aside), stuck: make(aside),
	}
}

// AllHosts and AllContainers are the schedules that every console begins with.
const (
	AllHosts      = "Vulnerability scan of all hosts"
	AllContainers = "Vulnerability scan of all containers"
)

// The signals that some schedule's next fire time changed, and that there may be
// something to do for a run.
const (
	topic    = "schedule"
	runTopic = scan.Ended
)

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
			if _, err := s.insert(ctx, tx, d.complete(), time.Time{}); err != nil {
				return err
			}
		}
		return event.Append(ctx, tx, s.now(), DefaultsCreated, "", struct{}{})
	})
}

// Create adds a schedule.
func (s *Service) Create(ctx context.Context, d Definition) (Schedule, error) {
	d = d.complete()
	p, err := d.check(s.now())
	if err != nil {
		return Schedule{}, err
	}
	var id string
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if id, err = s.insert(ctx, tx, d, p.next(s.now())); err != nil {
			return err
		}
		return s.record(ctx, tx, "schedule.created", Schedule{}, id)
	})
	if err != nil {
		return Schedule{}, err
	}
	return s.saved(ctx, id)
}

// saved returns a schedule that was just saved, and says if it selects nothing.
func (s *Service) saved(ctx context.Context, id string) (Schedule, error) {
	sch, err := s.Get(ctx, id)
	if err != nil {
		return sch, err
	}
	_, sch.Warning, err = s.meant(ctx, sch.Selector, id)
	return sch, err
}

func (s *Service) insert(ctx context.Context, tx *db.Tx, d Definition, next time.Time) (string, error) {
	id := db.NewID()
	if !d.Enabled {
		next = time.Time{}
	}
	options, err := db.ToJSON(d.Options)
	if err != nil {
		return "", err
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO schedule (id, name, cron, time_zone, selector, enabled, options, next_fire_at, decided_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (name) DO NOTHING`,
		id, d.Name, d.Cron, d.TimeZone, d.Selector, db.Bit(d.Enabled), options, db.Micros(next), s.now().UnixMicro())
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

	Overlap       *string    `json:"overlap,omitempty" enum:"allow,skip,buffer_one"`
	CatchUpWindow *string    `json:"catch_up_window,omitempty"`
	Spread        *string    `json:"spread,omitempty"`
	MaxConcurrent *int       `json:"max_concurrent,omitempty" minimum:"0"`
	PerLabel      *PerLabel  `json:"per_label,omitempty"`
	Retries       *int       `json:"retries,omitempty" minimum:"0" maximum:"10"`
	RunTimeout    *string    `json:"run_timeout,omitempty"`
	Windows       *[]Window  `json:"maintenance_windows,omitempty" maxItems:"20"`
	StartsAt      *time.Time `json:"starts_at,omitempty"`
	EndsAt        *time.Time `json:"ends_at,omitempty"`
	Clear         []string   `json:"clear,omitempty" enum:"per_label,starts_at,ends_at" doc:"What is to be there no longer."`
	// NextFireAt moves the next fire time alone; the ones that follow are cron's.
	NextFireAt *time.Time `json:"next_fire_at,omitempty" doc:"When to fire next, once; after that the cron expression decides."`
}

// Edit changes a schedule. The next fire time is computed anew when what decides
// it changes, and what is held is judged anew by what the schedule says now.
func (s *Service) Edit(ctx context.Context, id string, c Change) (Schedule, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		// Read where it is written: a schedule that fires meanwhile has moved on.
		old, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		now := s.now()
		d, next, err := c.apply(old, now)
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
		options, err := db.ToJSON(d.Options)
		if err != nil {
			return err
		}
		decided := now
		if c.NextFireAt != nil {
			decided = time.Time{}
		}
		_, err = tx.ExecContext(ctx, `UPDATE schedule SET name = $2, cron = $3, time_zone = $4, selector = $5, enabled = $6, options = $7, next_fire_at = $8, decided_at = $9 WHERE id = $1`,
			id, d.Name, d.Cron, d.TimeZone, d.Selector, db.Bit(d.Enabled), options, db.Micros(next), db.Micros(decided))
		if err != nil {
			return fmt.Errorf("edit schedule %s: %w", id, err)
		}
		if err := letGo(ctx, tx, id, d.Enabled, now); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.signals.Wake(topic) })
		return s.record(ctx, tx, "schedule.edited", old, id)
	})
	if err != nil {
		return Schedule{}, err
	}
	return s.saved(ctx, id)
}

// letGo ends what holds a fire time of a schedule that was edited: its window may be
// gone, or its overlap allowed. Who fires next holds it again if something still does. It
// stays if other times are meant from now on: it was one when it came; only the dates may
// forbid it. One whose hold is over already keeps that moment, which tells how late it is.
// What a disabled schedule holds never fires.
func letGo(ctx context.Context, tx *db.Tx, id string, enabled bool, now time.Time) (err error) {
	if enabled {
		_, err = tx.ExecContext(ctx, `UPDATE schedule SET held_until = $2 WHERE id = $1 AND held_for IS NOT NULL AND (held_until IS NULL OR held_until > $2)`, id, now.UnixMicro())
	} else {
		_, err = tx.ExecContext(ctx, `UPDATE schedule SET held_for = NULL, held_until = NULL, held_by = '' WHERE id = $1`, id)
	}
	if err != nil {
		return fmt.Errorf("let go what schedule %s holds: %w", id, err)
	}
	return nil
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
// is disabled. One that has ended can be renamed or disabled; to fire again, it needs
// fire times.
func (c Change) apply(old Schedule, now time.Time) (Definition, time.Time, error) {
	was := old.definition()
	d := c.define(was).complete()
	p, err := d.checkRules(now)
	sameTimes := d.sameTimes(was)
	if err == nil && (!sameTimes || d.Enabled && !was.Enabled || c.NextFireAt != nil) {
		err = d.checkTimes(p, now)
	}
	if err != nil {
		return d, time.Time{}, err
	}
	is := old
	is.Enabled = d.Enabled
	switch {
	case c.NextFireAt == nil:
	case !d.Enabled:
		return d, time.Time{}, problem.Invalid("next_fire_at", "a disabled schedule does not fire: enable it in the same change, or run it")
	case old.paused(now):
		return d, time.Time{}, problem.Invalid("next_fire_at", "a paused schedule does not fire: resume it first, or run it")
	case c.NextFireAt.IsZero():
		return d, time.Time{}, problem.Invalid("next_fire_at", "is no time")
	default:
		return d, *c.NextFireAt, nil
	}
	if sameTimes && d.Enabled == was.Enabled {
		return d, old.NextFireAt, nil
	}
	return d, is.nextBy(p, now), nil
}

// define returns the definition as it is after the change.
func (c Change) define(d Definition) Definition {
	set(&d.Name, c.Name)
	set(&d.Cron, c.Cron)
	set(&d.TimeZone, c.TimeZone)
	set(&d.Selector, c.Selector)
	set(&d.Enabled, c.Enabled)
	set(&d.Overlap, c.Overlap)
	set(&d.CatchUpWindow, c.CatchUpWindow)
	set(&d.Spread, c.Spread)
	set(&d.MaxConcurrent, c.MaxConcurrent)
	set(&d.RunTimeout, c.RunTimeout)
	set(&d.Windows, c.Windows)
	set(&d.StartsAt, c.StartsAt)
	set(&d.EndsAt, c.EndsAt)
	if c.Retries != nil {
		d.Retries = c.Retries
	}
	if c.PerLabel != nil {
		d.PerLabel = c.PerLabel
	}
	for _, field := range c.Clear {
		switch field {
		case "per_label":
			d.PerLabel = nil
		case "starts_at":
			d.StartsAt = time.Time{}
		case "ends_at":
			d.EndsAt = time.Time{}
		}
	}
	return d
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

// Run fires schedules as they fall due and goes on with their runs, until the
// context ends. Each has a loop of its own, as has the feed that runs wait for: what a
// large run starts keeps no schedule waiting, and a slow source no other run.
func (s *Service) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() {
		s.loop(ctx, topic, "schedules could not be fired; they will be tried again", s.fireDue)
	})
	loops.Go(func() {
		s.loop(ctx, feedTopic, "runs of schedules wait for the feed; it will be tried again", s.refresh)
	})
	loops.Go(func() {
		s.loop(ctx, runTopic, "runs of schedules could not go on; they will be tried again", func(ctx context.Context) (time.Duration, error) {
			// Scans end in crowds: one look is for all of a moment.
			select {
			case <-ctx.Done():
				return again, ctx.Err()
			case <-time.After(breath):
			}
			return s.advance(ctx)
		})
	})
	loops.Wait()
}

func (s *Service) loop(ctx context.Context, topic, what string, step func(context.Context) (time.Duration, error)) {
	failing := logs.Lasting{What: what}
	s.signals.Loop(ctx, topic, func(ctx context.Context) time.Duration {
		wait, err := step(ctx)
		failing.Note(ctx, err)
		return wait
	})
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
