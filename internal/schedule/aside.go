package schedule

import (
	"errors"
	"maps"
	"slices"
	"time"

	"patrol/internal/platform/lease"
)

// again is after how long a loop looks again when something failed.
const again = time.Second

// aside are schedules or runs, by their ids, that could not be gone on with. They
// rest, longer each time: so they neither hold up the others nor keep the database
// busy. It belongs to the loop that tries.
type aside map[string]failure

// failure is what became of one.
type failure struct {
	err          error
	times        int
	since, until time.Time
}

// rests tells whether it is too early to try one again. A clock that was set back ends
// the rest.
func (a aside) rests(id string, now time.Time) bool {
	f, ok := a[id]
	return ok && !now.Before(f.since) && now.Before(f.until)
}

// note takes how it went with one, at that time.
func (a aside) note(id string, err error, now time.Time) {
	if err == nil {
		delete(a, id)
		return
	}
	times := a[id].times + 1
	a[id] = failure{err, times, now, now.Add(min(lease.Backoff(times), glance))}
}

// keep forgets all but these.
func (a aside) keep(ids []string) {
	maps.DeleteFunc(a, func(id string, _ failure) bool { return !slices.Contains(ids, id) })
}

// err is why they failed, also those that rest; nil if there are none. What failed
// of the same is said once.
func (a aside) err() error {
	var all []error
	said := make(map[string]bool)
	for _, id := range slices.Sorted(maps.Keys(a)) {
		if err := a[id].err; !said[err.Error()] {
			said[err.Error()] = true
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
