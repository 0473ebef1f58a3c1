package fleet

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/wire"
)

// Register gives an agent its node and a credential for it. The same key gives
// the same node, with a new credential.
func (s *Service) Register(ctx context.Context, in wire.RegisterRequest) (out wire.RegisterResponse, err error) {
	if in.Facts.Protocol != wire.Version {
		return out, problem.Conflict("this console speaks protocol %d and the agent %d: install the console's version of patrol", wire.Version, in.Facts.Protocol)
	}
	if len(in.Key) < 16 || len(in.Key) > maxFact {
		return out, problem.Invalid("key", "needs 16 to %d characters", maxFact)
	}
	if err := check(in.Facts); err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if out.Node, err = s.register(ctx, tx, in); err != nil {
			return fmt.Errorf("register node %s: %w", in.Facts.Name, err)
		}
		if err := s.seen(ctx, tx, out.Node, in.Facts); err != nil {
			return err
		}
		issued, err := s.auth.IssueAgent(ctx, tx, out.Node, in.Facts.Name)
		out.Credential = issued.Token
		return err
	})
	return out, err
}

// What an agent may say of its machine: everybody who lists nodes reads it.
const (
	maxFact   = 256 // bytes
	maxLabels = 64
)

func check(f wire.Facts) error {
	if f.Name == "" {
		return problem.Invalid("name", "is empty")
	}
	said := []string{f.Name, f.Agent, f.MachineID, f.Architecture, f.Kernel, f.Distribution.ID, f.Distribution.Version, f.Distribution.Name}
	for key, value := range f.Labels {
		said = append(said, key, value)
	}
	if len(f.Labels) > maxLabels || slices.ContainsFunc(said, func(text string) bool { return len(text) > maxFact }) {
		return problem.Invalid("facts", "a machine has at most %d labels, and each fact %d bytes", maxLabels, maxFact)
	}
	return nil
}

// register returns the node of a key; a new one is an event.
func (s *Service) register(ctx context.Context, tx *db.Tx, in wire.RegisterRequest) (string, error) {
	row := tx.QueryRowContext(ctx, `SELECT id FROM node WHERE enrolment_key = $1`, in.Key)
	id, err := db.One(row, func(scan db.Scan) (id string, err error) { return id, scan(&id) })
	if err != db.ErrNotFound {
		return id, err
	}
	id = db.NewID()
	now := s.now()
	_, err = tx.ExecContext(ctx, `INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen)
		VALUES ($1, $2, $3, $4, '', '{}', '', '', '', '{}', $5, $5)`, id, in.Key, Host, in.Facts.Name, now.UnixMicro())
	if err != nil {
		return "", err
	}
	return id, event.Append(ctx, tx, now, "node.registered", id, map[string]any{"name": in.Facts.Name, "kind": Host})
}

// Heartbeat notes that the node is there, and what its agent says of it.
func (s *Service) Heartbeat(ctx context.Context, node string, facts wire.Facts) error {
	if err := check(facts); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return s.seen(ctx, tx, node, facts) })
}

func (s *Service) seen(ctx context.Context, tx *db.Tx, node string, f wire.Facts) error {
	distribution, err := db.ToJSON(f.Distribution)
	if err != nil {
		return err
	}
	if f.Labels == nil {
		f.Labels = map[string]string{}
	}
	labels, err := db.ToJSON(f.Labels)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE node SET name = $2, machine_id = $3, distribution = $4, architecture = $5, kernel = $6, agent = $7, labels = $8, last_seen = $9 WHERE id = $1`,
		node, f.Name, f.MachineID, distribution, f.Architecture, f.Kernel, f.Agent, labels, s.now().UnixMicro())
	if err != nil {
		return fmt.Errorf("note heartbeat of node %s: %w", node, err)
	}
	return keepLabels(ctx, tx, node, f.Labels)
}

// Get returns one node.
func (s *Service) Get(ctx context.Context, id string) (Node, error) {
	node, err := db.One(s.db.Read().QueryRowContext(ctx, selectNodes+` WHERE n.id = $1`, id), s.readNode)
	if err == db.ErrNotFound {
		return node, problem.NotFound("node", id)
	}
	return node, err
}

// selectNodes reads what other rooms write of a node (its scans and occurrences):
// reading may join, writing never crosses rooms.
const selectNodes = `SELECT n.id, n.kind, n.name, n.machine_id, n.distribution, n.architecture, n.kernel, n.agent, n.labels, n.first_seen, n.last_seen,
	last.id, last.state, last.finished_at,
	(SELECT json_group_object(severity, open) FROM node_count WHERE node_id = n.id),
	(SELECT CAST(sum(decided) AS BIGINT) FROM node_count WHERE node_id = n.id),
	i.ecosystems, r.uncovered, good.not_assessed
	FROM node AS n
	LEFT JOIN scan AS last ON last.id = (SELECT max(id) FROM scan WHERE node_id = n.id)
	LEFT JOIN sbom AS b ON b.id = n.sbom_id
	LEFT JOIN inventory AS i ON i.id = b.inventory_id
	LEFT JOIN scan AS good ON good.id = (SELECT max(id) FROM scan WHERE node_id = n.id AND state = 'complete')
	LEFT JOIN result AS r ON r.id = good.result_id`

func (s *Service) readNode(scan db.Scan) (Node, error) {
	n := Node{NotAssessed: []match.NotAssessed{}}
	var last struct {
		id, state *string
		finished  time.Time
	}
	var decided sql.NullInt64
	var ecosystems []string
	var blind []match.NotAssessed
	err := scan(&n.ID, &n.Kind, &n.Name, &n.MachineID, db.JSON{Into: &n.Distribution}, &n.Architecture, &n.Kernel, &n.AgentVersion,
		db.JSON{Into: &n.Labels}, db.Time{Time: &n.FirstSeen}, db.Time{Time: &n.LastSeen},
		&last.id, &last.state, db.Time{Time: &last.finished},
		db.JSON{Into: &n.Counts}, &decided, db.JSON{Into: &ecosystems}, db.JSON{Into: &n.NotAssessed}, db.JSON{Into: &blind})
	if err != nil {
		return n, err
	}
	now := s.now()
	n.State = state(n.LastSeen, now)
	n.Decided = int(decided.Int64)
	if last.id != nil {
		n.LastScan = &LastScan{ID: *last.id, State: *last.state, FinishedAt: last.finished}
	}
	n.NotAssessed = append(append(n.NotAssessed, blind...), match.Unsupported(ecosystems, now)...)
	return n, nil
}
