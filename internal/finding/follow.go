package finding

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
)

// Whom a selector means changes when nodes arrive and when what is known of them
// does. The fleet says so in the event log, which is followed here: decisions apply
// to a node seconds after it got a label, not only once it is scanned.

// changesNodes are the types of event after which a selector may mean another.
var changesNodes = []string{
	"node.registered", "node.reregistered", "node.revived", "node.active", "node.inactive", "node.started", "node.stopped", "node.labelled",
}

const (
	// followPoll finds events that no signal told of.
	followPoll = 5 * time.Second
	// followBatch is how many events are read at once.
	followBatch = 500
	// decisionBatch is how many decisions one transaction writes: others wait for it.
	decisionBatch = 200
)

// Follow asks the selectors of decisions again about nodes that the event log says
// have changed, until the context ends. It begins by asking about all: nobody
// followed before.
func (s *Service) Follow(ctx context.Context, signals *lease.Signals) {
	last, begun := int64(0), false
	due := make(map[string]bool)
	failing := logs.Lasting{What: "the selectors of decisions could not be asked; it will be tried again"}
	signals.Loop(ctx, event.Topic, func(ctx context.Context) time.Duration {
		wait, err := followPoll, error(nil)
		if !begun {
			last, err = s.AskAll(ctx)
			begun = err == nil
		} else {
			before := last
			last, err = s.AskAfter(ctx, last, due)
			if last > before {
				wait = 0 // there may be more
			}
		}
		failing.Note(ctx, err)
		return wait
	})
}

// AskAll asks every selector about all nodes, and returns the number of the event
// up to which that holds.
func (s *Service) AskAll(ctx context.Context) (last int64, err error) {
	if err := s.db.Read().QueryRowContext(ctx, `SELECT COALESCE(max(id), 0) FROM event`).Scan(&last); err != nil {
		return 0, err
	}
	selectors, err := s.ids(ctx, `SELECT DISTINCT selector FROM decision WHERE selector <> '' AND expired_at IS NULL ORDER BY selector`)
	if err != nil {
		return 0, err
	}
	for _, selector := range selectors {
		if err := s.askSelector(ctx, selector); err != nil {
			return 0, fmt.Errorf("ask the selector %q: %w", selector, err)
		}
	}
	return last, nil
}

// askSelector brings the decisions of a selector up to date where they differ from
// whom it means.
func (s *Service) askSelector(ctx context.Context, selector string) error {
	meant, err := s.nodes.Select(ctx, s.db.Read(), selector)
	if err != nil {
		slog.WarnContext(ctx, "the selector of decisions fails", "selector", selector, "error", err)
		return nil
	}
	slices.Sort(meant)
	decisions, err := s.ids(ctx, `SELECT id FROM decision WHERE selector = $1 AND expired_at IS NULL ORDER BY id`, selector)
	if err != nil {
		return err
	}
	differ := []string{}
	for _, id := range decisions {
		kept, err := s.ids(ctx, `SELECT node_id FROM decision_node WHERE decision_id = $1 ORDER BY node_id`, id)
		if err != nil {
			return err
		}
		if !slices.Equal(meant, kept) {
			differ = append(differ, id)
		}
	}
	for some := range slices.Chunk(differ, decisionBatch) {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.selectAgain(ctx, tx, selector, some) }); err != nil {
			return err
		}
	}
	return nil
}

// selectAgain keeps whom a selector means now for decisions that have it.
func (s *Service) selectAgain(ctx context.Context, tx *db.Tx, selector string, decisions []string) error {
	meant, err := s.nodes.Select(ctx, tx, selector)
	if err != nil {
		return err
	}
	vulnerabilities := []string{}
	for _, id := range decisions {
		d, err := s.decision(ctx, tx, id)
		if err := ifGone(err); err != nil {
			return err
		}
		if err != nil || !d.ExpiredAt.IsZero() {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM decision_node WHERE decision_id = $1`, id); err != nil {
			return err
		}
		if err := selectFor(ctx, tx, id, meant); err != nil {
			return err
		}
		vulnerabilities = append(vulnerabilities, d.Vulnerability)
	}
	return reconsider(ctx, tx, vulnerabilities...)
}

// AskAfter asks the selectors about the nodes that changed after an event, and about
// those that are due since it failed for them before; it returns the number of the
// last event that it has read. A node for which it fails is due again, and holds back
// no other.
func (s *Service) AskAfter(ctx context.Context, after int64, due map[string]bool) (last int64, err error) {
	changed, last, err := s.changed(ctx, after)
	if err != nil {
		return after, err
	}
	for _, node := range changed {
		due[node] = true
	}
	failed := 0
	for _, node := range slices.Sorted(maps.Keys(due)) {
		fails := s.ask(ctx, node)
		if fails == nil {
			delete(due, node)
			continue
		}
		failed++
		err = cmp.Or(err, fmt.Errorf("apply decisions to node %s: %w", node, fails))
		if ctx.Err() != nil {
			return last, err
		}
	}
	if failed > 1 {
		err = fmt.Errorf("%w; and to %d others", err, failed-1)
	}
	return last, err
}

// changed returns nodes that changed after an event, and the number of the last event
// that was read for it.
func (s *Service) changed(ctx context.Context, after int64) (nodes []string, last int64, err error) {
	if err := s.db.Read().QueryRowContext(ctx, `SELECT COALESCE(max(id), 0) FROM event`).Scan(&last); err != nil || last <= after {
		return nil, after, err
	}
	kinds, err := db.Column(changesNodes)
	if err != nil {
		return nil, after, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, subject FROM event WHERE id > $1 AND id <= $2
		AND type `+db.Among(`$3`)+` ORDER BY id LIMIT $4`, after, last, kinds, followBatch)
	var read int64
	nodes, err = db.All(rows, err, func(scan db.Scan) (node string, err error) { return node, scan(&read, &node) })
	if err != nil {
		return nil, after, err
	}
	if len(nodes) == followBatch {
		last = read
	}
	return nodes, last, nil
}

// ask applies the decisions to a node, if others mean it than before.
func (s *Service) ask(ctx context.Context, node string) error {
	meant, err := s.meaning(ctx, s.db.Read(), node, func(log func()) { log() })
	if err != nil {
		return err
	}
	kept, err := keptFor(ctx, s.db.Read(), node)
	if err != nil || slices.Equal(meant, kept) {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return countNode(ctx, tx, node, func() error { return s.applyTo(ctx, tx, node) })
	})
}
