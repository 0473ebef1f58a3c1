package fleet

import "time"

// Sweep is what the loop does each time.
var Sweep = (*Service).sweep

// Gather says how long heartbeats are gathered.
func Gather(s *Service, d time.Duration) { s.beats.pause = d }
