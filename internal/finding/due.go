package finding

import (
	"context"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/risk"
)

// Due says within how many days of when it was opened an occurrence is to be
// resolved; 0 is no date.
type Due struct {
	Malicious int `json:"malicious_days" minimum:"0" maximum:"3650" doc:"A package that was made to harm."`
	Critical  int `json:"critical_days" minimum:"0" maximum:"3650"`
	High      int `json:"high_days" minimum:"0" maximum:"3650"`
	Medium    int `json:"medium_days" minimum:"0" maximum:"3650"`
	Low       int `json:"low_days" minimum:"0" maximum:"3650"`
	Unknown   int `json:"unknown_days" minimum:"0" maximum:"3650"`
	KEV       int `json:"kev_days" minimum:"0" maximum:"3650" doc:"What CISA lists as exploited, of any severity; the shorter of the two counts."`
}

// DefaultDue holds until an administrator sets something else. CISA's own catalogue
// gives most of what it lists two or three weeks.
var DefaultDue = Due{Malicious: 1, Critical: 7, High: 30, Medium: 90, Low: 180, Unknown: 90, KEV: 14}

// day is what ages and dates are counted in: those of UTC.
const day = 24 * time.Hour

// dayOf numbers the days from 1970.
func dayOf(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// dayAt is when a day begins.
func dayAt(number int64) time.Time { return time.Unix(number*int64(day/time.Second), 0).UTC() }

// days returns how many an occurrence has; false if it has no date.
func (d Due) days(severity risk.Severity, kev bool) (int64, bool) {
	days := map[risk.Severity]int{
		risk.Malicious: d.Malicious, risk.Critical: d.Critical, risk.High: d.High, risk.Medium: d.Medium, risk.Low: d.Low, risk.Unknown: d.Unknown,
	}[severity]
	if kev && d.KEV > 0 && (days == 0 || d.KEV < days) {
		days = d.KEV
	}
	return int64(days), days > 0
}

// at is when an occurrence is due: at the end of the last of its days. It is the zero
// time if it has no date.
func (d Due) at(severity risk.Severity, kev bool, opened time.Time) time.Time {
	days, ok := d.days(severity, kev)
	if !ok {
		return time.Time{}
	}
	return dayAt(dayOf(opened) + days + 1)
}

// openedBefore is the moment before which what is overdue now was opened.
func (d Due) openedBefore(severity risk.Severity, kev bool, now time.Time) (moment time.Time, ok bool) {
	days, ok := d.days(severity, kev)
	return dayAt(dayOf(now) - days), ok
}

// SetDue says where the due dates are set.
func (s *Service) SetDue(due func(context.Context) (Due, error)) { s.due = due }

// addTo counts occurrences of a severity.
func addTo(counts *fleet.Counts, severity risk.Severity, n int) {
	switch severity {
	case risk.Malicious:
		counts.Malicious += n
	case risk.Critical:
		counts.Critical += n
	case risk.High:
		counts.High += n
	case risk.Medium:
		counts.Medium += n
	case risk.Low:
		counts.Low += n
	default:
		counts.Unknown += n
	}
}
