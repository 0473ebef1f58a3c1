package scan

import (
	"context"
	"time"
)

// MatchNext and RetryDue are one step each of Run, so that tests say when it happens.
func (s *Service) MatchNext(ctx context.Context) (bool, error) { return s.matchNext(ctx) }

func (s *Service) RetryDue(ctx context.Context) (time.Duration, error) { return s.retryDue(ctx) }
