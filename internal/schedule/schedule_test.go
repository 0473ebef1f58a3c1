package schedule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/problem"
	"patrol/internal/schedule"
)

func TestCronExpressions(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i, test := range []struct{ cron, zone, field, says string }{
			{"0 0 * * 0", "UTC", "", ""},
			{"*/15 9-17 * * MON-FRI", "Europe/Berlin", "", ""},
			{"30 0 0 * * *", "UTC", "", ""}, // six fields: seconds first
			{"0 0 ? * SUN", "UTC", "", ""},
			{"0 0 29 2 *", "UTC", "", ""},
			{"@daily", "America/New_York", "", ""},
			{"@weekly", "UTC", "", ""},
			{"@every 90m", "UTC", "", ""},
			{"0 0 * * 0", "", "", ""}, // UTC unless said otherwise

			{"", "UTC", "cron", "empty"},
			{"0 0 * *", "UTC", "cron", "fields"},
			{"0 0 0 0 * * *", "UTC", "cron", "fields"},
			{"60 0 * * *", "UTC", "cron", "60"},
			{"0 24 * * *", "UTC", "cron", "24"},
			{"0 0 * * 8", "UTC", "cron", "8"},
			{"0 0 0 * *", "UTC", "cron", "0"},
			{"0 0 5-1 * *", "UTC", "cron", "beyond"},
			{"every day", "UTC", "cron", "fields"},
			{"@fortnightly", "UTC", "cron", "descriptor"},
			{"@every soon", "UTC", "cron", "duration"},
			{"@reboot", "UTC", "cron", "descriptor"},
			{"CRON_TZ=Europe/Berlin 0 0 * * *", "UTC", "cron", "time_zone"},
			{"TZ=Europe/Berlin 0 0 * * *", "UTC", "cron", "time_zone"},
			{"0 0 30 2 *", "UTC", "cron", "never fires"},
			{"0 0 31 4,6,9,11 *", "UTC", "cron", "never fires"},
			{"0 0 * * *", "Mars/Olympus", "time_zone", "IANA"},
			{"0 0 * * *", "Local", "time_zone", "IANA"},
			{"0 0 * * *", "../etc/passwd", "time_zone", "IANA"},
		} {
			d := hourly(fmt.Sprint(i))
			d.Cron, d.TimeZone = test.cron, test.zone
			s, err := h.Create(t.Context(), d)
			if test.field == "" {
				if err != nil || s.NextFireAt.Before(noon) || s.TimeZone == "" {
					t.Errorf("%q in %q: %+v, %v", test.cron, test.zone, s, err)
				}
				continue
			}
			if p := wantProblem(t, err, problem.KindInvalid, test.field); !strings.Contains(p.Detail, test.says) {
				t.Errorf("%q in %q: %v; want it to say %q", test.cron, test.zone, err, test.says)
			}
		}
	})
}

func TestDefinitionsThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.create(hourly("taken"))
		for field, change := range map[string]func(*schedule.Definition){
			"name":     func(d *schedule.Definition) { d.Name = "  " },
			"selector": func(d *schedule.Definition) { d.Selector = `node.kind == ` },
		} {
			d := hourly("new")
			change(&d)
			_, err := h.Create(t.Context(), d)
			p := wantProblem(t, err, problem.KindInvalid, field)
			if field == "selector" && !strings.Contains(p.Detail, "1:14") {
				t.Errorf("error %v does not say where", err)
			}
		}
		_, err := h.Create(t.Context(), hourly("taken"))
		wantProblem(t, err, problem.KindConflict, "")
		if n := len(h.list()); n != 1 {
			t.Errorf("%d schedules; want 1", n)
		}
	})
}

// Berlin's clocks go from 02:00 to 03:00 on 29 March 2026 and from 03:00 to
// 02:00 on 25 October.
func TestNextAcrossClockChanges(t *testing.T) {
	for _, test := range []struct {
		cron, after string
		want        []string
	}{
		{"0 4 * * *", "2026-03-28T12:00:00Z", []string{"2026-03-29T02:00:00Z", "2026-03-30T02:00:00Z"}},
		{"0 4 * * *", "2026-10-24T12:00:00Z", []string{"2026-10-25T03:00:00Z", "2026-10-26T03:00:00Z"}},
		{"0 0 * * 0", "2026-03-28T12:00:00Z", []string{"2026-03-28T23:00:00Z", "2026-04-04T22:00:00Z"}},
		{"0 * * * *", "2026-03-28T23:30:00Z", []string{"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
		{"0 * * * *", "2026-10-24T23:30:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		{"@every 1h", "2026-10-24T23:30:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}},
		// 02:30 does not exist on the one day, and exists twice on the other.
		{"30 2 * * *", "2026-03-28T12:00:00Z", []string{"2026-03-30T00:30:00Z"}},
		{"30 2 * * *", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"}},
	} {
		moment, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			next, err := schedule.Next(test.cron, "Europe/Berlin", moment)
			if err != nil || next.Format(time.RFC3339) != want {
				t.Errorf("%q after %v: %v, %v; want %s", test.cron, moment, next, err, want)
			}
			moment = next
		}
	}
}
