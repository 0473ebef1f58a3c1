package fleet

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// indexLabels writes a node's labels as lists filter by them, if they have changed.
func indexLabels(ctx context.Context, tx *db.Tx, node string, labels map[string]string) error {
	rows, err := tx.QueryContext(ctx, `SELECT key, value FROM node_label WHERE node_id = $1`, node)
	if err != nil {
		return err
	}
	kept := make(map[string]string)
	err = db.Each(rows, func(scan db.Scan) error {
		var key, value string
		err := scan(&key, &value)
		kept[key] = value
		return err
	})
	if err != nil || maps.Equal(kept, labels) {
		return err
	}
	list := [][2]string{}
	for key, value := range labels {
		list = append(list, [2]string{key, value})
	}
	text, err := db.ToJSON(list)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM node_label WHERE node_id = $1`, node); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO node_label (node_id, key, value) SELECT $2, value->>0, value->>1 FROM json_each($1) AS j`, text, node)
	if err != nil {
		return fmt.Errorf("keep the labels of node %s: %w", node, err)
	}
	return nil
}

// splitLabel reads "env=production".
func splitLabel(text string) (key, value string, err error) {
	key, value, found := strings.Cut(text, "=")
	if !found || key == "" {
		return "", "", problem.Invalid("label", "%q is no label such as env=production", text)
	}
	return key, value, nil
}
