package notify

import (
	"slices"
	"strings"
	"time"

	"patrol/internal/platform/problem"
)

// Quiet is a time of the day in which nothing is sent, on some days of the week.
type Quiet struct {
	Days []string `json:"days,omitempty" nullable:"false" enum:"mon,tue,wed,thu,fri,sat,sun" doc:"On which it begins; all days if there are none."`
	From string   `json:"from" example:"22:00"`
	To   string   `json:"to" example:"07:00" doc:"On the next day, if it is not after from."`
}

// quiet is one, ready to be asked. Minutes are counted from midnight.
type quiet struct {
	days     [7]bool
	from, to int
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

const minutesOfDay = 24 * 60

func (q Quiet) parse(within string) (out quiet, err error) {
	if out.from, err = minutes(within+".from", q.From); err != nil {
		return out, err
	}
	if out.to, err = minutes(within+".to", q.To); err != nil {
		return out, err
	}
	if out.to <= out.from {
		out.to += minutesOfDay
	}
	for _, day := range q.Days {
		i := slices.Index(weekdays, strings.ToLower(day))
		if i < 0 {
			return out, problem.Invalid(within+".days", "%q is none of mon, tue, wed, thu, fri, sat, sun", day)
		}
		out.days[i] = true
	}
	if len(q.Days) == 0 {
		out.days = [7]bool{true, true, true, true, true, true, true}
	}
	return out, nil
}

func minutes(field, text string) (int, error) {
	at, err := time.Parse("15:04", text)
	if err != nil {
		return 0, problem.Invalid(field, "%q is no time of the day such as 22:00", text)
	}
	return at.Hour()*60 + at.Minute(), nil
}

// loud returns the first moment, at or after one, at which none of them is: times
// that touch or overlap count as one. It gives up after two weeks, for all hours of
// all days may be quiet.
func loud(all []quiet, zone *time.Location, at time.Time) time.Time {
	limit := at.AddDate(0, 0, 14)
	for end := at; ; {
		next := end
		for _, q := range all {
			if until := q.until(zone, end); until.After(next) {
				next = until
			}
		}
		if next.Equal(end) || next.After(limit) {
			return end
		}
		end = next
	}
}

// until is when it ends that is quiet at a moment; zero if it is not.
func (q quiet) until(zone *time.Location, at time.Time) time.Time {
	local := at.In(zone)
	for back := range 2 { // it began today or yesterday
		y, m, d := local.AddDate(0, 0, -back).Date()
		if !q.days[time.Date(y, m, d, 12, 0, 0, 0, zone).Weekday()] {
			continue
		}
		// As the wall clock shows it: a night in which clocks change is an hour shorter.
		from := time.Date(y, m, d, 0, q.from, 0, 0, zone)
		to := time.Date(y, m, d, 0, q.to, 0, 0, zone)
		if !at.Before(from) && at.Before(to) {
			return to.UTC()
		}
	}
	return time.Time{}
}
