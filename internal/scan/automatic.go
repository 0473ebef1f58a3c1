package scan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/wire"
)

// Some scans nobody asks for: of a node that arrives, and of one whose packages
// change.

// changePause is how long after a scan because of a change has begun the next one of
// the same node may begin: what changes all the time is scanned once a minute, also
// where an agent begins late.
const changePause = time.Minute

// Automatic names the kinds of node that are scanned by themselves.
type Automatic struct {
	OnArrival, OnChange []string
}

// SetAutomatic is called while the console is built, before anything else: without
// it nothing is scanned by itself.
func (s *Service) SetAutomatic(settings func(context.Context, db.Querier) (Automatic, error)) {
	s.automatic = settings
}

// Arrive queues the scans of nodes that came, in the transaction by which they did.
func (s *Service) Arrive(ctx context.Context, tx *db.Tx, nodes []fleet.NodeName) error {
	wanted, err := s.automatic(ctx, tx)
	if err != nil {
		return err
	}
	var ids []string
	for _, n := range nodes {
		if slices.Contains(wanted.OnArrival, n.Kind) {
			ids = append(ids, n.ID)
		}
	}
	return s.queue(ctx, tx, ids, OnArrival)
}

// Changed takes an agent's word that packages changed on its host, or in containers
// there. What was being collected already is scanned once more when that scan ends;
// a scan that has not begun sees the change. Containers that the console was not
// told of yet come back as unknown.
func (s *Service) Changed(ctx context.Context, host string, in wire.ChangedRequest) (out wire.ChangedResponse, err error) {
	if len(in.Children) > wire.ChildrenLimit {
		return out, problem.Invalid("children", "a host has at most %d containers and images", wire.ChildrenLimit)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		wanted, err := s.automatic(ctx, tx)
		if err != nil {
			return err
		}
		known, err := childrenOf(ctx, tx, host, in.Children)
		if err != nil {
			return err
		}
		out = wire.ChangedResponse{}
		var nodes []string
		if in.Host && slices.Contains(wanted.OnChange, fleet.Host) {
			nodes = append(nodes, host)
		}
		for _, key := range in.Children {
			id, ok := known[key]
			switch {
			case !ok:
				out.Unknown = append(out.Unknown, key)
			case slices.Contains(wanted.OnChange, key.Kind):
				nodes = append(nodes, id)
			}
		}
		if err := repeat(ctx, tx, nodes); err != nil {
			return err
		}
		return s.queue(ctx, tx, nodes, OnChange)
	})
	if err != nil {
		return out, fmt.Errorf("note that packages changed on node %s: %w", host, err)
	}
	return out, nil
}

// childrenOf returns the ids of a host's containers and images by their keys.
func childrenOf(ctx context.Context, tx *db.Tx, host string, keys []wire.ChildKey) (map[wire.ChildKey]string, error) {
	known := make(map[wire.ChildKey]string, len(keys))
	if len(keys) == 0 {
		return known, nil
	}
	list, err := db.ToJSON(keys)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT n.kind, n.child_key, n.id FROM json_each($1) AS j
		JOIN node AS n ON n.host_id = $2 AND n.kind = value->>'kind' AND n.child_key = value->>'key'`, list, host)
	if err != nil {
		return nil, err
	}
	return known, db.Each(rows, func(scan db.Scan) error {
		var key wire.ChildKey
		var id string
		err := scan(&key.Kind, &key.Key, &id)
		known[key] = id
		return err
	})
}

// repeat marks the scans of these nodes whose collection has begun.
func repeat(ctx context.Context, tx *db.Tx, nodes []string) error {
	if len(nodes) == 0 {
		return nil
	}
	list, err := db.Column(nodes)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE scan SET again = 1 WHERE state IN ('collecting', 'matching')
		AND node_id `+db.Among(`$1`), list)
	return err
}

// startAgain queues the scan that is to follow one that has just ended.
func (s *Service) startAgain(ctx context.Context, tx *db.Tx, ended string) error {
	node, err := db.One(tx.QueryRowContext(ctx, `SELECT node_id FROM scan WHERE id = $1 AND again = 1`, ended), db.Value[string])
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look whether a scan follows %s: %w", ended, err)
	}
	return s.queue(ctx, tx, []string{node}, OnChange)
}

// queue queues a scan of each node that has an agent and no unfinished scan.
func (s *Service) queue(ctx context.Context, tx *db.Tx, nodes []string, trigger string) error {
	if len(nodes) == 0 {
		return nil
	}
	now := s.now()
	pauses, begin := make(map[string]time.Time), now
	if trigger == OnArrival {
		begin = s.arrivals.slot(now) // what one agent collects, it collects in turn anyhow
	} else {
		var err error
		if pauses, err = lastChanges(ctx, tx, nodes, now); err != nil {
			return err
		}
	}
	scans := make([]queued, len(nodes))
	for i, node := range nodes {
		scans[i] = queued{node, trigger, 1, begin}
		if last, ok := pauses[node]; ok {
			scans[i].due = last.Add(changePause)
		}
	}
	return s.insert(ctx, tx, scans)
}

// queued is a scan to be queued, and when it may begin.
type queued struct {
	node, cause string
	attempt     int
	due         time.Time
}

// insert queues the scans of nodes that have an agent and no unfinished scan, with two
// statements for however many they are, and wakes the agents.
func (s *Service) insert(ctx context.Context, tx *db.Tx, scans []queued) error {
	type row struct {
		ID      string `json:"id"`
		Command string `json:"command"`
		Node    string `json:"node"`
		Cause   string `json:"cause"`
		Attempt int    `json:"attempt"`
		Due     int64  `json:"due"`
	}
	rows := make([]row, len(scans))
	for i, q := range scans {
		rows[i] = row{db.NewID(), db.NewID(), q.node, q.cause, q.attempt, q.due.UnixMicro()}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, attempt, queued_at, due_at)
		SELECT value->>'id', n.id, 'queued', value->>'cause', '', '', CAST(value->>'attempt' AS BIGINT), CAST($2 AS BIGINT), CAST($2 AS BIGINT)
		FROM json_each($1) AS j JOIN node AS n ON n.id = value->>'node' WHERE n.uploaded = 0 AND n.retired_at IS NULL
		ON CONFLICT DO NOTHING`, list, s.now().UnixMicro())
	if err != nil {
		return fmt.Errorf("queue scans: %w", err)
	}
	// A container or an image is collected by the agent of its host.
	found, err := tx.QueryContext(ctx, `INSERT INTO command (id, node_id, kind, scan_id, state, due_at)
		SELECT value->>'command', COALESCE(n.host_id, n.id), 'scan', s.id, 'open', CAST(value->>'due' AS BIGINT)
		FROM json_each($1) AS j JOIN scan AS s ON s.id = value->>'id' JOIN node AS n ON n.id = s.node_id
		RETURNING node_id`, list)
	agents, err := db.All(found, err, db.Value[string])
	if err != nil {
		return fmt.Errorf("queue scans: %w", err)
	}
	slices.Sort(agents)
	agents = slices.Compact(agents)
	tx.AfterCommit(func() {
		for _, agent := range agents {
			s.signals.Wake(fleet.CommandTopic(agent))
		}
	})
	return nil
}

// lastChanges tells of those of the nodes of which a scan because of a change began
// within the pause when that was.
func lastChanges(ctx context.Context, tx *db.Tx, nodes []string, now time.Time) (map[string]time.Time, error) {
	list, err := db.Column(nodes)
	if err != nil {
		return nil, err
	}
	last := make(map[string]time.Time)
	// A node has one unfinished scan: the last that was queued is the last that began.
	rows, err := tx.QueryContext(ctx, `SELECT c.node, c.began FROM (SELECT value->>0 AS node, (SELECT s.started_at FROM scan AS s
			WHERE s.cause = 'change' AND s.node_id = j.value->>0 AND s.started_at IS NOT NULL AND s.queued_at <= $3 ORDER BY s.queued_at DESC LIMIT 1) AS began FROM json_each($1) AS j) AS c
		WHERE c.began > $2 AND c.began <= $3`, list, now.Add(-changePause).UnixMicro(), now.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("look for scans because of changes: %w", err)
	}
	return last, db.Each(rows, func(scan db.Scan) error {
		var node string
		var at time.Time
		err := scan(&node, db.Time{Time: &at})
		last[node] = at
		return err
	})
}

func (s *Service) changedRoute(mux wire.Mux) {
	mux.HandleFunc("POST /wire/v1/changed", wire.Handle("agent",
		func(r *http.Request, in wire.ChangedRequest) (wire.ChangedResponse, error) {
			return s.Changed(r.Context(), access.From(r.Context()).Node, in)
		}))
}
