package schedule_test

import (
	"slices"
	"testing"
	"time"

	"patrol/internal/platform/problem"
	"patrol/internal/schedule"
)

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func rules(t *testing.T, cron, zone string, o schedule.Options) schedule.Rules {
	t.Helper()
	r, err := schedule.RulesOf(schedule.Definition{Name: "test", Cron: cron, TimeZone: zone, Selector: "true", Options: o})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOptionsThatAreRefused(t *testing.T) {
	window := func(cron, duration, zone string) []schedule.Window { return []schedule.Window{{cron, duration, zone}} }
	for _, test := range []struct {
		field   string
		options schedule.Options
	}{
		{"overlap", schedule.Options{Overlap: "queue"}},
		{"catch_up_window", schedule.Options{CatchUpWindow: "a day"}},
		{"catch_up_window", schedule.Options{CatchUpWindow: "-1h"}},
		{"spread", schedule.Options{Spread: "1"}},
		{"spread", schedule.Options{Spread: "2h", RunTimeout: "1h"}},
		{"run_timeout", schedule.Options{RunTimeout: "5s"}},
		{"max_concurrent", schedule.Options{MaxConcurrent: -1}},
		{"per_label", schedule.Options{PerLabel: &schedule.PerLabel{Key: "zone"}}},
		{"per_label", schedule.Options{PerLabel: &schedule.PerLabel{Max: 1}}},
		{"ends_at", schedule.Options{StartsAt: noon, EndsAt: noon}},
		{"maintenance_windows[0].cron", schedule.Options{Windows: window("0 8 * *", "1h", "")}},
		{"maintenance_windows[0].duration", schedule.Options{Windows: window("0 8 * * *", "", "")}},
		{"maintenance_windows[0].duration", schedule.Options{Windows: window("0 8 * * *", "200h", "")}},
		{"maintenance_windows[0].time_zone", schedule.Options{Windows: window("0 8 * * *", "1h", "Mars/Olympus")}},
	} {
		_, err := schedule.RulesOf(schedule.Definition{Name: "test", Cron: "@daily", Selector: "true", Options: test.options})
		wantProblem(t, err, problem.KindInvalid, test.field)
	}
}

func TestDates(t *testing.T) {
	r := rules(t, "0 * * * *", "UTC", schedule.Options{StartsAt: noon.Add(3 * time.Hour), EndsAt: noon.Add(5 * time.Hour)})
	at := noon
	for _, want := range []time.Duration{3, 4, 5} { // both ends count
		if at = r.Next(at); !at.Equal(noon.Add(want * time.Hour)) {
			t.Errorf("fires at %v; want %v", at, noon.Add(want*time.Hour))
		}
	}
	if next := r.Next(at); !next.IsZero() {
		t.Errorf("fires at %v, after its end", next)
	}
}

// Every catch-up case: how late, how wide the window, what was missed.
func TestCatchUpCases(t *testing.T) {
	const hour, minute = time.Hour, time.Minute
	for name, test := range map[string]struct {
		cron, window string
		late         time.Duration // after 13:00, the first fire time
		held         time.Duration // after 13:00; -1 for none
		caughtUp     bool
		missed       int
		told         bool
	}{
		"in time":                     {"0 * * * *", "0s", 0, 0, false, 0, false},
		"a little late":               {"0 * * * *", "0s", minute, 0, false, 0, false},
		"away, no window":             {"0 * * * *", "0s", 2 * minute, -1, false, 1, true},
		"away, within it":             {"0 * * * *", "10m", 10 * minute, 0, true, 0, false},
		"away, beyond it":             {"0 * * * *", "10m", 11 * minute, -1, false, 1, true},
		"several, the last within it": {"0 * * * *", "10m", 3*hour + 5*minute, 3 * hour, true, 3, true},
		"several, the last in time":   {"0 * * * *", "0s", 3 * hour, 3 * hour, false, 3, true},
		"several, beyond it":          {"0 * * * *", "10m", 3*hour + 30*minute, -1, false, 4, true},
		"each second, for a moment":   {"* * * * * *", "0s", 5 * time.Second, 5 * time.Second, false, 5, false},
		"each second, for a month":    {"* * * * * *", "0s", 720 * hour, 720 * hour, false, 9999, true},
	} {
		r := rules(t, test.cron, "UTC", schedule.Options{CatchUpWindow: test.window})
		first := noon.Add(hour)
		got := r.Take(schedule.Held{}, first, first.Add(test.late))
		want := first.Add(test.held)
		if test.held < 0 {
			want = time.Time{}
		}
		if want := (schedule.Taken{Held: want, CaughtUp: test.caughtUp, Missed: test.missed, Told: test.told}); got != want {
			t.Errorf("%s: %+v; want %+v", name, got, want)
		}
	}
}

// The same of a schedule that holds 23:00, until 02:00 unless said otherwise: it is late
// from then on, and what came meanwhile is missed with it.
func TestCatchUpOfWhatIsHeld(t *testing.T) {
	const never, week = "0s", "168h"
	first := moment(t, "2026-05-01T23:00:00Z")
	for name, test := range map[string]struct {
		window, until, starts, ends, now string
		held                             string // empty for nothing
		caughtUp                         bool
		missed                           int
		told                             bool
	}{
		"in time":             {never, "", "", "", "2026-05-02T02:00:00Z", "2026-05-01T23:00:00Z", false, 0, false},
		"a little late":       {never, "", "", "", "2026-05-02T02:01:00Z", "2026-05-01T23:00:00Z", false, 0, false},
		"away, no window":     {never, "", "", "", "2026-05-02T02:02:00Z", "", false, 1, true},
		"away, within it":     {"10m", "", "", "", "2026-05-02T02:10:00Z", "2026-05-01T23:00:00Z", true, 0, false},
		"away, beyond it":     {"10m", "", "", "", "2026-05-02T02:11:00Z", "", false, 1, true},
		"days, no window":     {never, "", "", "", "2026-05-09T23:30:00Z", "", false, 9, true},
		"days, within it":     {week, "", "", "", "2026-05-04T10:00:00Z", "2026-05-01T23:00:00Z", true, 2, true},
		"days, beyond it":     {week, "", "", "", "2026-05-12T10:00:00Z", "2026-05-11T23:00:00Z", true, 10, true},
		"days, one in time":   {never, "", "", "", "2026-05-04T23:00:00Z", "2026-05-04T23:00:00Z", false, 3, true},
		"held still":          {never, "", "", "", "2026-05-02T01:00:00Z", "2026-05-01T23:00:00Z", false, 0, false},
		"another comes":       {never, "2026-05-03T12:00:00Z", "", "", "2026-05-02T23:00:00Z", "2026-05-01T23:00:00Z", false, 1, false},
		"until a run ends":    {never, "never", "", "", "2026-05-02T10:00:00Z", "2026-05-01T23:00:00Z", false, 0, false},
		"ends as the hold":    {never, "", "", "2026-05-02T02:00:00Z", "2026-05-02T02:00:30Z", "2026-05-01T23:00:00Z", false, 0, false},
		"ends before":         {week, "", "", "2026-05-02T01:00:00Z", "2026-05-02T02:00:00Z", "", false, 1, true},
		"ends before the run": {week, "never", "", "2026-05-02T01:00:00Z", "2026-05-02T10:00:00Z", "", false, 1, true},
		"ends, nobody there":  {week, "", "", "2026-05-02T03:00:00Z", "2026-05-02T04:00:00Z", "", false, 1, true},
		"starts later":        {week, "", "2026-05-03T00:00:00Z", "", "2026-05-02T02:00:00Z", "", false, 1, true},
	} {
		o := schedule.Options{CatchUpWindow: test.window}
		held := schedule.Held{For: first, By: schedule.ByWindow, Until: first.Add(3 * time.Hour)}
		switch test.until {
		case "":
		case "never":
			held.By, held.Until = schedule.ByOverlap, time.Time{}
		default:
			held.Until = moment(t, test.until)
		}
		if test.starts != "" {
			o.StartsAt = moment(t, test.starts)
		}
		if test.ends != "" {
			o.EndsAt = moment(t, test.ends)
		}
		want := time.Time{}
		if test.held != "" {
			want = moment(t, test.held)
		}
		r := rules(t, "0 23 * * *", "UTC", o)
		got := r.Take(held, r.Next(first), moment(t, test.now))
		if want := (schedule.Taken{Held: want, CaughtUp: test.caughtUp, Missed: test.missed, Told: test.told}); got != want {
			t.Errorf("%s: %+v; want %+v", name, got, want)
		}
	}
	// Nothing was held; its last fire time passed while nobody was there.
	r := rules(t, "0 23 * * *", "UTC", schedule.Options{EndsAt: first.Add(time.Hour)})
	for late, want := range map[time.Duration]time.Time{time.Hour: first, time.Hour + time.Minute: {}} {
		if got := r.Take(schedule.Held{}, first, first.Add(late)); !got.Held.Equal(want) {
			t.Errorf("%v late: %+v; want %v", late, got, want)
		}
	}
}

func TestWindows(t *testing.T) {
	night := schedule.Window{Cron: "0 22 * * *", Duration: "4h", TimeZone: "Europe/Berlin"} // 20:00 to 00:00 UTC in May
	follows := schedule.Window{Cron: "0 0 * * *", Duration: "30m", TimeZone: "UTC"}
	for name, test := range map[string]struct {
		windows  []schedule.Window
		at, want string
	}{
		"none":             {nil, "2026-05-01T21:00:00Z", "2026-05-01T21:00:00Z"},
		"before":           {[]schedule.Window{night}, "2026-05-01T19:59:59Z", "2026-05-01T19:59:59Z"},
		"at its beginning": {[]schedule.Window{night}, "2026-05-01T20:00:00Z", "2026-05-02T00:00:00Z"},
		"within":           {[]schedule.Window{night}, "2026-05-01T23:59:59Z", "2026-05-02T00:00:00Z"},
		"at its end":       {[]schedule.Window{night}, "2026-05-02T00:00:00Z", "2026-05-02T00:00:00Z"},
		"one after other":  {[]schedule.Window{night, follows}, "2026-05-01T21:00:00Z", "2026-05-02T00:30:00Z"},
		// 22:00 to 02:00 of the night in which Berlin's clocks skip an hour are four
		// hours still: 03:00 there.
		"across a clock change": {[]schedule.Window{night}, "2026-03-28T22:00:00Z", "2026-03-29T01:00:00Z"},
	} {
		r := rules(t, "0 * * * *", "UTC", schedule.Options{Windows: test.windows})
		if free := r.Free(moment(t, test.at)); !free.Equal(moment(t, test.want)) {
			t.Errorf("%s: free at %v; want %s", name, free, test.want)
		}
	}
	always := rules(t, "0 * * * *", "UTC", schedule.Options{Windows: []schedule.Window{{Cron: "* * * * *", Duration: "1h"}}})
	if free := always.Free(noon); !free.IsZero() {
		t.Errorf("a window that never ends ends at %v", free)
	}
	r := rules(t, "0 * * * *", "UTC", schedule.Options{Windows: []schedule.Window{{Cron: "30 13 * * *", Duration: "3h"}}})
	got := []string{}
	for _, at := range r.Upcoming(noon, 4) {
		got = append(got, at.Format("15:04"))
	}
	if want := []string{"13:00", "16:30", "17:00", "18:00"}; !slices.Equal(got, want) {
		t.Errorf("upcoming %v; want %v", got, want)
	}
	ends := rules(t, "0 * * * *", "UTC", schedule.Options{EndsAt: noon.Add(3 * time.Hour), Windows: []schedule.Window{{Cron: "30 13 * * *", Duration: "3h"}}})
	if got := ends.Upcoming(noon, 4); len(got) != 1 || !got[0].Equal(noon.Add(time.Hour)) {
		t.Errorf("upcoming %v; want 13:00 alone: the window lasts longer than the schedule", got)
	}
}

// A clock that is set back: rhythms go on at once, a time of the day that comes again
// does not fire again, and nothing waits for the clock to catch up with itself.
func TestRewound(t *testing.T) {
	for name, test := range map[string]struct{ cron, next, now, want string }{
		"a rhythm":              {"*/5 * * * *", "2026-05-01T13:05:00Z", "2026-05-01T12:02:00Z", "2026-05-01T12:05:00Z"},
		"an interval":           {"@every 10m", "2026-05-01T13:10:00Z", "2026-05-01T12:02:00Z", "2026-05-01T12:10:00Z"},
		"a time that has fired": {"30 12 * * *", "2026-05-02T12:30:00Z", "2026-05-01T11:45:00Z", "2026-05-02T12:30:00Z"},
		"a time to come":        {"30 14 * * *", "2026-05-01T14:30:00Z", "2026-05-01T12:00:00Z", "2026-05-01T14:30:00Z"},
		"set back by years":     {"30 12 * * *", "2030-05-02T12:30:00Z", "2026-05-01T11:45:00Z", "2026-05-01T12:30:00Z"},
	} {
		r := rules(t, test.cron, "UTC", schedule.Options{})
		if next := r.Rewound(moment(t, test.next), moment(t, test.now)); !next.Equal(moment(t, test.want)) {
			t.Errorf("%s: next at %v; want %s", name, next, test.want)
		}
	}
}
