package fleet

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/wire"
)

// Report notes what a host's agent says of the containers that run on the host and
// the images that are kept there. Each is a node of its own, known by host, kind
// and its runtime's name for it: however often it is reported it is one, and one
// that comes back is the node that it was.
func (s *Service) Report(ctx context.Context, host string, in wire.ChildrenRequest) error {
	if err := checkChildren(in); err != nil {
		return err
	}
	// Most hosts have no containers, and say so every few minutes.
	if old, err := s.saysNothing(ctx, host, in); err != nil || old {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.report(ctx, tx, host, in); err != nil {
			return fmt.Errorf("note the containers of node %s: %w", host, err)
		}
		return nil
	})
}

// saysNothing tells whether a report is that there are no children, of a host that
// had none before.
func (s *Service) saysNothing(ctx context.Context, host string, in wire.ChildrenRequest) (bool, error) {
	if len(in.Runtimes)+len(in.Children) > 0 {
		return false, nil
	}
	var had int
	row := s.db.Read().QueryRowContext(ctx, `SELECT count(*) FROM node WHERE (id = $1 AND runtimes <> '[]') OR (host_id = $1 AND present = 1)`, host)
	if err := row.Scan(&had); err != nil {
		return false, fmt.Errorf("look for the containers of node %s: %w", host, err)
	}
	return had == 0, nil
}

func checkChildren(in wire.ChildrenRequest) error {
	if len(in.Children) > wire.ChildrenLimit || len(in.Runtimes) > maxLabels {
		return problem.Invalid("children", "a host has at most %d containers and images, and %d runtimes", wire.ChildrenLimit, maxLabels)
	}
	long := func(text string) bool { return len(text) > maxFact }
	for _, r := range in.Runtimes {
		if long(r.Name) || len(r.Error) > maxError {
			return problem.Invalid("runtimes", "a name has at most %d bytes, and an error %d", maxFact, maxError)
		}
	}
	for i, c := range in.Children {
		c.Name, c.Image.Reference, c.Image.Digest, c.Labels = clean(c.Name), clean(c.Image.Reference), clean(c.Image.Digest), cleanLabels(c.Labels)
		in.Children[i] = c
		if clean(c.Key) != c.Key || clean(c.Runtime) != c.Runtime {
			return problem.Invalid("children", "a key or the name of a runtime is no text")
		}
		said := append([]string{c.Runtime, c.Key, c.Name, c.Image.Reference, c.Image.Digest}, slices.Collect(maps.Keys(c.Labels))...)
		said = append(said, slices.Collect(maps.Values(c.Labels))...)
		switch {
		case c.Kind != Container && c.Kind != Image, c.Key == "", c.Name == "":
			return problem.Invalid("children", "%q is no container or image with a key and a name", c.Key[:min(len(c.Key), maxFact)])
		case len(c.Labels) > maxLabels, slices.ContainsFunc(said, long):
			return problem.Invalid("children", "a container or image has at most %d labels, and each fact %d bytes", maxLabels, maxFact)
		}
	}
	return nil
}

// maxError is how many bytes of a runtime's error are kept.
const maxError = 1024

// childRow is what the console has of a child.
type childRow struct {
	key               wire.ChildKey
	id, name, runtime string
	present, retired  bool
	labels            origins
}

func (s *Service) report(ctx context.Context, tx *db.Tx, host string, in wire.ChildrenRequest) error {
	runtimes, err := db.ToJSON(append([]wire.Runtime{}, in.Runtimes...))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE node SET runtimes = $2 WHERE id = $1`, host, runtimes); err != nil {
		return err
	}
	before, err := children(ctx, tx, host)
	if err != nil {
		return err
	}
	if len(in.Children) > 0 {
		if err := s.keepChildren(ctx, tx, host, in.Children, before); err != nil {
			return err
		}
	}
	gone := goneOf(in, before)
	if err := s.leave(ctx, tx, gone); err != nil {
		return err
	}
	return s.tell(ctx, tx, host, in.Children, before, gone)
}

func children(ctx context.Context, q db.Querier, host string) (map[wire.ChildKey]*childRow, error) {
	rows, err := q.QueryContext(ctx, `SELECT kind, child_key, id, name, runtime, present, retired_at, label_origins FROM node WHERE host_id = $1`, host)
	if err != nil {
		return nil, err
	}
	have := map[wire.ChildKey]*childRow{}
	return have, db.Each(rows, func(scan db.Scan) error {
		var row childRow
		var present int
		var retired time.Time
		err := scan(&row.key.Kind, &row.key.Key, &row.id, &row.name, &row.runtime, &present, db.Time{Time: &retired}, db.JSON{Into: &row.labels})
		row.present, row.retired = present == 1, !retired.IsZero()
		have[row.key] = &row
		return err
	})
}

// childKey begins the enrolment key of a node without an agent, which none may
// register with.
const childKey = "child of "

// keepChildren writes the children as one JSON parameter, in key order.
func (s *Service) keepChildren(ctx context.Context, tx *db.Tx, host string, all []wire.Child, before map[wire.ChildKey]*childRow) error {
	type row struct {
		ID      string `json:"id"`
		Enrol   string `json:"enrolment_key"`
		Kind    string `json:"kind"`
		Key     string `json:"key"`
		Runtime string `json:"runtime"`
		Name    string `json:"name"`
		Image   string `json:"image"`
		Labels  string `json:"labels"`
		Origins string `json:"label_origins"`
	}
	rows := map[wire.ChildKey]row{} // one that is named twice is one
	labelled := map[string]map[string]string{}
	for _, c := range all {
		key := wire.ChildKey{Kind: c.Kind, Key: c.Key}
		image, err := db.ToJSON(c.Image)
		if err != nil {
			return err
		}
		id, said := db.NewID(), origins{}
		if have := before[key]; have != nil {
			id, said = have.id, have.labels
		}
		said = said.found(wire.Facts{Labels: c.Labels})
		labelled[id], _ = said.merged()
		from, labels, err := columns(said)
		if err != nil {
			return err
		}
		rows[key] = row{id, childKey + host + " " + id, c.Kind, c.Key, c.Runtime, c.Name, image, labels, from}
	}
	list := slices.SortedFunc(maps.Values(rows), func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
	})
	text, err := db.ToJSON(list)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, label_origins, first_seen, last_seen, host_id, runtime, child_key, image, present)
		SELECT value->>'id', value->>'enrolment_key', value->>'kind', value->>'name', '', '{}', h.architecture, '', '', value->>'labels', value->>'label_origins', CAST($3 AS BIGINT), CAST($3 AS BIGINT),
			h.id, value->>'runtime', value->>'key', value->>'image', 1
		FROM json_each($1) AS j JOIN node AS h ON h.id = $2 WHERE TRUE
		ON CONFLICT (host_id, kind, child_key) DO UPDATE SET name = excluded.name, labels = excluded.labels, label_origins = excluded.label_origins, runtime = excluded.runtime,
			image = excluded.image, present = 1, last_seen = excluded.last_seen,
			revived_at = CASE WHEN node.retired_at IS NULL THEN node.revived_at ELSE excluded.last_seen END, retired_at = NULL
		WHERE node.present = 0 OR node.retired_at IS NOT NULL OR (node.name, node.labels, node.runtime, node.image) IS DISTINCT FROM (excluded.name, excluded.labels, excluded.runtime, excluded.image)`,
		text, host, s.now().UnixMicro())
	if err != nil {
		return err
	}
	for _, r := range list {
		if err := indexLabels(ctx, tx, r.ID, labelled[r.ID]); err != nil {
			return err
		}
	}
	return nil
}

// goneOf are the children that were there and are not any more. Of a runtime that
// cannot be asked nothing is known, so what it had stays.
func goneOf(in wire.ChildrenRequest, before map[wire.ChildKey]*childRow) []*childRow {
	gone := map[wire.ChildKey]bool{}
	for _, key := range in.Gone {
		gone[key] = true
	}
	mute := map[string]bool{}
	for _, r := range in.Runtimes {
		mute[r.Name] = r.Error != ""
	}
	for key, row := range before {
		if in.Full && !mute[row.runtime] {
			gone[key] = true
		}
	}
	for _, c := range in.Children {
		delete(gone, wire.ChildKey{Kind: c.Kind, Key: c.Key})
	}
	left := []*childRow{}
	for key := range gone {
		if row := before[key]; row != nil && row.present {
			left = append(left, row)
		}
	}
	slices.SortFunc(left, func(a, b *childRow) int { return cmp.Compare(a.id, b.id) })
	return left
}

func (s *Service) leave(ctx context.Context, tx *db.Tx, gone []*childRow) error {
	if len(gone) == 0 {
		return nil
	}
	ids := make([]string, len(gone))
	for i, row := range gone {
		ids[i] = row.id
	}
	list, err := db.Column(ids)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE node SET present = 0, last_seen = $2 WHERE id `+db.Among(`$1`), list, s.now().UnixMicro())
	return err
}

// tell writes the events of what is new, came back, also from retirement, or left.
func (s *Service) tell(ctx context.Context, tx *db.Tx, host string, all []wire.Child, before map[wire.ChildKey]*childRow, gone []*childRow) error {
	after, err := children(ctx, tx, host)
	if err != nil {
		return err
	}
	if err := s.arrive(ctx, tx, arrived(all, before, after)); err != nil {
		return err
	}
	now, told := s.now(), map[string]bool{}
	say := func(kind string, row *childRow) error {
		if told[row.id] {
			return nil // it was named twice
		}
		told[row.id] = true
		return event.AppendTo(ctx, tx, now, event.Of(row.id), kind, row.id, map[string]any{"name": row.name, "kind": row.key.Kind, "host": host})
	}
	for _, c := range all {
		key := wire.ChildKey{Kind: c.Kind, Key: c.Key}
		switch was := before[key]; {
		case was == nil:
			err = say("node.registered", after[key])
		case was.retired:
			err = say("node.revived", after[key])
		case !was.present:
			err = say("node.started", after[key])
		default:
			if change, changed := was.labels.to(after[key].labels); changed {
				err = event.AppendTo(ctx, tx, now, event.Of(was.id), "node.labelled", was.id, change)
			}
		}
		if err != nil {
			return err
		}
	}
	for _, row := range gone {
		if err := say("node.stopped", row); err != nil {
			return err
		}
	}
	return nil
}

// arrived are the children that are new, or came back from retirement; one that was
// started again is not among them.
func arrived(all []wire.Child, before, after map[wire.ChildKey]*childRow) (nodes []NodeName) {
	seen := map[string]bool{}
	for _, c := range all {
		key := wire.ChildKey{Kind: c.Kind, Key: c.Key}
		row := after[key]
		if was := before[key]; (was == nil || was.retired) && !seen[row.id] {
			seen[row.id] = true
			nodes = append(nodes, NodeName{ID: row.id, Name: row.name, Kind: c.Kind})
		}
	}
	return nodes
}
