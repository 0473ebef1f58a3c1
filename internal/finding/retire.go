package finding

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// Retire resolves what is open on a node that is being retired. If the node comes
// back, its next scan opens what is still there.
func (s *Service) Retire(ctx context.Context, tx *db.Tx, node string) error {
	err := countNode(ctx, tx, node, func() error {
		_, err := tx.ExecContext(ctx, `UPDATE occurrence SET state = '`+Resolved+`', resolved_at = $2, resolved_because = '`+Retired+`'
			WHERE node_number = `+NumberOf(`$1`)+` AND resolved_at IS NULL`, node, s.now().UnixMicro())
		return err
	})
	if err == nil {
		err = hold(ctx, tx, node, 0)
	}
	if err == nil {
		err = noteUnseen(ctx, tx, node, nil)
	}
	if err != nil {
		return fmt.Errorf("resolve occurrences of node %s: %w", node, err)
	}
	return nil
}
