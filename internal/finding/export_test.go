package finding

import (
	"context"
	"time"
)

// Attend does what Run does each time, and returns when to look again.
func (s *Service) Attend(ctx context.Context, ahead time.Duration) (time.Duration, error) {
	return s.attend(ctx, func(context.Context) (time.Duration, error) { return ahead, nil })
}

// Many says how many open occurrences are too many to be counted at once.
func (s *Service) Many(n int) { s.many = n }
