package auth

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// EndAgent ends the credentials of a node's agent.
func (s *Service) EndAgent(ctx context.Context, tx *db.Tx, node string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE node_id = $1`, node); err != nil {
		return fmt.Errorf("end credentials of node %s: %w", node, err)
	}
	return nil
}
