// Package schedule says when to scan what. A schedule's next fire time stands in
// the database; a run is one firing, and is written in one transaction with the
// scans that it starts and the fire time that follows, so that no firing is lost
// or doubled whatever dies.
package schedule

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"

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
	// NextFireAt is zero while the schedule is disabled.
	NextFireAt time.Time `json:"next_fire_at,omitzero"`
	LastRun    *Run      `json:"last_run,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
}

func (s Schedule) subject() audit.Subject {
	return audit.Subject{Kind: "schedule", ID: s.ID, Name: s.Name}
}

// Run is one firing of a schedule.
type Run struct {
	ID           string    `json:"id"`
	ScheduledFor time.Time `json:"scheduled_for"`
	FiredAt      time.Time `json:"fired_at"`
	Selected     int       `json:"selected" doc:"Nodes that the selector meant."`
	Scans        int       `json:"scans" doc:"Scans that were started; the other nodes were being scanned already."`
	Error        string    `json:"error" doc:"Why the run could start nothing; empty if it could."`
}

// Definition is what people say of a schedule.
type Definition struct {
	Name     string `json:"name" minLength:"1" maxLength:"200"`
	Cron     string `json:"cron" doc:"Five or six fields, or a descriptor such as @daily."`
	TimeZone string `json:"time_zone,omitempty" default:"UTC" doc:"IANA name, such as Europe/Berlin."`
	Selector string `json:"selector" doc:"CEL over node, such as node.kind == \"host\"."`
	Enabled  bool   `json:"enabled,omitempty"`
}

// timing is a schedule's cron expression in its zone.
type timing struct {
	cron cron.Schedule
	zone *time.Location
}

// check refuses a definition that could not work, saying which field and why.
func (d Definition) check(now time.Time) (timing, error) {
	if strings.TrimSpace(d.Name) == "" {
		return timing{}, problem.Invalid("name", "is empty")
	}
	if _, err := policy.Compile(d.Selector); err != nil {
		return timing{}, problem.Invalid("selector", "%v", err)
	}
	t, err := parse(d.Cron, d.TimeZone)
	if err != nil {
		return timing{}, err
	}
	if t.next(now).IsZero() {
		return timing{}, problem.Invalid("cron", "%q never fires: no day of the next five years matches it", d.Cron)
	}
	return t, nil
}

var parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

func parse(expression, zone string) (timing, error) {
	if strings.Contains(expression, "TZ=") {
		return timing{}, problem.Invalid("cron", "%q names a time zone: the zone goes into time_zone", expression)
	}
	parsed, err := parser.Parse(expression)
	if err != nil {
		return timing{}, problem.Invalid("cron", "%q: %v", expression, err)
	}
	// "Local" would be the zone of whichever machine the console runs on.
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" || zone == "" {
		return timing{}, problem.Invalid("time_zone", "%q is no IANA time zone, such as UTC or Europe/Berlin", zone)
	}
	return timing{parsed, location}, nil
}

// next returns the first fire time after a moment; zero if there is none within
// five years.
func (t timing) next(after time.Time) time.Time {
	next := t.cron.Next(after.In(t.zone))
	if next.IsZero() {
		return next
	}
	return next.UTC()
}
