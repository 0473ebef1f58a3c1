package finding

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// What an occurrence costs is its indexes, so these know nodes and packages by short
// numbers. A node has one from its first scan on, a package once something is found in
// it.

// NumberOf is the number of a node, which is a parameter.
func NumberOf(node string) string {
	return `(SELECT number FROM node_number WHERE node_id = ` + node + `)`
}

// amongNumbers is the condition that an occurrence is on a node of a list, which
// travels as a parameter.
func amongNumbers(parameter string) string {
	return `node_number IN (SELECT number FROM node_number WHERE node_id ` + db.Among(parameter) + `)`
}

// numberNode gives a node its number if it has none.
func numberNode(ctx context.Context, tx *db.Tx, node string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO node_number (node_id) SELECT CAST($1 AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM node_number WHERE node_id = $1)`, node)
	if err != nil {
		return fmt.Errorf("number node %s: %w", node, err)
	}
	return nil
}

// numberPackages gives the packages of findings, which travel as JSON, theirs.
func numberPackages(ctx context.Context, tx *db.Tx, findings string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO package_number (package, ecosystem)
		SELECT DISTINCT value->>'package', value->>'ecosystem' FROM json_each($1) AS j WHERE TRUE ORDER BY 1, 2
		ON CONFLICT (package, ecosystem) DO NOTHING`, findings)
	if err != nil {
		return fmt.Errorf("number packages: %w", err)
	}
	return nil
}
