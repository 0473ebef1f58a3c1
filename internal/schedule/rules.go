package schedule

import (
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/cron"
	"patrol/internal/platform/problem"
)

// What becomes of a fire time while the run before has not ended.
const (
	Allow     = "allow"      // both go on; a node that is being scanned gets no second scan
	Skip      = "skip"       // it is dropped
	BufferOne = "buffer_one" // one waits for the end of that run, all others are dropped
)

// Options are the rules by which a schedule's runs start. Durations are written as
// Go does: 90s, 30m, 12h.
type Options struct {
	Overlap       string    `json:"overlap,omitempty" enum:"allow,skip,buffer_one" default:"allow" doc:"What becomes of a fire time while the run before has not ended."`
	CatchUpWindow string    `json:"catch_up_window,omitempty" default:"168h" doc:"How late a fire time may be made up for, once, after nobody was there to fire it. 0s: never."`
	Spread        string    `json:"spread,omitempty" doc:"Over how long the nodes of a run start, evenly; empty for at once."`
	MaxConcurrent int       `json:"max_concurrent,omitempty" minimum:"0" doc:"How many scans of a run go on at once; 0 for any number."`
	PerLabel      *PerLabel `json:"per_label,omitempty" doc:"How many scans of a run go on at once on nodes with the same value of a label."`
	Retries       *int      `json:"retries,omitempty" minimum:"0" maximum:"10" doc:"How often a node is scanned again whose scan failed of what may pass; 2 unless given. The first time after a minute, then after five times as long each, up to an hour."`
	RunTimeout    string    `json:"run_timeout,omitempty" default:"24h" doc:"After how long a run gives up what has not been scanned."`
	Windows       []Window  `json:"maintenance_windows,omitempty" maxItems:"20" doc:"When nothing starts. What falls due then does so at the end."`
	StartsAt      time.Time `json:"starts_at,omitzero" doc:"Nothing fires before this."`
	EndsAt        time.Time `json:"ends_at,omitzero" doc:"Nothing fires after this."`
}

// PerLabel limits the scans on nodes that share the value of a label. A container
// without the label has its host's; nodes without it count as sharing one.
type PerLabel struct {
	Key string `json:"key" minLength:"1" maxLength:"200"`
	Max int    `json:"max" minimum:"1"`
}

// Window is a time in which nothing starts.
type Window struct {
	Cron     string `json:"cron" doc:"When it begins."`
	Duration string `json:"duration" doc:"How long it lasts, such as 4h; a week at most."`
	TimeZone string `json:"time_zone,omitempty" doc:"IANA name; the schedule's unless given."`
}

// plan is what a definition says of time, ready to be asked.
type plan struct {
	cron.Timing
	starts, ends             time.Time
	catchUp, spread, timeout time.Duration
	windows                  []window
}

type window struct {
	opens cron.Timing
	lasts time.Duration
}

// punctual is how late a fire time may be without being caught up: a console that
// restarts, or is busy, is not one that was away.
const punctual = time.Minute

// plan checks what a definition says of time.
func (d Definition) plan() (p plan, err error) {
	if p.Timing, err = cron.Parse(d.Cron, d.TimeZone); err != nil {
		return p, err
	}
	p.starts, p.ends = d.StartsAt, d.EndsAt
	if !p.ends.IsZero() && !p.ends.After(p.starts) {
		return p, problem.Invalid("ends_at", "is not after starts_at")
	}
	for _, field := range []struct {
		name, text string
		into       *time.Duration
	}{
		{"catch_up_window", d.CatchUpWindow, &p.catchUp},
		{"spread", d.Spread, &p.spread},
		{"run_timeout", d.RunTimeout, &p.timeout},
	} {
		if *field.into, err = span(field.name, field.text); err != nil {
			return p, err
		}
	}
	switch {
	case p.timeout < time.Minute:
		return p, problem.Invalid("run_timeout", "%q is less than a minute", d.RunTimeout)
	case p.spread >= p.timeout:
		return p, problem.Invalid("spread", "%q is not less than run_timeout, %q: the run would give up what it has not begun", d.Spread, d.RunTimeout)
	}
	switch d.Overlap {
	case Allow, Skip, BufferOne:
	default:
		return p, problem.Invalid("overlap", "%q is none of allow, skip, buffer_one", d.Overlap)
	}
	if d.PerLabel != nil && (d.PerLabel.Key == "" || d.PerLabel.Max < 1) {
		return p, problem.Invalid("per_label", "names a label, and how many scans at most: one at least")
	}
	if d.MaxConcurrent < 0 {
		return p, problem.Invalid("max_concurrent", "is negative")
	}
	if d.Retries != nil && (*d.Retries < 0 || *d.Retries > mostRetries) {
		return p, problem.Invalid("retries", "%d is not from 0 to %d", *d.Retries, mostRetries)
	}
	for i, w := range d.Windows {
		checked, err := w.check(fmt.Sprintf("maintenance_windows[%d]", i), d.TimeZone)
		if err != nil {
			return p, err
		}
		p.windows = append(p.windows, checked)
	}
	return p, nil
}

// longest is the most that a maintenance window lasts.
const longest = 7 * 24 * time.Hour

// check refuses a window that could not be, and says which of its fields and why;
// within is what the window is in the definition.
func (w Window) check(within, zone string) (out window, err error) {
	if w.TimeZone != "" {
		zone = w.TimeZone
	}
	if out.opens, err = cron.Parse(w.Cron, zone); err != nil {
		var wrong *problem.Error
		if errors.As(err, &wrong) {
			return out, problem.Invalid(within+"."+wrong.Field, "%s", wrong.Detail)
		}
		return out, err
	}
	duration := within + ".duration"
	if out.lasts, err = span(duration, w.Duration); err != nil {
		return out, err
	}
	if out.lasts <= 0 || out.lasts > longest {
		return out, problem.Invalid(duration, "%q: it lasts more than nothing, and a week at most", w.Duration)
	}
	return out, nil
}

// span reads a duration; nothing is zero.
func span(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, problem.Invalid(field, "%q is no duration, such as 90s, 30m or 12h", text)
	}
	return d, nil
}

// next returns the first fire time after a moment that the dates allow; zero if
// there is none.
func (p plan) next(after time.Time) time.Time {
	if after.Before(p.starts) {
		after = p.starts.Add(-time.Nanosecond) // the first instant counts
	}
	next := p.Timing.Next(after)
	if !p.allows(next) {
		return time.Time{}
	}
	return next
}

// allows tells whether the dates let something fire at a moment.
func (p plan) allows(at time.Time) bool {
	return !at.Before(p.starts) && (p.ends.IsZero() || !at.After(p.ends))
}

// lapsed tells whether what fell due at a moment, while nobody was there, is not made up
// for now.
func (p plan) lapsed(due, now time.Time) bool {
	late := now.Sub(due)
	return late > punctual && (late > p.catchUp || !p.allows(now))
}

// most is how many fire times are counted: of an expression that fires every second
// a month's would keep everybody waiting.
const most = 10_000

// passed returns the last fire time up to now, of which the first is known, and how
// many there were, counted to 10,000.
func (p plan) passed(first, now time.Time) (last time.Time, count int) {
	last, count = first, 1
	for next := p.next(first); !next.IsZero() && !next.After(now); next = p.next(next) {
		last, count = next, count+1
		if count == most {
			return p.last(now), count
		}
	}
	return last, count
}

// last returns the last fire time up to now, of an expression that fires often.
func (p plan) last(now time.Time) (last time.Time) {
	for back := time.Minute; last.IsZero(); back *= 2 {
		for next := p.next(now.Add(-back)); !next.IsZero() && !next.After(now); next = p.next(next) {
			last = next
		}
	}
	return last
}

// free returns the first moment from one on that lies in no maintenance window;
// zero if none was found.
func (p plan) free(at time.Time) time.Time {
	for steps := 0; steps < most; steps++ {
		var until time.Time
		for _, w := range p.windows {
			// One that opened less than its length ago is open.
			for open := w.opens.Next(at.Add(-w.lasts)); !open.IsZero() && !open.After(at); open = w.opens.Next(open) {
				if end := open.Add(w.lasts); end.After(until) {
					until = end
				}
				if steps++; steps >= most {
					return time.Time{}
				}
			}
		}
		if until.IsZero() {
			return at
		}
		at = until
	}
	return time.Time{}
}

// upcoming returns when the next n runs would start.
func (p plan) upcoming(now time.Time, n int) []time.Time {
	times := []time.Time{}
	for next := p.next(now); len(times) < n && !next.IsZero(); next = p.next(next) {
		start := p.free(next)
		if start.IsZero() || !p.allows(start) {
			break
		}
		times = append(times, start.UTC())
		next = start // what else falls into a window, its end included, is the same run
	}
	return times
}

// firing is where a schedule stands between two looks at it.
type firing struct {
	// next is the next fire time; zero if there is none.
	next time.Time
	// heldFor is a fire time that came and did not start yet, heldBy what held it,
	// and heldUntil when that is over, if that is known.
	heldFor, heldUntil time.Time
	heldBy             string
	caughtUp           bool // the held fire time had been missed
	// missed are the fire times that got no run, since the last one.
	missed int
}

// What holds a fire time.
const (
	ByWindow  = "window"
	ByOverlap = "overlap"
)

// take moves the fire times up to now from what comes to what is held, which is one
// at most: the last that may be made up for stands for all before it.
func (f firing) take(p plan, now time.Time) firing {
	f = f.expire(p, now)
	if f.next.IsZero() || f.next.After(now) {
		return f
	}
	last, count := p.passed(f.next, now)
	f.next = p.next(now)
	switch {
	case !f.heldFor.IsZero():
		f.missed += count
	case p.lapsed(last, now):
		f.missed += count
	default:
		f.heldFor, f.caughtUp = last, now.Sub(last) > punctual
		f.missed += count - 1
	}
	return f
}

// expire drops what is held if it may start no longer: the dates forbid it, or nobody
// was there when its hold ended. It is late from then on only: until then it waited, as
// somebody wanted.
func (f firing) expire(p plan, now time.Time) firing {
	if f.heldFor.IsZero() {
		return f
	}
	due := now // what holds it still may find now that it does so no longer
	if !f.heldUntil.IsZero() && f.heldUntil.Before(now) {
		due = f.heldUntil
	}
	if !p.allows(due) || p.lapsed(due, now) {
		return f.dropped()
	}
	f.caughtUp = f.caughtUp || now.Sub(due) > punctual
	return f
}

// lost tells whether fire times were missed by what was taken because nobody was there, or
// because what was held could not start in time. Those that came in time and found one
// held already are none: a window or overlap was meant to make one run of them.
func (f firing) lost(taken firing, now time.Time) bool {
	expired := !f.heldFor.IsZero() && !taken.heldFor.Equal(f.heldFor)
	return taken.missed > f.missed && (expired || now.Sub(f.next) > punctual)
}

// started is what is left when the held fire time has become a run.
func (f firing) started() firing { return firing{next: f.next} }

// dropped is what is left when it becomes none.
func (f firing) dropped() firing { return firing{next: f.next, missed: f.missed + 1} }

// rewound returns the next fire time of a schedule whose clock was set back, so that
// it does not wait for the clock to catch up with itself. A rhythm goes on at once.
// A time of the day that comes again has been fired already: it is left out, unless
// more than that would be.
func (p plan) rewound(next, now time.Time) time.Time {
	first := p.next(now)
	if first.IsZero() || !first.Before(next) {
		return next
	}
	if p.Rhythm() || p.next(first).Before(next) {
		return first
	}
	return next
}
