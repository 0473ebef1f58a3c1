package finding

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"patrol/internal/platform/db"
)

// batch is what a number of nodes is about to do. Steps travel by their number.
type batch struct {
	nodes       string // JSON: node and step
	differences []*difference
	size        []int // nodes by step
}

func newBatch(differences map[step]*difference, behind []moving) (*batch, error) {
	b := &batch{}
	numbers := make(map[step]int)
	list := make([][2]any, len(behind))
	for i, m := range behind {
		n, known := numbers[m.step]
		if !known {
			n = len(b.differences)
			numbers[m.step] = n
			b.differences, b.size = append(b.differences, differences[m.step]), append(b.size, 0)
		}
		b.size[n]++
		list[i] = [2]any{m.node, n}
	}
	var err error
	b.nodes, err = db.ToJSON(list)
	return b, err
}

// Each node with each place of its step. Both lists are read once: a list that is
// joined where it stands would be taken apart again for every node.
const (
	movedNodes = `WITH n AS MATERIALIZED (SELECT value->>0 AS node_id, CAST(value->>1 AS BIGINT) AS step, x.number FROM json_each($1) AS j
		JOIN node_number AS x ON x.node_id = value->>0), p AS MATERIALIZED (`
	movedPlaces = `SELECT CAST(value->>0 AS BIGINT) AS step, CAST(value->>1 AS BIGINT) AS vulnerability_id, value->>2 AS ecosystem, value->>3 AS package`
	movedEnd    = ` FROM json_each($2) AS j)`

	// What is open in these places, found by node and place: to begin with whatever is
	// open would be to begin with millions.
	openThere = ` WHERE id IN (SELECT o.id FROM n CROSS JOIN p CROSS JOIN occurrence AS o
		WHERE p.step = n.step AND o.node_number = n.number AND o.vulnerability_id = p.vulnerability_id
		  AND o.ecosystem = p.ecosystem AND o.package = p.package AND o.resolved_at IS NULL AND o.state || '' = '` + Open + `')`
)

// all is how many nodes there are.
func (b *batch) all() (n int) {
	for _, size := range b.size {
		n += size
	}
	return n
}

// open opens occurrences.
func (b *batch) open(ctx context.Context, tx *db.Tx, now int64, rematch string) error {
	rows := [][]any{}
	want := 0
	for n, d := range b.differences {
		want += b.size[n] * len(d.opened)
		for _, o := range d.opened {
			rows = append(rows, []any{n, o.Vulnerability, o.Ecosystem, o.Package, o.severity, o.rank, o.kev, db.Bit(o.fixable)})
		}
	}
	return b.write(ctx, tx, want, rows, movedNodes+movedPlaces+`, value->>4 AS severity, CAST(value->>5 AS BIGINT) AS rank,
			CAST(value->>6 AS BIGINT) AS kev, CAST(value->>7 AS BIGINT) AS fixable,
			(SELECT x.number FROM package_number AS x WHERE x.package = value->>3 AND x.ecosystem = value->>2) AS package_number`+movedEnd+`
		INSERT INTO occurrence (node_id, node_number, vulnerability_id, ecosystem, package, package_number, severity, rank, kev, fixable, opened_at, opened_scan, opened_because)
		SELECT n.node_id, n.number, p.vulnerability_id, p.ecosystem, p.package, p.package_number, p.severity, p.rank, p.kev, p.fixable, CAST($3 AS BIGINT), CAST($4 AS TEXT), '`+Disclosed+`'
		FROM n CROSS JOIN p WHERE p.step = n.step
		ON CONFLICT (node_number, vulnerability_id, package_number) WHERE resolved_at IS NULL DO NOTHING`, now, rematch)
}

// resolve resolves occurrences.
func (b *batch) resolve(ctx context.Context, tx *db.Tx, now int64, rematch string) error {
	for _, because := range []string{Corrected, Withdrawn} {
		want, rows := b.places(func(d *difference) (places []place) {
			for _, g := range d.resolved {
				if g.because == because {
					places = append(places, g.place)
				}
			}
			return places
		})
		err := b.write(ctx, tx, want, rows, movedNodes+movedPlaces+movedEnd+`
			UPDATE occurrence SET state = '`+Resolved+`', resolved_at = $3, resolved_scan = $4, resolved_because = $5`+openThere, now, rematch, because)
		if err != nil {
			return err
		}
	}
	return nil
}

// refix notes of occurrences whether some version is known that fixes them.
func (b *batch) refix(ctx context.Context, tx *db.Tx) error {
	for _, fixable := range []bool{false, true} {
		want, rows := b.places(func(d *difference) (places []place) {
			for _, r := range d.refixed {
				if r.fixable == fixable {
					places = append(places, r.place)
				}
			}
			return places
		})
		err := b.write(ctx, tx, want, rows, movedNodes+movedPlaces+movedEnd+` UPDATE occurrence SET fixable = $3`+openThere, db.Bit(fixable))
		if err != nil {
			return err
		}
	}
	return nil
}

// places returns places of each step, and how many occurrences they are in all.
func (b *batch) places(of func(*difference) []place) (occurrences int, rows [][]any) {
	for n, d := range b.differences {
		found := of(d)
		occurrences += b.size[n] * len(found)
		for _, p := range found {
			rows = append(rows, []any{n, p.Vulnerability, p.Ecosystem, p.Package})
		}
	}
	return occurrences, rows
}

// write runs a statement for all nodes, and demands that it changes what is thought.
func (b *batch) write(ctx context.Context, tx *db.Tx, want int, rows [][]any, statement string, args ...any) error {
	if want == 0 {
		return nil
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, statement, append([]any{b.nodes, list}, args...)...)
	if err != nil {
		return err
	}
	return changed(result, want)
}

// changed demands that a statement changed as many rows.
func changed(result sql.Result, want int) error {
	n, err := result.RowsAffected()
	if err == nil && n != int64(want) {
		err = fmt.Errorf("%w: %d rows changed, not %d", errUneven, n, want)
	}
	return err
}

// countNodes adds to the numbers of nodes.
func (b *batch) countNodes(ctx context.Context, tx *db.Tx) error {
	rows := [][3]any{}
	for n, d := range b.differences {
		differ := make(map[string]int)
		for _, o := range d.opened {
			differ[o.severity]++
		}
		for _, g := range d.resolved {
			differ[g.severity]--
		}
		for _, severity := range slices.Sorted(maps.Keys(differ)) {
			rows = append(rows, [3]any{n, severity, differ[severity]})
		}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, movedNodes+`SELECT CAST(value->>0 AS BIGINT) AS step, value->>1 AS severity, CAST(value->>2 AS BIGINT) AS open`+movedEnd+`
		INSERT INTO node_count (node_id, severity, open, decided)
		SELECT n.node_id, p.severity, p.open, 0 FROM n CROSS JOIN p WHERE p.step = n.step
		ON CONFLICT (node_id, severity) DO UPDATE SET open = node_count.open + excluded.open`, b.nodes, list)
	if err != nil {
		return fmt.Errorf("count occurrences by node: %w", err)
	}
	return nil
}

// countPlaces returns what is added to the numbers of places.
func (b *batch) countPlaces() []counted {
	sums := make(map[place]tally)
	add := func(p placed, open, fixable int) {
		t := sums[p.place]
		sums[p.place] = tally{p.rank, t.Open + open, 0, t.Fixable + fixable}
	}
	for n, d := range b.differences {
		for _, o := range d.opened {
			add(o, b.size[n], b.size[n]*db.Bit(o.fixable))
		}
		for _, g := range d.resolved {
			add(g.placed, -b.size[n], -b.size[n]*db.Bit(g.fixable))
		}
		for _, f := range d.refixed {
			add(f, 0, b.size[n]*(2*db.Bit(f.fixable)-1))
		}
	}
	rows := []counted{}
	for p, t := range sums {
		rows = append(rows, counted{p, t})
	}
	return rows
}

// countVulnerabilities returns what is added to the numbers of the vulnerabilities of
// places.
func (b *batch) countVulnerabilities(places []counted) []nodes {
	sums := make(map[int64]int)
	for _, p := range places { // also those that as many nodes have as before
		sums[p.Vulnerability] = 0
	}
	for n, d := range b.differences {
		for _, v := range d.came {
			sums[v] += b.size[n]
		}
		for _, v := range d.left {
			sums[v] -= b.size[n]
		}
	}
	differences := []nodes{}
	for v, n := range sums {
		differences = append(differences, nodes{Vulnerability: v, Nodes: n})
	}
	return differences
}

// hold notes which results the nodes hold, and counts findings in and out.
func (b *batch) hold(ctx context.Context, tx *db.Tx, c *comparison) error {
	results := []int64{}
	for _, d := range b.differences {
		results = append(results, d.before, d.after)
	}
	before, err := held(ctx, tx, results)
	if err != nil {
		return err
	}
	steps := make([][2]int64, len(b.differences))
	for n, d := range b.differences {
		steps[n] = [2]int64{int64(n), d.after}
	}
	list, err := db.ToJSON(steps)
	if err != nil {
		return err
	}
	moved, err := tx.ExecContext(ctx, movedNodes+`SELECT CAST(value->>0 AS BIGINT) AS step, CAST(value->>1 AS BIGINT) AS result_id`+movedEnd+`
		UPDATE node_result SET result_id = t.result_id FROM (SELECT n.node_id, p.result_id FROM n CROSS JOIN p WHERE p.step = n.step) AS t
		WHERE node_result.node_id = t.node_id`, b.nodes, list)
	if err != nil {
		return fmt.Errorf("note the results of nodes: %w", err)
	}
	if err := changed(moved, b.all()); err != nil {
		return err
	}
	after, err := held(ctx, tx, results)
	if err != nil {
		return err
	}
	differ := make(map[int64]int)
	for result := range after {
		if !before[result] {
			for _, f := range c.results[result] {
				differ[f]++
			}
		}
	}
	for result := range before {
		if !after[result] {
			for _, f := range c.results[result] {
				differ[f]--
			}
		}
	}
	return addToResults(ctx, tx, differ)
}

// held returns which of the results some node holds.
func held(ctx context.Context, tx *db.Tx, results []int64) (map[int64]bool, error) {
	list, err := db.Column(results)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT r.id FROM result AS r WHERE r.id `+db.AmongIDs+` AND EXISTS (SELECT 1 FROM node_result AS h WHERE h.result_id = r.id)`, list)
	ids, err := db.All(rows, err, db.Value[int64])
	if err != nil {
		return nil, err
	}
	found := make(map[int64]bool, len(ids))
	for _, id := range ids {
		found[id] = true
	}
	return found, nil
}

// addToResults adds to how many results that some node holds have a finding.
func addToResults(ctx context.Context, tx *db.Tx, differ map[int64]int) error {
	rows := [][2]int64{}
	for f, n := range differ {
		if n != 0 {
			rows = append(rows, [2]int64{f, int64(n)})
		}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE finding SET results = results + d.amount
		FROM (SELECT CAST(value->>0 AS BIGINT) AS id, CAST(value->>1 AS BIGINT) AS amount FROM json_each($1) AS j) AS d WHERE finding.id = d.id`, list)
	if err != nil {
		return fmt.Errorf("count who has findings: %w", err)
	}
	return nil
}
