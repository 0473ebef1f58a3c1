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

// sealedRow is an integration that has secrets.
type sealedRow struct{ id, name, sealed string }

func sealedRows(ctx context.Context, q db.Querier) ([]sealedRow, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, name, secrets FROM integration WHERE secrets <> '' ORDER BY name`)
	all, err := db.All(rows, err, func(scan db.Scan) (r sealedRow, err error) { return r, scan(&r.id, &r.name, &r.sealed) })
	if err != nil {
		return nil, fmt.Errorf("read the secrets of integrations: %w", err)
	}
	return all, nil
}

// CheckSecrets opens all secrets, and returns the integrations of which that fails, by
// name.
func (s *Service) CheckSecrets(ctx context.Context) ([]Unopened, error) {
	all, err := sealedRows(ctx, s.db.Read())
	if err != nil {
		return nil, err
	}
	var unopened []Unopened
	for _, r := range all {
		if _, err := s.reveal(r.id, r.sealed); err != nil {
			unopened = append(unopened, Unopened{r.name, err})
		}
	}
	return unopened, nil
}
