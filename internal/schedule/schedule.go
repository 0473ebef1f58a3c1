// Package schedule says when to scan what. A schedule's next fire time stands in
// the database; a run is one firing, written in one transaction with the fire time
// that follows, so that no firing is lost or doubled whatever dies. What the run
// means is chosen next, in a transaction of its own.
//
// A node of a run is a row that waits until it is due and there is room for its
// scan, and from then on is that scan. If that fails of what may pass, the row comes
// back, due later. Nothing is held in memory: any console starts what is due.
//
//	fire time ──▶ held? ──▶ run ──▶ feed? ──▶ waiting ──▶ scan ──▶ the run ends
//	            window,                      spread, ▲     │
//	            overlap                limits, window└─────┘ failed
package schedule

import (
	"fmt"
	"strings"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/problem"
	"patrol/internal/policy"
)

// Schedule says when to scan what.
type Schedule struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Cron     string `json:"cron"`
	TimeZone string `json:"time_zone"`
	Selector string `json:"selector"`
	Enabled  bool   `json:"enabled"`
	Options
	// Pause is there while the schedule is paused.
	Pause *Pause `json:"pause,omitempty"`
	// Held is a fire time that came and could not start yet.
	Held *Held `json:"held,omitempty"`
	// Missed are counted until the next run takes them over.
	Missed int `json:"missed" doc:"Fire times since the last run that got none."`
	// NextFireAt is zero while the schedule is disabled, or paused without an end,
	// and after its last fire time.
	NextFireAt time.Time `json:"next_fire_at,omitzero"`
	LastRun    *Run      `json:"last_run,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	Warning    string    `json:"warning,omitempty" doc:"What is odd about what was just saved."`
}

// Pause says why nothing fires for a while.
type Pause struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero" doc:"When it ends by itself."`
}

// Held is a fire time that waits.
type Held struct {
	For   time.Time `json:"for"`
	By    string    `json:"by" enum:"window,overlap"`
	Until time.Time `json:"until,omitzero" doc:"Of a window: its end."`
}

func (s Schedule) subject() audit.Subject {
	return audit.Subject{Kind: "schedule", ID: s.ID, Name: s.Name}
}

func (s Schedule) definition() Definition {
	return Definition{s.Name, s.Cron, s.TimeZone, s.Selector, s.Enabled, s.Options}
}

// plan is that of what people say of it.
func (s Schedule) plan() (plan, error) {
	p, err := s.definition().plan()
	if err != nil {
		err = fmt.Errorf("schedule %q: %w", s.Name, err)
	}
	return p, err
}

// paused tells whether the schedule is at that moment.
func (s Schedule) paused(now time.Time) bool {
	return s.Pause != nil && (s.Pause.Until.IsZero() || now.Before(s.Pause.Until))
}

// Definition is what people say of a schedule.
type Definition struct {
	Name     string `json:"name" minLength:"1" maxLength:"200"`
	Cron     string `json:"cron" doc:"Five or six fields, or a descriptor such as @daily or @every 6h."`
	TimeZone string `json:"time_zone,omitempty" default:"UTC" doc:"IANA name, such as Europe/Berlin."`
	Selector string `json:"selector" doc:"CEL over node, such as node.kind == \"host\"."`
	Enabled  bool   `json:"enabled,omitempty"`
	Options
}

// complete fills in what was left out.
func (d Definition) complete() Definition {
	for _, field := range []struct {
		value    *string
		standard string
	}{
		{&d.TimeZone, "UTC"}, {&d.Overlap, Allow}, {&d.CatchUpWindow, "168h"}, {&d.RunTimeout, "24h"},
	} {
		if *field.value == "" {
			*field.value = field.standard
		}
	}
	if d.Retries == nil {
		retries := standardRetries
		d.Retries = &retries
	}
	return d
}

// check refuses a definition that could not work, or never fires again, saying which
// field and why.
func (d Definition) check(now time.Time) (plan, error) {
	p, err := d.checkRules(now)
	if err != nil {
		return p, err
	}
	return p, d.checkTimes(p, now)
}

// checkRules refuses what could not work whenever it fires.
func (d Definition) checkRules(now time.Time) (plan, error) {
	if strings.TrimSpace(d.Name) == "" {
		return plan{}, problem.Invalid("name", "is empty")
	}
	if _, err := policy.CompileForRun(d.Selector); err != nil {
		return plan{}, problem.Invalid("selector", "%v", err)
	}
	p, err := d.plan()
	if err != nil {
		return p, err
	}
	if first := p.next(now); !first.IsZero() && p.free(first).IsZero() {
		return p, problem.Invalid("maintenance_windows", "leave no time in which anything could start")
	}
	return p, nil
}

// checkTimes refuses what has no fire time left.
func (d Definition) checkTimes(p plan, now time.Time) error {
	switch {
	case !p.ends.IsZero() && !p.ends.After(now):
		return problem.Invalid("ends_at", "%s is over", p.ends.Format(time.RFC3339))
	case p.Timing.Next(now).IsZero():
		return problem.Invalid("cron", "%q never fires: no day of the next five years matches it", d.Cron)
	case p.next(now).IsZero():
		return problem.Invalid("cron", "%q never fires between starts_at and ends_at", d.Cron)
	}
	return nil
}

// sameTimes tells whether two definitions have the same fire times.
func (d Definition) sameTimes(other Definition) bool {
	return d.Cron == other.Cron && d.TimeZone == other.TimeZone && d.StartsAt.Equal(other.StartsAt) && d.EndsAt.Equal(other.EndsAt)
}
