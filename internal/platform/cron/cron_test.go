package cron_test

import (
	"testing"
	"time"

	"patrol/internal/platform/cron"
)

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func timing(t *testing.T, expression, zone string) func(time.Time) time.Time {
	t.Helper()
	parsed, err := cron.Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Next
}

// Berlin's clocks go from 02:00 to 03:00 on 29 March 2026 and from 03:00 to 02:00 on
// 25 October. Lord Howe's move by half an hour; São Paulo's skipped midnight; Apia
// left out the whole of 30 December 2011.
func TestNextAcrossClockChanges(t *testing.T) {
	for _, test := range []struct {
		cron, zone, after string
		want              []string
	}{
		{"0 4 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T02:00:00Z", "2026-03-30T02:00:00Z"}},
		{"0 4 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T03:00:00Z", "2026-10-26T03:00:00Z"}},
		{"0 0 * * 0", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-28T23:00:00Z", "2026-04-04T22:00:00Z"}},
		// A rhythm goes on.
		{"0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", []string{"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		{"30 * * * *", "Europe/Berlin", "2026-03-28T23:45:00Z", []string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"}},
		{"0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		{"*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
		{"@every 1h", "Europe/Berlin", "2026-10-24T23:30:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"}},
		{"@every 90m", "Europe/Berlin", "2026-10-24T23:30:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T01:30:00Z"}},
		// 02:30 does not exist on the one day, and exists twice on the other.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		// All that the gap swallows is one fire time, and so is what follows at its end.
		{"*/10 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"30 2 29 3 *", "Europe/Berlin", "2026-01-01T00:00:00Z", []string{"2026-03-29T01:00:00Z", "2027-03-29T00:30:00Z"}},
		{"*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"}},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", []string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		{"45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", []string{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", []string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		{"@daily", "America/Sao_Paulo", "2018-02-17T12:00:00Z", []string{"2018-02-18T03:00:00Z", "2018-02-19T03:00:00Z"}},
		{"0 4 * * *", "Pacific/Apia", "2011-12-29T16:00:00Z", []string{"2011-12-30T10:00:00Z", "2011-12-30T14:00:00Z", "2011-12-31T14:00:00Z"}},
		{"30 0 0 * * *", "UTC", "2026-01-01T00:00:30Z", []string{"2026-01-02T00:00:30Z"}},
		{"0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
	} {
		next := timing(t, test.cron, test.zone)
		at := moment(t, test.after)
		for _, want := range test.want {
			fire := next(at)
			if fire.Format(time.RFC3339) != want {
				t.Errorf("%q in %s after %v: %v; want %s", test.cron, test.zone, at, fire, want)
			}
			at = fire
		}
	}
}

// reading is what a wall clock shows.
type reading struct {
	month, day, weekday, hour, minute int
}

// expressions are cron's, and the same said in Go.
var expressions = []struct {
	cron    string
	hourly  bool
	matches func(reading) bool
}{
	{"30 2 * * *", false, func(r reading) bool { return r.minute == 30 && r.hour == 2 }},
	{"0 0 * * *", false, func(r reading) bool { return r.minute == 0 && r.hour == 0 }},
	{"*/20 1-3 * * *", false, func(r reading) bool { return r.minute%20 == 0 && r.hour >= 1 && r.hour <= 3 }},
	{"45 1 * 3,10 0", false, func(r reading) bool {
		return r.minute == 45 && r.hour == 1 && (r.month == 3 || r.month == 10) && r.weekday == 0
	}},
	{"15 */2 * * *", false, func(r reading) bool { return r.minute == 15 && r.hour%2 == 0 }},
	{"0 2 13 * 5", false, func(r reading) bool { return r.minute == 0 && r.hour == 2 && (r.day == 13 || r.weekday == 5) }},
	{"7 * * * *", true, func(r reading) bool { return r.minute == 7 }},
	{"*/15 * 1 * *", true, func(r reading) bool { return r.minute%15 == 0 && r.day == 1 }},
	{"0 0-23 * * 1-5", true, func(r reading) bool { return r.minute == 0 && r.weekday >= 1 && r.weekday <= 5 }},
}

// Ten years of fire times equal what a watchman would note who looks at the wall
// clock each minute: he knows neither the zone's rules nor how cron is computed. If
// the clock jumped since his last look, he goes through what it left out; if it shows
// what it has shown before, he minds rhythms alone.
func TestTenYears(t *testing.T) {
	for zone, from := range map[string]string{
		"Europe/Berlin": "2021-01-01T00:00:00Z", "America/New_York": "2021-01-01T00:00:00Z", "Australia/Lord_Howe": "2021-01-01T00:00:00Z",
		"UTC": "2021-01-01T00:00:00Z", "Asia/Kathmandu": "2021-01-01T00:00:00Z", "America/Sao_Paulo": "2010-01-01T00:00:00Z",
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			location, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			start := moment(t, from)
			end := start.AddDate(10, 0, 0)
			noted := watch(location, start, end)
			total := 0
			for i, expression := range expressions {
				next := timing(t, expression.cron, zone)
				at := start.Add(-time.Second)
				for _, want := range noted[i] {
					fire := next(at)
					if fire.Unix() != want {
						t.Fatalf("%q after %v: %v; want %v", expression.cron, at, fire, time.Unix(want, 0).UTC())
					}
					at = fire
				}
				if fire := next(at); fire.Before(end) {
					t.Errorf("%q after %v: %v; want none before %v", expression.cron, at, fire, end)
				}
				total += len(noted[i])
			}
			t.Logf("%d fire times of %d expressions", total, len(expressions))
		})
	}
}

// watch returns when each expression fires, by looking at the clock each minute.
func watch(zone *time.Location, start, end time.Time) [][]int64 {
	noted := make([][]int64, len(expressions))
	shown := func(at int64) int64 { // in minutes
		_, offset := time.Unix(at, 0).In(zone).Zone()
		return (at + int64(offset)) / 60
	}
	var calendar calendar
	last := shown(start.Unix() - 60)
	highest := last
	for at := start.Unix(); at < end.Unix(); at += 60 {
		now := shown(at)
		is := calendar.read(now)
		for i, e := range expressions {
			fires := e.matches(is) && (e.hourly || now > highest)
			for skipped := last + 1; skipped < now && !e.hourly && !fires; skipped++ {
				fires = skipped > highest && e.matches(calendar.read(skipped))
			}
			if fires {
				noted[i] = append(noted[i], at)
			}
		}
		last, highest = now, max(highest, now)
	}
	return noted
}

// calendar knows today's date, which a wall clock shows more often than once.
type calendar struct {
	today int64
	date  reading
}

func (c *calendar) read(minutes int64) reading {
	const day = 24 * 60
	if today := minutes / day; today != c.today {
		t := time.Unix(minutes*60, 0).UTC()
		c.today, c.date = today, reading{month: int(t.Month()), day: t.Day(), weekday: int(t.Weekday())}
	}
	is := c.date
	is.hour, is.minute = int(minutes%day/60), int(minutes%60)
	return is
}
