// Package cron tells when something recurs, as people write it: a cron expression in
// a time zone.
package cron

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"patrol/internal/platform/problem"
)

// Timing is a cron expression in a zone. Cron speaks of the wall clock, which in
// most zones jumps twice a year, so what an expression means there has to be said:
//
//   - A time that the wall clock skips fires once, at the first instant after the
//     gap: whoever wrote 02:30 wants it done that night.
//   - A time that it shows twice fires when it is shown first.
//   - An expression of every hour is no time of the day but a rhythm: it fires
//     whenever the wall clock shows it, so neither of the two.
//
// The library that parses expressions skips the first and doubles the second; it is
// asked only about a clock that never jumps.
type Timing struct {
	wall   cron.Schedule
	zone   *time.Location
	hourly bool // every hour matches
	// every is the interval of @every, in seconds, counted from 1970; zero for an
	// expression.
	every int64
}

var parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// horizon is how far ahead a fire time is looked for, as the parser's library does.
const horizon = 5 // years

// Parse reads an expression of five or six fields, or a descriptor, and an IANA zone.
// A mistake is a problem of the field cron or time_zone.
func Parse(expression, zone string) (Timing, error) {
	if strings.Contains(expression, "TZ=") {
		return Timing{}, problem.Invalid("cron", "%q names a time zone: the zone goes into time_zone", expression)
	}
	parsed, err := parser.Parse(expression)
	if err != nil {
		return Timing{}, problem.Invalid("cron", "%q%s: %v", expression, faultyField(expression), err)
	}
	location, err := Zone(zone)
	if err != nil {
		return Timing{}, err
	}
	t := Timing{wall: parsed, zone: location}
	const allHours = 1<<24 - 1
	switch p := parsed.(type) {
	case *cron.SpecSchedule:
		t.hourly = p.Hour&allHours == allHours
	case cron.ConstantDelaySchedule:
		// The library makes a second of all that is less, and drops fractions.
		interval, _ := time.ParseDuration(strings.TrimPrefix(expression, "@every ")) // it parsed there
		if interval < time.Second || interval%time.Second != 0 {
			return Timing{}, problem.Invalid("cron", "%q: an interval is a whole number of seconds, one at least", expression)
		}
		t.every = int64(interval / time.Second)
	}
	return t, nil
}

// Zone returns a time zone by its IANA name; a mistake is a problem of the field
// time_zone.
func Zone(zone string) (*time.Location, error) {
	location, err := time.LoadLocation(zone)
	// "Local" would be the zone of whichever machine the console runs on.
	if err != nil || zone == "Local" || zone == "" {
		return nil, problem.Invalid("time_zone", "%q is no IANA time zone, such as UTC or Europe/Berlin", zone)
	}
	return location, nil
}

// faultyField names the first field of an expression that is wrong by itself.
func faultyField(expression string) string {
	names := []string{"second", "minute", "hour", "day of month", "month", "day of week"}
	fields := strings.Fields(expression)
	if strings.HasPrefix(expression, "@") || len(fields) < len(names)-1 || len(fields) > len(names) {
		return ""
	}
	names = names[len(names)-len(fields):]
	for i, field := range fields {
		alone := slices.Repeat([]string{"*"}, len(fields))
		alone[i] = field
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			return fmt.Sprintf(", field %d (%s)", i+1, names[i])
		}
	}
	return ""
}

// Next returns the first fire time after a moment; zero if there is none within
// five years.
func (t Timing) Next(after time.Time) time.Time {
	if t.every > 0 {
		n := after.Unix() / t.every
		return time.Unix((n+1)*t.every, 0).UTC()
	}
	limit := after.AddDate(horizon, 0, 0)
	for from := after.Unix() + 1; ; {
		fire, end := t.between(from)
		if !fire.IsZero() {
			return fire.UTC()
		}
		if end.IsZero() || end.After(limit) {
			return time.Time{}
		}
		from = end.Unix()
	}
}

// between returns the first fire time from a second on, before the zone's clocks
// are next changed, which is at end; both zero if there is none.
func (t Timing) between(from int64) (fire, end time.Time) {
	moment := time.Unix(from, 0).In(t.zone)
	_, offset := moment.Zone()
	start, end := moment.ZoneBounds()
	shown := from + int64(offset)
	if !start.IsZero() && !t.hourly {
		_, before := start.Add(-time.Second).Zone()
		was := start.Unix() + int64(before) // what the clock would have shown at start
		is := start.Unix() + int64(offset)
		if skipped := t.shows(was); from == start.Unix() && was < is && skipped != 0 && skipped < is {
			return start, end
		}
		shown = max(shown, was) // up to there it has shown before
	}
	at := t.shows(shown)
	if at == 0 {
		return time.Time{}, end
	}
	fire = time.Unix(at-int64(offset), 0)
	if !end.IsZero() && !fire.Before(end) {
		return time.Time{}, end
	}
	return fire, end
}

// shows returns the first reading of a wall clock, at or after one, that the
// expression means; zero if there is none. Readings are seconds as if they were UTC.
func (t Timing) shows(reading int64) int64 {
	next := t.wall.Next(time.Unix(reading-1, 0).UTC())
	if next.IsZero() {
		return 0
	}
	return next.Unix()
}

// Rhythm tells whether this means no times of the day, but goes on whatever the wall
// clock does.
func (t Timing) Rhythm() bool { return t.hourly || t.every > 0 }
