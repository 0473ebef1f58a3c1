package finding

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/sbom"
)

// Nodes take steps from one result to another, together: what a step means is the
// same for each of them, so that a few statements write it for all, and the numbers
// follow from it. Where it may depend on the node, because somebody decided about one
// of the vulnerabilities or because more is open on it than its result says, the
// node takes the step by itself, as a scan would have it do.

const (
	// moveRows is how many occurrences one transaction changes, about: others wait for it.
	moveRows = 20_000
	// moveSteps is how many results are compared at once.
	moveSteps = 200
)

// errUneven says that a step did not mean the same for all nodes, other than is
// thought above: they take it one by one.
var errUneven = errors.New("the step does not change each of the nodes alike")

// moveAll has all nodes that are behind take their steps.
func (s *Service) moveAll(ctx context.Context, r rematch) error {
	for {
		behind, err := s.behind(ctx, r.rev)
		if err != nil || len(behind) == 0 {
			return err
		}
		// Of one step all are in one group, which is what behind's order is for.
		for len(behind) > 0 {
			n, steps := 0, []step{}
			for ; n < len(behind); n++ {
				if step := behind[n].step; len(steps) == 0 || steps[len(steps)-1] != step {
					if len(steps) == moveSteps {
						break
					}
					steps = append(steps, step)
				}
			}
			if err := s.moveSome(ctx, r, steps, behind[:n]); err != nil {
				return err
			}
			behind = behind[n:]
		}
	}
}

// moveSome has nodes take their steps.
func (s *Service) moveSome(ctx context.Context, r rematch, steps []step, behind []moving) error {
	_, differences, err := compare(ctx, s.db.Read(), r.rev, steps)
	if err != nil {
		return err
	}
	var alone, together []moving
	for _, m := range behind {
		if m.unseen || differences[m.step].decided {
			alone = append(alone, m)
		} else {
			together = append(together, m)
		}
	}
	for len(together) > 0 {
		n, rows := 0, 0
		for ; n < len(together) && (n == 0 || rows < s.moveRows); n++ {
			rows += 1 + differences[together[n].step].rows()
		}
		some := together[:n]
		together = together[n:]
		err := s.db.Write(ctx, func(tx *db.Tx) error { return s.moveTogether(ctx, tx, r, some) })
		if errors.Is(err, errUneven) {
			alone, err = append(alone, some...), nil
		}
		if err != nil {
			return fmt.Errorf("open and resolve occurrences: %w", err)
		}
	}
	for _, m := range alone {
		d := differences[m.step]
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.moveAlone(ctx, tx, r, m, d) }); err != nil {
			return fmt.Errorf("open and resolve occurrences of node %s: %w", m.node, err)
		}
	}
	return nil
}

// moveAlone has a node take its step as a scan would. Only a re-match knows what was
// withdrawn.
func (s *Service) moveAlone(ctx context.Context, tx *db.Tx, r rematch, m moving, d *difference) error {
	still, err := stillBehind(ctx, tx, []moving{m})
	if err != nil || len(still) == 0 {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT c.ecosystem, c.name, c.version, c.source_name, c.source_version
		FROM unseen_component AS u JOIN component AS c ON c.id = u.component_id WHERE u.node_id = $1`, m.node)
	unseen, err := db.All(rows, err, func(scan db.Scan) (k sbom.Key, err error) {
		return k, scan(&k.Ecosystem, &k.Name, &k.Version, &k.SourceName, &k.SourceVersion)
	})
	if err != nil {
		return err
	}
	before, err := openOn(ctx, tx, []string{m.node})
	if err != nil {
		return err
	}
	opened, resolved, err := s.Apply(ctx, tx, m.node, r.id, State{m.inventory, m.step.before}, State{m.inventory, m.step.after}, unseen)
	if err != nil {
		return err
	}
	withdrawn := []place{}
	for _, g := range d.resolved {
		if g.because == Withdrawn {
			withdrawn = append(withdrawn, g.place)
		}
	}
	list, err := db.ToJSON(withdrawn)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE occurrence SET resolved_because = '`+Withdrawn+`' WHERE node_id = $1 AND resolved_at IS NOT NULL AND resolved_scan = $2
		AND (vulnerability_id, ecosystem, package) IN (SELECT CAST(value->>'vulnerability' AS BIGINT), value->>'ecosystem', value->>'package' FROM json_each($3) AS j)`,
		m.node, r.id, list)
	if err != nil {
		return err
	}
	return s.tell(ctx, tx, r, []told{{m.node, int(opened), int(resolved)}}, before-int(resolved))
}

// openOn returns how much is open on nodes, decided or not.
func openOn(ctx context.Context, tx *db.Tx, nodes []string) (open int, err error) {
	list, err := db.Column(nodes)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(sum(open + decided), 0) FROM node_count WHERE node_id IN (SELECT value->>0 FROM json_each($1) AS j)`, list).Scan(&open)
	return open, err
}

// stillBehind returns those of the nodes that nothing has moved, and no scan has
// found anything else on, since they were found behind.
func stillBehind(ctx context.Context, tx *db.Tx, behind []moving) ([]moving, error) {
	rows := make([][5]any, len(behind))
	for i, m := range behind {
		rows[i] = [5]any{m.node, m.inventory, m.step.before, i, bit(m.unseen)}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return nil, err
	}
	found, err := tx.QueryContext(ctx, `SELECT CAST(value->>3 AS BIGINT) FROM json_each($1) AS j
		JOIN node_result AS h ON h.node_id = value->>0 AND h.result_id = CAST(value->>2 AS BIGINT)
		JOIN node AS n ON n.id = h.node_id AND n.inventory_id = CAST(value->>1 AS BIGINT)
		WHERE CAST(value->>4 AS BIGINT) = CASE WHEN EXISTS (SELECT 1 FROM unseen_component AS u WHERE u.node_id = n.id) THEN 1 ELSE 0 END
		ORDER BY 1`, list)
	return db.All(found, err, func(scan db.Scan) (moving, error) {
		var i int
		err := scan(&i)
		return behind[i], err
	})
}

// moveTogether has nodes take their steps at once. What they mean is asked in the
// transaction: meanwhile somebody may have decided, a vulnerability may be known to be
// worse, or have become one with another.
func (s *Service) moveTogether(ctx context.Context, tx *db.Tx, r rematch, behind []moving) error {
	behind, err := stillBehind(ctx, tx, behind)
	if err != nil || len(behind) == 0 {
		return err
	}
	c, differences, err := compare(ctx, tx, r.rev, stepsOf(behind))
	if err != nil {
		return err
	}
	for _, d := range differences {
		if d.decided {
			return fmt.Errorf("%w: somebody has decided about it by now", errUneven)
		}
	}
	b, err := newBatch(differences, behind)
	if err != nil {
		return err
	}
	names := make([]string, len(behind))
	for i, m := range behind {
		names[i] = m.node
	}
	before, err := openOn(ctx, tx, names)
	if err != nil {
		return err
	}
	now := s.now().UnixMicro()
	if err := b.open(ctx, tx, now, r.id); err != nil {
		return err
	}
	if err := b.resolve(ctx, tx, now, r.id); err != nil {
		return err
	}
	if err := b.refix(ctx, tx); err != nil {
		return err
	}
	if err := b.countNodes(ctx, tx); err != nil {
		return err
	}
	if err := addToAll(ctx, tx, b.countPlaces(), b.countVulnerabilities()); err != nil {
		return err
	}
	if err := b.hold(ctx, tx, c); err != nil {
		return err
	}
	news, resolved := []told{}, 0
	for _, m := range behind {
		d := differences[m.step]
		resolved += len(d.resolved)
		news = append(news, told{m.node, len(d.opened), len(d.resolved)})
	}
	return s.tell(ctx, tx, r, news, before-resolved)
}

// told is what a re-match came to on one node.
type told struct {
	node             string
	opened, resolved int
}

// tell adds to what a re-match came to, and says of each node what it meant for it.
func (s *Service) tell(ctx context.Context, tx *db.Tx, r rematch, nodes []told, unchanged int) error {
	opened, resolved := 0, 0
	news := []event.News{}
	for _, n := range nodes {
		opened, resolved = opened+n.opened, resolved+n.resolved
		if n.opened+n.resolved > 0 {
			news = append(news, event.News{To: event.Of(n.node), Subject: n.node, Data: map[string]any{
				"rematch": r.id, "revision": r.rev.ID(), "opened": n.opened, "resolved": n.resolved,
			}})
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE rematch SET opened = opened + $2, resolved = resolved + $3, unchanged = unchanged + $4 WHERE id = $1`,
		r.id, opened, resolved, unchanged)
	if err != nil {
		return err
	}
	return event.AppendAll(ctx, tx, s.now(), "node.rematched", news)
}

// stepsOf returns the steps that nodes take, each once.
func stepsOf(behind []moving) []step {
	var steps []step
	for _, m := range behind {
		if len(steps) == 0 || steps[len(steps)-1] != m.step {
			steps = append(steps, m.step)
		}
	}
	return steps
}

// batch is what a number of nodes is about to do. Steps travel by their number.
type batch struct {
	nodes       string // JSON: node and step
	behind      []moving
	differences []*difference
	number      map[step]int
	size        []int // nodes by step
}

func newBatch(differences map[step]*difference, behind []moving) (*batch, error) {
	b := &batch{behind: behind, number: make(map[step]int)}
	list := make([][2]any, len(behind))
	for i, m := range behind {
		n, known := b.number[m.step]
		if !known {
			n = len(b.differences)
			b.number[m.step] = n
			b.differences, b.size = append(b.differences, differences[m.step]), append(b.size, 0)
		}
		b.size[n]++
		list[i] = [2]any{m.node, n}
	}
	var err error
	b.nodes, err = db.ToJSON(list)
	return b, err
}

func bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

// Each node with each place of its step. Both lists are read once: a list that is
// joined where it stands would be taken apart again for every node.
const (
	movedNodes  = `WITH n AS MATERIALIZED (SELECT value->>0 AS node_id, CAST(value->>1 AS BIGINT) AS step FROM json_each($1) AS j), p AS MATERIALIZED (`
	movedPlaces = `SELECT CAST(value->>0 AS BIGINT) AS step, CAST(value->>1 AS BIGINT) AS vulnerability_id, value->>2 AS ecosystem, value->>3 AS package`
	movedEnd    = ` FROM json_each($2) AS j)`

	// What is open in these places, found by node and place: to begin with whatever is
	// open would be to begin with millions.
	openThere = ` WHERE id IN (SELECT o.id FROM n CROSS JOIN p CROSS JOIN occurrence AS o
		WHERE p.step = n.step AND o.node_id = n.node_id AND o.vulnerability_id = p.vulnerability_id
		  AND o.ecosystem = p.ecosystem AND o.package = p.package AND o.resolved_at IS NULL AND o.state || '' = '` + Open + `')`
)

// open opens occurrences.
func (b *batch) open(ctx context.Context, tx *db.Tx, now int64, rematch string) error {
	rows := [][]any{}
	want := 0
	for n, d := range b.differences {
		want += b.size[n] * len(d.opened)
		for _, o := range d.opened {
			rows = append(rows, []any{n, o.Vulnerability, o.Ecosystem, o.Package, o.severity, o.rank, o.kev, bit(o.fixable)})
		}
	}
	return b.write(ctx, tx, want, rows, movedNodes+movedPlaces+`, value->>4 AS severity, CAST(value->>5 AS BIGINT) AS rank,
			CAST(value->>6 AS BIGINT) AS kev, CAST(value->>7 AS BIGINT) AS fixable`+movedEnd+`
		INSERT INTO occurrence (node_id, vulnerability_id, ecosystem, package, severity, rank, kev, fixable, opened_at, opened_scan, opened_because)
		SELECT n.node_id, p.vulnerability_id, p.ecosystem, p.package, p.severity, p.rank, p.kev, p.fixable, CAST($3 AS BIGINT), CAST($4 AS TEXT), '`+Disclosed+`'
		FROM n CROSS JOIN p WHERE p.step = n.step
		ON CONFLICT (node_id, vulnerability_id, ecosystem, package) WHERE resolved_at IS NULL DO NOTHING`, now, rematch)
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
		err := b.write(ctx, tx, want, rows, movedNodes+movedPlaces+movedEnd+` UPDATE occurrence SET fixable = $3`+openThere, bit(fixable))
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
	changed, err := result.RowsAffected()
	if err == nil && changed != int64(want) {
		err = fmt.Errorf("%w: %d occurrences changed, not %d", errUneven, changed, want)
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
			add(o, b.size[n], b.size[n]*bit(o.fixable))
		}
		for _, g := range d.resolved {
			add(g.placed, -b.size[n], -b.size[n]*bit(g.fixable))
		}
		for _, f := range d.refixed {
			add(f, 0, b.size[n]*(2*bit(f.fixable)-1))
		}
	}
	rows := []counted{}
	for p, t := range sums {
		rows = append(rows, counted{p, t})
	}
	return rows
}

// countVulnerabilities returns what is added to the numbers of vulnerabilities.
func (b *batch) countVulnerabilities() []nodes {
	sums := make(map[int64]int)
	for n, d := range b.differences {
		for _, o := range d.opened {
			sums[o.Vulnerability] += 0
		}
		for _, g := range d.resolved {
			sums[g.Vulnerability] += 0
		}
		for _, f := range d.refixed {
			sums[f.Vulnerability] += 0
		}
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
	_, err = tx.ExecContext(ctx, movedNodes+`SELECT CAST(value->>0 AS BIGINT) AS step, CAST(value->>1 AS BIGINT) AS result_id`+movedEnd+`
		UPDATE node_result SET result_id = t.result_id FROM (SELECT n.node_id, p.result_id FROM n CROSS JOIN p WHERE p.step = n.step) AS t
		WHERE node_result.node_id = t.node_id`, b.nodes, list)
	if err != nil {
		return fmt.Errorf("note the results of nodes: %w", err)
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
