package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/wire"
)

// Almost every heartbeat says what the one before said. Those that do are gathered
// for a moment and noted together, by one statement; every other one has a
// transaction of its own.

// gathering is how long heartbeats are gathered where there are many.
const gathering = 100 * time.Millisecond

// noting is how long it may take.
const noting = 30 * time.Second

// beat is a heartbeat on its way.
type beat struct {
	node, said string
	done       chan struct{} // closed once what follows is known
	same       bool          // it says what the node's agent said before
	sessions   sessions
	commands   bool // there is something to claim
	err        error
}

// beats are those that wait to be noted.
type beats struct {
	pause time.Duration // from one time to the next, at least
	// turn is held while some are noted: where that is slow the next are all the more,
	// and do not queue.
	turn sync.Mutex

	mu      sync.Mutex
	waiting []*beat
	next    time.Time // when they may be
}

// join adds a heartbeat. The first of them has to note them all, after a while.
func (b *beats) join(one *beat) (first bool, after time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, one)
	return len(b.waiting) == 1, time.Until(b.next)
}

func (b *beats) take() []*beat {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.waiting
	b.waiting, b.next = nil, time.Now().Add(b.pause)
	return taken
}

// Heartbeat notes that the node is there, and what its agent says of it. An agent
// that shows another's credential is refused while the other is there; both are
// told, and the logs.
func (s *Service) Heartbeat(ctx context.Context, node string, facts wire.Facts) (wire.HeartbeatResponse, error) {
	out := wire.HeartbeatResponse{Seconds: int(HeartbeatInterval / time.Second)}
	facts, err := check(facts)
	if err != nil {
		return out, err
	}
	digest, err := digestOfFacts(facts)
	if err != nil {
		return out, err
	}
	one := &beat{node: node, said: digest, done: make(chan struct{})}
	if first, after := s.beats.join(one); first {
		time.Sleep(after)
		s.noteNext(context.WithoutCancel(ctx))
	}
	select {
	case <-ctx.Done():
		return out, ctx.Err()
	case <-one.done:
	}
	if one.err != nil {
		return out, fmt.Errorf("note heartbeat of node %s: %w", node, one.err)
	}
	if !one.same {
		return s.hear(ctx, node, facts)
	}
	out.Shared, out.Commands = one.sessions.sharedAt(s.now()), one.commands
	return out, nil
}

// digestOfFacts names what an agent says.
func digestOfFacts(f wire.Facts) (string, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("encode the facts of %s: %w", f.Name, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]), nil
}

// noteNext notes those that wait.
func (s *Service) noteNext(ctx context.Context) {
	s.beats.turn.Lock()
	defer s.beats.turn.Unlock()
	s.note(ctx, s.beats.take())
}

// note notes of nodes whose agents say what they said before that they are there,
// and lets the heartbeats go on.
func (s *Service) note(ctx context.Context, all []*beat) {
	ctx, cancel := context.WithTimeout(ctx, noting)
	defer cancel()
	err := errors.New("the heartbeats were not noted") // unless they are
	defer func() {
		for _, one := range all {
			one.err = err
			close(one.done)
		}
	}()
	err = s.noteSame(ctx, all)
}

func (s *Service) noteSame(ctx context.Context, all []*beat) error {
	pairs, nodes := make([][2]string, len(all)), make([]string, len(all))
	for i, one := range all {
		pairs[i], nodes[i] = [2]string{one.node, one.said}, one.node
	}
	said, err := db.ToJSON(pairs)
	if err != nil {
		return err
	}
	type row struct {
		sessions sessions
		said     string
	}
	noted := make(map[string]row)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		clear(noted)
		now := s.now()
		type name struct{ id, name string }
		// After a console or a network was away for long, all nodes speak again at once.
		rows, err := tx.QueryContext(ctx, `SELECT DISTINCT node.id, node.name FROM json_each($1) AS j JOIN node ON node.id = value->>0 AND node.said = value->>1
			WHERE node.silent_at IS NOT NULL AND node.retired_at IS NULL`, said)
		again, err := db.All(rows, err, func(scan db.Scan) (n name, err error) { return n, scan(&n.id, &n.name) })
		if err != nil {
			return err
		}
		rows, err = tx.QueryContext(ctx, `UPDATE node SET last_seen = $2, silent_at = NULL FROM json_each($1) AS j
			WHERE node.id = value->>0 AND node.said = value->>1 AND node.retired_at IS NULL RETURNING node.id, node.said, node.sessions`, said, now.UnixMicro())
		if err != nil {
			return err
		}
		err = db.Each(rows, func(scan db.Scan) error {
			var id string
			var r row
			err := scan(&id, &r.said, db.JSON{Into: &r.sessions})
			noted[id] = r
			return err
		})
		for _, n := range again {
			if err == nil {
				err = s.write(ctx, tx, n.id, back(known{silent: true}, n.name))
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	commanded, err := s.commanded(ctx, nodes)
	for _, one := range all {
		r, ok := noted[one.node]
		one.same, one.sessions, one.commands = ok && r.said == one.said, r.sessions, commanded[one.node]
	}
	return err
}

// commanded are those of the nodes whose agents have something to claim.
func (s *Service) commanded(ctx context.Context, nodes []string) (map[string]bool, error) {
	list, err := db.Column(nodes)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	rows, err := s.db.Read().QueryContext(ctx, `SELECT node_id FROM command WHERE state = 'open' AND due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)
		AND node_id `+db.Among(`$1`), list, s.now().UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("find commands: %w", err)
	}
	return found, db.Each(rows, func(scan db.Scan) error {
		var id string
		err := scan(&id)
		found[id] = true
		return err
	})
}

// hear takes a heartbeat that says something new.
func (s *Service) hear(ctx context.Context, node string, facts wire.Facts) (wire.HeartbeatResponse, error) {
	out := wire.HeartbeatResponse{Seconds: int(HeartbeatInterval / time.Second)}
	var v verdict
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		k, err := db.One(tx.QueryRowContext(ctx, selectKnown+`WHERE id = $1`, node), readKnown)
		if errors.Is(err, db.ErrNotFound) {
			return problem.NotFound("node", node)
		} else if err != nil {
			return fmt.Errorf("read node %s: %w", node, err)
		}
		was := k.session
		var changed bool
		v, changed = k.judge(facts, now)
		out.Shared = k.sessions.sharedAt(now)
		if changed && v == clone {
			if err := keepSessions(ctx, tx, k); err != nil {
				return err
			}
		}
		var events []happened
		if v == welcome || v == caught {
			if k.isAnother(facts.Machine) {
				k.cloud, k.hardwareID = wire.Cloud{}, "" // whose node it was is gone
			}
			if events, err = s.seen(ctx, tx, k, facts); err != nil {
				return err
			}
		}
		if changed && (v == clone || v == caught) {
			refused := facts.Session
			if v == caught {
				refused = was
			}
			tx.AfterCommit(func() {
				slog.Warn("two agents use one credential; the later one is refused", "node", k.id, "heard_from", facts.Name, "refused_session", refused)
			})
			another := map[string]any{
				"name": facts.Name, "machine_id": facts.MachineID, "cloud_instance": facts.Machine.Cloud.Key(),
				"session": facts.Session, "refused_session": refused,
			}
			subject := audit.Subject{Kind: "node", ID: node, Name: k.name}
			if err := audit.Record(ctx, tx, now, "agent.credential_shared", subject, nil, another); err != nil {
				return err
			}
			events = append(events, happened{"node.credential_shared", another})
		}
		return s.write(ctx, tx, node, events)
	})
	if err == nil && v == clone {
		err = problem.Conflict("another agent uses this credential and is there: this machine is a clone of it, and needs an agent registered on its own")
	}
	return out, err
}
