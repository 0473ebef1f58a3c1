package scan

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"patrol/internal/collect"
	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

// Claim leases a node's next command to its agent; none if there is nothing to
// do. A command that has been begun too often fails, and its scan with it.
func (s *Service) Claim(ctx context.Context, node string) (out wire.ClaimResponse, err error) {
	out.Commands = []wire.Command{}
	// Most agents that ask find nothing, or nothing yet, and that costs no transaction.
	due, err := nextCommand(ctx, s.db.Read(), node)
	if err != nil || due.IsZero() {
		return out, err
	}
	if due.After(s.now()) {
		out.RetrySeconds = s.secondsTo(due)
		return out, nil
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		out = wire.ClaimResponse{Commands: []wire.Command{}} // also of a transaction that runs again
		claims, err := commands.Claim(ctx, tx, s.now(), 1, "node_id = $6", node)
		if err != nil {
			return err
		}
		if len(claims) == 0 {
			if due, err = nextCommand(ctx, tx, node); err == nil && !due.IsZero() {
				out.RetrySeconds = s.secondsTo(due)
			}
			return err
		}
		command, err := s.begin(ctx, tx, claims[0])
		if command.ID != "" {
			out.Commands = append(out.Commands, command)
		}
		return err
	})
	return out, err
}

// begin moves a claimed command's scan to collecting, or fails it; the command is
// zero then.
func (s *Service) begin(ctx context.Context, tx *db.Tx, claim lease.Claim) (wire.Command, error) {
	var scan string
	if err := tx.QueryRowContext(ctx, `SELECT scan_id FROM command WHERE id = $1`, claim.ID).Scan(&scan); err != nil {
		return wire.Command{}, err
	}
	if claim.Attempt > attempts {
		_, err := s.end(ctx, tx, scan, Failed, fmt.Sprintf("the agent began it %d times and never finished: see its log on the machine", attempts))
		return wire.Command{}, err
	}
	_, err := tx.ExecContext(ctx, `UPDATE scan SET state = $2, started_at = COALESCE(started_at, $3) WHERE id = $1`,
		scan, Collecting, s.now().UnixMicro())
	if err != nil {
		return wire.Command{}, fmt.Errorf("begin scan %s: %w", scan, err)
	}
	target, err := target(ctx, tx, scan)
	return wire.Command{
		ID: claim.ID, LeaseID: claim.LeaseID, LeaseSeconds: int(lease.Duration / time.Second), Kind: "scan", Scan: scan, Target: target,
	}, err
}

// target is the container or image that a scan is of; nil for the agent's host.
func target(ctx context.Context, tx *db.Tx, scan string) (*wire.Target, error) {
	row := tx.QueryRowContext(ctx, `SELECT n.kind, n.runtime, n.child_key FROM scan AS s JOIN node AS n ON n.id = s.node_id
		WHERE s.id = $1 AND n.host_id IS NOT NULL`, scan)
	t, err := db.One(row, func(scan db.Scan) (t wire.Target, err error) { return t, scan(&t.Kind, &t.Runtime, &t.Key) })
	if errors.Is(err, db.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the target of scan %s: %w", scan, err)
	}
	return &t, nil
}

// nextCommand is when there is a command of the node to claim: it is due, and no lease
// is on it any more. Zero if there is none.
func nextCommand(ctx context.Context, q db.Querier, node string) (at time.Time, err error) {
	row := q.QueryRowContext(ctx, `SELECT min(CASE WHEN lease_until > due_at THEN lease_until ELSE due_at END)
		FROM command WHERE state = 'open' AND node_id = $1`, node)
	if err := row.Scan(db.Time{Time: &at}); err != nil {
		return at, fmt.Errorf("look for commands of node %s: %w", node, err)
	}
	return at, nil
}

// secondsTo is how long an agent is to wait, rounded up.
func (s *Service) secondsTo(at time.Time) int { return max(1, int(at.Sub(s.now()).Seconds())+1) }

// Extend keeps a command for the agent that works on it.
func (s *Service) Extend(ctx context.Context, node, id string, in wire.ExtendRequest) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := owned(ctx, tx, node, id); err != nil {
			return err
		}
		return commands.Extend(ctx, tx, lease.Claim{ID: id, LeaseID: in.LeaseID}, s.now())
	})
}

// Finish takes what the agent collected. If the console lacks the document it
// says so and keeps the lease: the agent sends it and finishes again. To finish
// what this lease has finished already is fine: the first answer was lost.
func (s *Service) Finish(ctx context.Context, node, id string, in wire.FinishRequest) (out wire.FinishResponse, err error) {
	var document fleet.SBOM
	var known bool
	if in.Error == "" {
		if document, known, err = s.fleet.Lookup(ctx, in.DocumentDigest); err != nil {
			return out, err
		}
	}
	warnings, err := db.ToJSON(append([]collect.Warning{}, in.Warnings...)) // [], never null
	if err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		out = wire.FinishResponse{} // also of a transaction that runs again
		if err := owned(ctx, tx, node, id); err != nil {
			return err
		}
		if known {
			// A document that nobody had may have been swept since.
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sbom WHERE id = $1)`, document.ID).Scan(&known); err != nil {
				return err
			}
		}
		var scan, state, holder string
		err := tx.QueryRowContext(ctx, `SELECT scan_id, state, COALESCE(lease_id, '') FROM command WHERE id = $1`, id).Scan(&scan, &state, &holder)
		if err != nil {
			return err
		}
		if state == "done" && holder == in.LeaseID {
			return nil
		}
		claim := lease.Claim{ID: id, LeaseID: in.LeaseID}
		if in.Error == "" && !known {
			out.Send = true
			return commands.Extend(ctx, tx, claim, s.now())
		}
		if err := commands.Finish(ctx, tx, claim, "done"); err != nil {
			return err
		}
		if in.Error != "" {
			return s.fail(ctx, tx, scan, sbom.CleanText(in.Error[:min(len(in.Error), maxError)]))
		}
		_, err = tx.ExecContext(ctx, `UPDATE scan SET state = $2, sbom_id = $3, warnings = $4, due_at = $5 WHERE id = $1`,
			scan, Matching, document.ID, warnings, s.now().UnixMicro())
		tx.AfterCommit(func() { s.signals.Wake(matchTopic) })
		return err
	})
	return out, err
}

// maxError is how much of what an agent says went wrong is kept, in bytes.
const maxError = 4096

// owned refuses commands of other nodes.
func owned(ctx context.Context, tx *db.Tx, node, id string) error {
	var owner string
	err := tx.QueryRowContext(ctx, `SELECT node_id FROM command WHERE id = $1`, id).Scan(&owner)
	if errors.Is(err, sql.ErrNoRows) || (err == nil && owner != node) {
		return problem.NotFound("command", id)
	}
	return err
}

// Wire adds what agents ask.
func (s *Service) Wire(mux wire.Mux) {
	node := func(r *http.Request) string { return access.From(r.Context()).Node }
	mux.HandleFunc("POST /wire/v1/commands/claim", wire.Handle("agent",
		func(r *http.Request, _ struct{}) (wire.ClaimResponse, error) {
			return s.Claim(r.Context(), node(r))
		}))
	s.changedRoute(mux)
	mux.HandleFunc("POST /wire/v1/commands/{id}/extend", wire.Handle("agent",
		func(r *http.Request, in wire.ExtendRequest) (struct{}, error) {
			return struct{}{}, s.Extend(r.Context(), node(r), r.PathValue("id"), in)
		}))
	mux.HandleFunc("POST /wire/v1/commands/{id}/finish", wire.Handle("agent",
		func(r *http.Request, in wire.FinishRequest) (wire.FinishResponse, error) {
			return s.Finish(r.Context(), node(r), r.PathValue("id"), in)
		}))
}
