package scan

import (
	"sync"
	"time"
)

// A fleet that is switched on arrives at once. Were all of it scanned at once, too,
// its agents would wait for the console, and then ask again: so the scans of arrival
// begin one after another.
const (
	// arrivalPace is how long after one host's scan the next one's begins.
	arrivalPace = 20 * time.Millisecond
	// arrivalBurst is how many begin without waiting.
	arrivalBurst = 100
)

// pace gives out times of beginning. It is this console's: another one has its own,
// and after a restart it begins anew.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// slot returns when the next may begin: now, until there were many.
func (p *pace) slot(now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if saved := now.Add(-arrivalBurst * arrivalPace); p.next.Before(saved) || p.next.After(now.Add(time.Hour)) {
		p.next = saved // also where a clock was set back
	}
	p.next = p.next.Add(arrivalPace)
	if p.next.Before(now) {
		return now
	}
	return p.next
}
