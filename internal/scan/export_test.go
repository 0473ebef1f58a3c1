package scan

import "context"

// MatchNext is one step of Run, so that tests say when it happens.
func (s *Service) MatchNext(ctx context.Context) (bool, error) { return s.matchNext(ctx) }
