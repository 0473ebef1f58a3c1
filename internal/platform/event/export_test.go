package event

import "time"

// SetPace makes streams look, speak and lose patience after these times.
func (l *Log) SetPace(poll, heartbeat, patience time.Duration) {
	l.pace = pace{poll, heartbeat, patience}
}
