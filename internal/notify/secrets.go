package notify

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// Unopened is an integration whose secrets cannot be opened, so that nothing can be
// sent to it.
type Unopened struct {
	Name string
	Why  error
}

// CheckSecrets opens all secrets, and returns the integrations of which that fails, by
// name.
func (s *Service) CheckSecrets(ctx context.Context) ([]Unopened, error) {
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, name, secrets FROM integration WHERE secrets <> '' ORDER BY name`)
	type row struct{ id, name, sealed string }
	all, err := db.All(rows, err, func(scan db.Scan) (r row, err error) { return r, scan(&r.id, &r.name, &r.sealed) })
	if err != nil {
		return nil, fmt.Errorf("read the secrets of integrations: %w", err)
	}
	var unopened []Unopened
	for _, r := range all {
		if _, err := s.reveal(r.id, r.sealed); err != nil {
			unopened = append(unopened, Unopened{r.name, err})
		}
	}
	return unopened, nil
}
