package finding

import (
	"context"
	"errors"
	"fmt"

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

// moveAll has all nodes that are behind take their steps. One that cannot holds up no
// other.
func (s *Service) moveAll(ctx context.Context, r rematch) error {
	for {
		behind, err := s.behind(ctx, r.rev)
		if err != nil || len(behind) == 0 {
			return err
		}
		var failed faults
		// Of one step all are in one group, which is what behind's order is for.
		for len(behind) > 0 {
			n := 0
			for steps := 0; n < len(behind); n++ {
				if n > 0 && behind[n].step == behind[n-1].step {
					continue
				}
				if steps++; steps > moveSteps {
					break
				}
			}
			if err := s.moveSome(ctx, r, behind[:n], &failed); err != nil {
				return err
			}
			behind = behind[n:]
		}
		if err := failed.err(); err != nil {
			return err
		}
	}
}

// moveSome has nodes take their steps, and notes those that cannot.
func (s *Service) moveSome(ctx context.Context, r rematch, behind []moving, failed *faults) error {
	c, differences, err := compare(ctx, s.db.Read(), r.rev, stepsOf(behind))
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
		err := s.db.Write(ctx, func(tx *db.Tx) error { return s.moveTogether(ctx, tx, r, some, c, differences) })
		if db.Down(ctx, err) {
			return fmt.Errorf("open and resolve occurrences: %w", err)
		}
		if err != nil {
			alone = append(alone, some...)
		}
	}
	for _, m := range alone {
		err := s.db.Write(ctx, func(tx *db.Tx) error { return s.moveAlone(ctx, tx, r, m, differences[m.step]) })
		if db.Down(ctx, err) {
			return err
		}
		if err != nil {
			failed.note(fmt.Errorf("open and resolve occurrences of node %s: %w", m.node, err))
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
	_, err = tx.ExecContext(ctx, `UPDATE occurrence SET resolved_because = '`+Withdrawn+`' WHERE node_number = `+NumberOf(`$1`)+` AND resolved_at IS NOT NULL AND resolved_scan = $2
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
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(sum(open + decided), 0) FROM node_count WHERE node_id `+db.Among(`$1`), list).Scan(&open)
	return open, err
}

// stillBehind returns those of the nodes that nothing has moved, and no scan has
// found anything else on, since they were found behind.
func stillBehind(ctx context.Context, tx *db.Tx, behind []moving) ([]moving, error) {
	rows := make([][5]any, len(behind))
	for i, m := range behind {
		rows[i] = [5]any{m.node, m.inventory, m.step.before, i, db.Bit(m.unseen)}
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

// moveTogether has nodes take their steps at once. What they mean was compared before
// the transaction; if that no longer stands, it is compared anew.
func (s *Service) moveTogether(ctx context.Context, tx *db.Tx, r rematch, behind []moving, c *comparison, differences map[step]*difference) error {
	behind, err := stillBehind(ctx, tx, behind)
	if err != nil || len(behind) == 0 {
		return err
	}
	stands, err := c.stands(ctx, tx, stepsOf(behind))
	if err == nil && !stands {
		c, differences, err = compare(ctx, tx, r.rev, stepsOf(behind))
	}
	if err != nil {
		return err
	}
	for _, m := range behind {
		if differences[m.step].decided {
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
	places := b.countPlaces()
	if err := addToAll(ctx, tx, places, b.countVulnerabilities(places)); err != nil {
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

// stepsOf returns the steps that nodes in behind's order take, each once.
func stepsOf(behind []moving) []step {
	var steps []step
	for _, m := range behind {
		if len(steps) == 0 || steps[len(steps)-1] != m.step {
			steps = append(steps, m.step)
		}
	}
	return steps
}
