package scan

import (
	"context"

	"patrol/internal/platform/db"
)

// Retire cancels the unfinished scan of a node that is being retired.
func (s *Service) Retire(ctx context.Context, tx *db.Tx, node string) error {
	return s.cancelUnfinished(ctx, tx, node, "the node was retired")
}

// cancelUnfinished cancels the scan of a node that is not finished, if there is
// one.
func (s *Service) cancelUnfinished(ctx context.Context, tx *db.Tx, node, reason string) error {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM scan WHERE node_id = $1 AND state IN ('queued', 'collecting', 'matching')`, node)
	unfinished, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return err
	}
	for _, id := range unfinished {
		if _, err := s.end(ctx, tx, id, Cancelled, reason); err != nil {
			return err
		}
	}
	return nil
}
