package schedule_test

import (
	"fmt"
	"strings"
	"testing"

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
			{"60 0 * * *", "UTC", "cron", "field 1 (minute)"},
			{"0 24 * * *", "UTC", "cron", "field 2 (hour)"},
			{"0 0 0 1 13 *", "UTC", "cron", "field 5 (month)"},
			{"0 0 * * 8", "UTC", "cron", "field 5 (day of week)"},
			{"0 0 0 * *", "UTC", "cron", "0"},
			{"0 0 5-1 * *", "UTC", "cron", "beyond"},
			{"every day", "UTC", "cron", "fields"},
			{"@fortnightly", "UTC", "cron", "descriptor"},
			{"@every 500ms", "UTC", "cron", "whole number of seconds"},
			{"@every -5m", "UTC", "cron", "whole number of seconds"},
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
