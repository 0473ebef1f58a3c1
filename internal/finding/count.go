package finding

import (
	"context"
	"fmt"

	"patrol/internal/platform/db"
)

// Numbers of occurrences are asked for all the time and would cost a walk over
// millions of rows. So they are kept, by whatever changes occurrences and in the
// same transaction: how many are open on a node (node_count), and on how many nodes
// a vulnerability is open, in all (affected) and by package (affected_package).
// A change touches either one node or a few vulnerabilities, and says which: the
// side that it touches as a whole is counted anew, the other gets the difference.

// The states of an occurrence.
const (
	Open     = "open"
	Decided  = "decided" // open, and somebody decided that it does not count
	Resolved = "resolved"
)

// place is where a vulnerability is on one node.
type place struct {
	Vulnerability int64  `json:"vulnerability"`
	Ecosystem     string `json:"ecosystem"`
	Package       string `json:"package"`
}

// tally is what one node adds to the numbers of a place.
type tally struct {
	Rank    int `json:"rank"`
	Open    int `json:"open"`
	Decided int `json:"decided"`
	Fixable int `json:"fixable"`
}

// countNode keeps the numbers while a change touches occurrences of one node alone.
func countNode(ctx context.Context, tx *db.Tx, node string, change func() error) error {
	before, err := tallies(ctx, tx, node)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := tallies(ctx, tx, node)
	if err != nil {
		return err
	}
	if err := addToPackages(ctx, tx, before, after); err != nil {
		return fmt.Errorf("count what affects node %s: %w", node, err)
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM node_count WHERE node_id = $1`, node)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO node_count (node_id, severity, open, decided)
		SELECT node_id, severity, count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'decided')
		FROM occurrence WHERE node_number = `+NumberOf(`$1`)+` AND resolved_at IS NULL AND state IN ('open', 'decided') GROUP BY node_id, severity`, node)
	if err != nil {
		return fmt.Errorf("count occurrences of node %s: %w", node, err)
	}
	return nil
}

func tallies(ctx context.Context, tx *db.Tx, node string) (map[place]tally, error) {
	rows, err := tx.QueryContext(ctx, `SELECT vulnerability_id, ecosystem, package, rank,
			CASE state WHEN 'open' THEN 1 ELSE 0 END, CASE state WHEN 'decided' THEN 1 ELSE 0 END, CASE state WHEN 'open' THEN fixable ELSE 0 END
		FROM occurrence WHERE node_number = `+NumberOf(`$1`)+` AND resolved_at IS NULL AND state IN ('open', 'decided')`, node)
	if err != nil {
		return nil, err
	}
	found := make(map[place]tally)
	return found, db.Each(rows, func(scan db.Scan) error {
		var p place
		var t tally
		err := scan(&p.Vulnerability, &p.Ecosystem, &p.Package, &t.Rank, &t.Open, &t.Decided, &t.Fixable)
		found[p] = t
		return err
	})
}

// nodes is what one node adds to the numbers of a vulnerability.
type nodes struct {
	Vulnerability int64 `json:"vulnerability"`
	Nodes         int   `json:"nodes"`
	Decided       int   `json:"decided"`
}

// addToPackages adds what one node adds now in place of what it did before.
func addToPackages(ctx context.Context, tx *db.Tx, before, after map[place]tally) error {
	rows := []counted{}
	touched := map[int64]bool{}
	differ := func(p place) {
		b, a := before[p], after[p]
		if a == b {
			return
		}
		difference := tally{a.Rank, a.Open - b.Open, a.Decided - b.Decided, a.Fixable - b.Fixable}
		if _, still := after[p]; !still {
			difference.Rank = b.Rank
		}
		rows = append(rows, counted{p, difference})
		touched[p.Vulnerability] = true
	}
	for p := range before {
		differ(p)
	}
	for p := range after {
		if _, had := before[p]; !had {
			differ(p)
		}
	}
	was, is := nodesOf(before), nodesOf(after)
	differences := []nodes{}
	for id := range touched {
		differences = append(differences, nodes{id, is[id].Nodes - was[id].Nodes, is[id].Decided - was[id].Decided})
	}
	return addToAll(ctx, tx, rows, differences)
}

// counted is what is added to the numbers of a place.
type counted struct {
	place
	tally
}

// addToAll adds to the numbers of places and of their vulnerabilities.
func addToAll(ctx context.Context, tx *db.Tx, rows []counted, differences []nodes) error {
	if len(rows) == 0 {
		return nil
	}
	text, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO affected_package (vulnerability_id, ecosystem, package, rank, open, decided, fixable)
		SELECT CAST(value->>'vulnerability' AS BIGINT), value->>'ecosystem', value->>'package', CAST(value->>'rank' AS BIGINT),
			CAST(value->>'open' AS BIGINT), CAST(value->>'decided' AS BIGINT), CAST(value->>'fixable' AS BIGINT) FROM json_each($1) AS j WHERE TRUE
		ON CONFLICT (vulnerability_id, ecosystem, package) DO UPDATE SET rank = excluded.rank, open = affected_package.open + excluded.open,
			decided = affected_package.decided + excluded.decided, fixable = affected_package.fixable + excluded.fixable`, text)
	if err != nil {
		return err
	}
	return addToAffected(ctx, tx, differences)
}

// nodesOf counts the node once for a vulnerability, in however many packages.
func nodesOf(tallies map[place]tally) map[int64]nodes {
	found := make(map[int64]nodes)
	for p, t := range tallies {
		n := found[p.Vulnerability]
		found[p.Vulnerability] = nodes{p.Vulnerability, max(n.Nodes, t.Open), max(n.Decided, t.Decided)}
	}
	return found
}

func addToAffected(ctx context.Context, tx *db.Tx, differences []nodes) error {
	text, err := db.ToJSON(differences)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`INSERT INTO affected (vulnerability_id, name, rank, kev, fixable, packages, nodes, decided, first_seen)
			SELECT v.id, v.name, 0, 0, 0, 0, 0, 0, (SELECT min(opened_at) FROM occurrence WHERE vulnerability_id = v.id)
			FROM json_each($1) AS j JOIN vulnerability AS v ON v.id = CAST(value->>'vulnerability' AS BIGINT)
			WHERE NOT EXISTS (SELECT 1 FROM affected WHERE vulnerability_id = v.id)`,
		`UPDATE affected SET nodes = affected.nodes + d.nodes, decided = affected.decided + d.decided
			FROM (SELECT CAST(value->>'vulnerability' AS BIGINT) AS id, CAST(value->>'nodes' AS BIGINT) AS nodes,
				CAST(value->>'decided' AS BIGINT) AS decided FROM json_each($1) AS j) AS d
			WHERE d.id = affected.vulnerability_id AND (d.nodes <> 0 OR d.decided <> 0)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, text); err != nil {
			return err
		}
	}
	return summarize(ctx, tx, text)
}

// summarize gives vulnerabilities, a JSON list of objects, what follows from the
// numbers of their packages.
func summarize(ctx context.Context, tx *db.Tx, list string) error {
	_, err := tx.ExecContext(ctx, `UPDATE affected SET rank = p.rank, fixable = p.fixable, packages = p.packages, kev = p.kev, name = p.name
		FROM (SELECT v.id AS id, v.name AS name, COALESCE(v.kev, 0) AS kev, COALESCE(max(a.rank) FILTER (WHERE a.open > 0), max(a.rank)) AS rank,
				CASE WHEN sum(a.fixable) > 0 THEN 1 ELSE 0 END AS fixable, count(*) FILTER (WHERE a.open > 0) AS packages
			FROM json_each($1) AS j JOIN vulnerability AS v ON v.id = CAST(value->>'vulnerability' AS BIGINT)
			JOIN affected_package AS a ON a.vulnerability_id = v.id GROUP BY v.id, v.name, v.kev) AS p
		WHERE p.id = affected.vulnerability_id AND (affected.rank <> p.rank OR affected.fixable <> p.fixable
			OR affected.packages <> p.packages OR affected.kev <> p.kev OR affected.name <> p.name)`, list)
	if err != nil {
		return fmt.Errorf("summarize what is affected: %w", err)
	}
	return nil
}

// countVulnerabilities keeps the numbers while a change touches occurrences of
// these vulnerabilities alone, on any nodes.
func countVulnerabilities(ctx context.Context, tx *db.Tx, ids []int64, change func() error) error {
	if len(ids) == 0 {
		return nil
	}
	type one struct {
		Vulnerability int64 `json:"vulnerability"`
	}
	all := make([]one, len(ids))
	for i, id := range ids {
		all[i].Vulnerability = id
	}
	list, err := db.ToJSON(all)
	if err != nil {
		return err
	}
	if err := addToNodes(ctx, tx, list, "-"); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	if err := addToNodes(ctx, tx, list, "+"); err != nil {
		return err
	}
	const these = `vulnerability_id IN (SELECT CAST(value->>'vulnerability' AS BIGINT) FROM json_each($1) AS j)`
	for _, statement := range []string{
		`DELETE FROM affected_package WHERE ` + these,
		`INSERT INTO affected_package (vulnerability_id, ecosystem, package, rank, open, decided, fixable)
			SELECT vulnerability_id, ecosystem, package, max(rank), count(*) FILTER (WHERE state = 'open'),
				count(*) FILTER (WHERE state = 'decided'), count(*) FILTER (WHERE state = 'open' AND fixable = 1)
			FROM occurrence WHERE ` + these + ` GROUP BY vulnerability_id, ecosystem, package`,
		`UPDATE affected SET nodes = o.nodes, decided = o.decided FROM (
			SELECT vulnerability_id, count(DISTINCT node_id) FILTER (WHERE state = 'open') AS nodes,
				count(DISTINCT node_id) FILTER (WHERE state = 'decided') AS decided
			FROM occurrence WHERE ` + these + ` GROUP BY vulnerability_id) AS o WHERE o.vulnerability_id = affected.vulnerability_id`,
	} {
		if _, err := tx.ExecContext(ctx, statement, list); err != nil {
			return fmt.Errorf("count what is affected: %w", err)
		}
	}
	return summarize(ctx, tx, list)
}

// addToNodes adds to the numbers of nodes what the vulnerabilities contribute now,
// or takes it away.
func addToNodes(ctx context.Context, tx *db.Tx, list, sign string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO node_count (node_id, severity, open, decided)
		SELECT node_id, severity, `+sign+`count(*) FILTER (WHERE state = 'open'), `+sign+`count(*) FILTER (WHERE state = 'decided')
		FROM occurrence WHERE state IN ('open', 'decided')
		  AND vulnerability_id IN (SELECT CAST(value->>'vulnerability' AS BIGINT) FROM json_each($1) AS j)
		GROUP BY node_id, severity ORDER BY node_id, severity
		ON CONFLICT (node_id, severity) DO UPDATE SET open = node_count.open + excluded.open, decided = node_count.decided + excluded.decided`, list)
	if err != nil {
		return fmt.Errorf("count occurrences by node: %w", err)
	}
	return nil
}

// hold notes that a result says what is wrong with a node now.
func hold(ctx context.Context, tx *db.Tx, node string, result int64) error {
	row := tx.QueryRowContext(ctx, `SELECT COALESCE(max(result_id), 0) FROM node_result WHERE node_id = $1`, node)
	old, err := db.One(row, db.Value[int64])
	if err != nil || old == result {
		return err
	}
	if old != 0 {
		if _, err := tx.ExecContext(ctx, `DELETE FROM node_result WHERE node_id = $1`, node); err != nil {
			return err
		}
		if err := addToFindings(ctx, tx, old, "-"); err != nil {
			return err
		}
	}
	if result == 0 {
		return nil
	}
	if err := addToFindings(ctx, tx, result, "+"); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO node_result (node_id, result_id) VALUES ($1, $2)`, node, result)
	return err
}

// addToFindings counts a result in or out, unless another node has it.
func addToFindings(ctx context.Context, tx *db.Tx, result int64, sign string) error {
	_, err := tx.ExecContext(ctx, `UPDATE finding SET results = results `+sign+` 1
		WHERE id IN (SELECT finding_id FROM result_finding WHERE result_id = $1)
		  AND NOT EXISTS (SELECT 1 FROM node_result WHERE result_id = $1)`, result)
	if err != nil {
		return fmt.Errorf("count who has result %d: %w", result, err)
	}
	return nil
}

// Forget drops all that is known of a node, which is being deleted.
func (s *Service) Forget(ctx context.Context, tx *db.Tx, node string) error {
	err := countNode(ctx, tx, node, func() error {
		for _, statement := range []string{
			`DELETE FROM occurrence WHERE resolved_at IS NULL AND node_number = ` + NumberOf(`$1`), `DELETE FROM occurrence WHERE resolved_at IS NOT NULL AND node_number = ` + NumberOf(`$1`),
			`DELETE FROM node_number WHERE node_id = $1`, `DELETE FROM decision_node WHERE node_id = $1`, `DELETE FROM unseen_component WHERE node_id = $1`, `DELETE FROM decision WHERE node_id = $1`,
		} {
			if _, err := tx.ExecContext(ctx, statement, node); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = hold(ctx, tx, node, 0)
	}
	if err != nil {
		return fmt.Errorf("forget node %s: %w", node, err)
	}
	return nil
}
