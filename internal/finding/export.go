package finding

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"patrol/internal/openvex"
	"patrol/internal/platform/db"
)

// Export writes the decisions that hold as one OpenVEX document, oldest first.
// Importing it gives the same decisions. Its id is one of its statements, so the
// same decisions are the same document.
func (s *Service) Export(ctx context.Context) (*openvex.Document, error) {
	rows, err := s.db.Read().QueryContext(ctx, selectDecisions(``)+` WHERE d.expired_at IS NULL ORDER BY d.id`)
	decisions, err := db.All(rows, err, readDecision)
	if err != nil {
		return nil, fmt.Errorf("export decisions: %w", err)
	}
	statements := make([]*openvex.Statement, len(decisions))
	for i, d := range decisions {
		statements[i] = d.statement()
	}
	content, err := db.ToJSON(statements)
	if err != nil {
		return nil, err
	}
	return &openvex.Document{
		Context: openvex.Context, ID: "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceURL, []byte(content)).String(),
		Author: "Patrol", Role: "Vulnerability management", Timestamp: s.now().UTC().Format(time.RFC3339), Version: 1, Tooling: "patrol",
		Statements: statements,
	}, nil
}
