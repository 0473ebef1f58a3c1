package fleet

import "time"

// Sweep is what the loop does each time.
var Sweep = (*Service).sweep

// Gather says how long heartbeats are gathered.
func Gather(s *Service, d time.Duration) { s.beats.pause = d }

// TakesLines tells whether streams are taken over from their server by now.
func TakesLines(s *Service) bool {
	s.lines.mu.Lock()
	defer s.lines.mu.Unlock()
	return s.lines.open != nil
}

// Patience is how long one line may hold up the others.
const Patience = patience
