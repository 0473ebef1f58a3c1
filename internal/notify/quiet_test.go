package notify_test

import (
	"testing"
	"time"

	"patrol/internal/notify"
)

func TestQuiet(t *testing.T) {
	night := notify.Quiet{From: "22:00", To: "07:00"}
	for name, c := range map[string]struct {
		zone  string
		quiet []notify.Quiet
		at    string
		want  string
	}{
		"none":                     {"UTC", nil, "2026-05-01T23:00:00Z", "2026-05-01T23:00:00Z"},
		"before it begins":         {"UTC", []notify.Quiet{night}, "2026-05-01T21:59:59Z", "2026-05-01T21:59:59Z"},
		"when it begins":           {"UTC", []notify.Quiet{night}, "2026-05-01T22:00:00Z", "2026-05-02T07:00:00Z"},
		"after midnight":           {"UTC", []notify.Quiet{night}, "2026-05-02T06:59:59Z", "2026-05-02T07:00:00Z"},
		"when it ends":             {"UTC", []notify.Quiet{night}, "2026-05-02T07:00:00Z", "2026-05-02T07:00:00Z"},
		"in another zone":          {"Asia/Tokyo", []notify.Quiet{night}, "2026-05-01T13:00:00Z", "2026-05-01T22:00:00Z"},
		"within a day":             {"UTC", []notify.Quiet{{From: "12:00", To: "13:00"}}, "2026-05-01T12:30:00Z", "2026-05-01T13:00:00Z"},
		"begins on another day":    {"UTC", []notify.Quiet{{Days: []string{"sat"}, From: "22:00", To: "07:00"}}, "2026-05-01T23:00:00Z", "2026-05-01T23:00:00Z"}, // a Friday
		"began on such a day":      {"UTC", []notify.Quiet{{Days: []string{"fri"}, From: "22:00", To: "07:00"}}, "2026-05-02T06:00:00Z", "2026-05-02T07:00:00Z"},
		"the weekend":              {"UTC", []notify.Quiet{{Days: []string{"SAT", "sun"}, From: "00:00", To: "00:00"}}, "2026-05-02T10:00:00Z", "2026-05-04T00:00:00Z"},
		"those that touch":         {"UTC", []notify.Quiet{{From: "20:00", To: "22:00"}, night, {From: "07:00", To: "08:00"}}, "2026-05-01T21:00:00Z", "2026-05-02T08:00:00Z"},
		"always":                   {"UTC", []notify.Quiet{{From: "00:00", To: "00:00"}}, "2026-05-01T12:00:00Z", "2026-05-15T00:00:00Z"}, // given up after two weeks
		"the night summer begins":  {"Europe/Berlin", []notify.Quiet{night}, "2026-03-28T22:00:00Z", "2026-03-29T05:00:00Z"},              // 23:00 to 07:00, seven hours
		"the night winter begins":  {"Europe/Berlin", []notify.Quiet{night}, "2026-10-24T21:00:00Z", "2026-10-25T06:00:00Z"},              // 23:00 to 07:00, nine hours
		"ends in no hour":          {"Europe/Berlin", []notify.Quiet{{From: "01:00", To: "02:30"}}, "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
		"ends where an hour comes": {"Europe/Berlin", []notify.Quiet{{From: "01:00", To: "04:00"}}, "2026-10-25T01:30:00Z", "2026-10-25T03:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := notify.Loud(c.quiet, zone, at)
		if err != nil || got.UTC().Format(time.RFC3339) != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got.UTC().Format(time.RFC3339), err, c.want)
		}
	}
}
