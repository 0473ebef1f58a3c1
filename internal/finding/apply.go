package finding

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
)

// reconsider applies the decisions about vulnerabilities to their occurrences.
func reconsider(ctx context.Context, tx *db.Tx, vulnerabilities ...string) error {
	names, err := db.Column(vulnerabilities)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT id FROM vulnerability WHERE name `+db.Among(`$1`), names)
	ids, err := db.All(rows, err, db.Value[int64])
	if err != nil {
		return err
	}
	list, err := db.Column(ids)
	if err != nil {
		return err
	}
	// None, if it is not found anywhere yet.
	return countVulnerabilities(ctx, tx, ids, func() error {
		return apply(ctx, tx, `o.vulnerability_id `+db.AmongIDs, list)
	})
}

// meansOccurrence holds for a decision d that is about an occurrence o of the
// vulnerability v, whatever component d may name.
const meansOccurrence = `d.expired_at IS NULL AND d.vulnerability = v.name AND d.package IN ('', o.package) AND d.node_id IN ('', o.node_id)
	AND (d.selector = '' OR EXISTS (SELECT 1 FROM decision_node AS m WHERE m.decision_id = d.id AND m.node_id = o.node_id))`

// decidedBy is the decision by which an occurrence o does not count, if by one: the
// first of several. Those that name a component say nothing of others, so an
// occurrence does not count only when each component that it is about is named by
// one: those that the node's result says are affected, and those that its last scan
// could not look at.
const decidedBy = `COALESCE(
	(SELECT min(d.id) FROM decision AS d WHERE d.component = '' AND ` + meansOccurrence + `),
	CASE WHEN EXISTS (SELECT 1 FROM decision AS d WHERE d.component <> '' AND ` + meansOccurrence + `) THEN (
		SELECT CASE WHEN count(*) = count(decision_id) THEN min(decision_id) END FROM (
			SELECT (SELECT min(d.id) FROM decision AS d WHERE d.component <> '' AND ` + meansOccurrence + ` AND ` + meansComponent + `) AS decision_id
			FROM finding AS f JOIN component AS c ON c.id = f.component_id
			WHERE f.vulnerability_id = o.vulnerability_id AND f.ecosystem = o.ecosystem AND f.package = o.package
			  AND (EXISTS (SELECT 1 FROM node_result AS h JOIN result_finding AS r ON r.result_id = h.result_id WHERE h.node_id = o.node_id AND r.finding_id = f.id)
			    OR EXISTS (SELECT 1 FROM unseen_component AS u WHERE u.node_id = o.node_id AND u.component_id = f.component_id))) AS named) END)`

// apply says of occurrences by which decision they do not count.
func apply(ctx context.Context, tx *db.Tx, which string, arg any) error {
	_, err := tx.ExecContext(ctx, `UPDATE occurrence SET decision_id = e.decision_id, state = CASE WHEN e.decision_id IS NULL THEN 'open' ELSE 'decided' END
		FROM (SELECT o.id AS id, `+decidedBy+` AS decision_id
			FROM occurrence AS o JOIN vulnerability AS v ON v.id = o.vulnerability_id
			WHERE o.resolved_at IS NULL AND o.state IN ('open', 'decided') AND `+which+`) AS e
		WHERE occurrence.id = e.id AND occurrence.decision_id IS DISTINCT FROM e.decision_id`, arg)
	if err != nil {
		return fmt.Errorf("apply decisions: %w", err)
	}
	return nil
}

// selectFor keeps whom the selector of a decision means.
func selectFor(ctx context.Context, tx *db.Tx, id string, nodes []string) error {
	list, err := db.Column(nodes)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO decision_node (decision_id, node_id) SELECT $2, value->>0 FROM json_each($1) AS j`, list, id)
	return err
}

// applyTo applies the decisions to a node's occurrences. Its labels may have
// changed, and with them what selectors mean.
func (s *Service) applyTo(ctx context.Context, tx *db.Tx, node string) error {
	meant, err := s.meaning(ctx, tx, node, tx.AfterCommit)
	if err != nil {
		return err
	}
	kept, err := keptFor(ctx, tx, node)
	if err != nil {
		return err
	}
	if !slices.Equal(meant, kept) {
		if err := keepFor(ctx, tx, node, meant); err != nil {
			return err
		}
		if err := s.tellDecided(ctx, tx, node, append(meant, kept...)); err != nil {
			return err
		}
	}
	return apply(ctx, tx, `o.node_number = `+NumberOf(`$1`), node)
}

// tellDecided says of which vulnerabilities the decisions about a node may have changed.
func (s *Service) tellDecided(ctx context.Context, tx *db.Tx, node string, decisions []string) error {
	list, err := db.Column(decisions)
	if err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT vulnerability FROM decision WHERE id `+db.Among(`$1`)+` ORDER BY vulnerability LIMIT 1000`, list)
	vulnerabilities, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return fmt.Errorf("read the decisions about node %s: %w", node, err)
	}
	return event.AppendTo(ctx, tx, s.now(), event.Of(node), "node.decided", node, map[string][]string{"vulnerabilities": vulnerabilities})
}

// keepFor keeps which decisions have selectors that mean a node.
func keepFor(ctx context.Context, tx *db.Tx, node string, decisions []string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM decision_node WHERE node_id = $1`, node); err != nil {
		return err
	}
	list, err := db.Column(decisions)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO decision_node (decision_id, node_id) SELECT value->>0, $2 FROM json_each($1) AS j`, list, node)
	return err
}

// keptFor returns the decisions that hold and whose selectors meant a node when they
// were last asked, by id.
func keptFor(ctx context.Context, q db.Querier, node string) ([]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT m.decision_id FROM decision_node AS m JOIN decision AS d ON d.id = m.decision_id
		WHERE m.node_id = $1 AND d.expired_at IS NULL ORDER BY m.decision_id`, node)
	return db.All(rows, err, db.Value[string])
}

// meaning returns the decisions whose selectors mean a node, by id. What is to be
// logged is passed to later. Decisions by the thousand may come of one document,
// with one selector: each text is asked once.
func (s *Service) meaning(ctx context.Context, q db.Querier, node string, later func(func())) ([]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, selector FROM decision WHERE selector <> '' AND expired_at IS NULL ORDER BY id`)
	decisions, err := db.All(rows, err, func(scan db.Scan) (d [2]string, err error) { return d, scan(&d[0], &d[1]) })
	if err != nil {
		return nil, err
	}
	meant, means := []string{}, make(map[string]bool)
	for _, d := range decisions {
		id, selector := d[0], d[1]
		if _, asked := means[selector]; !asked {
			ok, err := s.nodes.Selects(ctx, q, selector, node)
			var fails *problem.Error
			switch {
			case errors.As(err, &fails):
				// It was checked when it was saved; that it fails on this node means that
				// it does not mean this node, and no scan may fail by it.
				later(func() {
					slog.WarnContext(ctx, "the selector of a decision fails on a node", "decision", id, "node", node, "error", err)
				})
			case err != nil:
				return nil, err
			}
			means[selector] = ok
		}
		if means[selector] {
			meant = append(meant, id)
		}
	}
	return meant, nil
}

// noteUnseen keeps which components of a node its last scan could not look at.
func noteUnseen(ctx context.Context, tx *db.Tx, node string, unseen []sbom.Key) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM unseen_component WHERE node_id = $1`, node); err != nil || len(unseen) == 0 {
		return err
	}
	list, err := db.ToJSON(unseen)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO unseen_component (node_id, component_id) SELECT DISTINCT CAST($2 AS TEXT), c.id FROM json_each($1) AS j
		JOIN component AS c ON c.ecosystem = value->>'Ecosystem' AND c.name = value->>'Name' AND c.version = value->>'Version'
			AND c.source_name = value->>'SourceName' AND c.source_version = value->>'SourceVersion'`, list, node)
	if err != nil {
		return fmt.Errorf("note what could not be seen on node %s: %w", node, err)
	}
	return nil
}
