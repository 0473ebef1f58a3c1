package finding

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// The statuses of a decision.
const (
	NotAffected   = "not_affected"
	FalsePositive = "false_positive"
	RiskAccepted  = "risk_accepted"
)

// DecisionRequest is what somebody decides about occurrences of a vulnerability.
// Without node and selector it is about all nodes.
type DecisionRequest struct {
	Vulnerability string `json:"vulnerability" minLength:"1" maxLength:"200" doc:"Its name, such as CVE-2024-28757."`
	Package       string `json:"package,omitempty" maxLength:"500" doc:"As the advisories name it; any, if left out."`
	Status        string `json:"status" enum:"not_affected,false_positive,risk_accepted"`
	// Justification is one of OpenVEX's status justifications.
	Justification string `json:"justification,omitempty" enum:"component_not_present,vulnerable_code_not_present,vulnerable_code_not_in_execute_path,vulnerable_code_cannot_be_controlled_by_adversary,inline_mitigations_already_exist" doc:"Of not_affected, which needs one."`
	Reason        string `json:"reason" minLength:"1" maxLength:"4000"`
	Node          string `json:"node,omitempty" doc:"Id of the one node that it is about."`
	Selector      string `json:"selector,omitempty" maxLength:"4000" doc:"CEL over node: those that it is about."`
	// Until is when it ends; a risk is not accepted for ever.
	Until *time.Time `json:"until,omitempty" doc:"When it ends; risk_accepted needs it."`
}

// Decision is one that was taken.
type Decision struct {
	ID string `json:"id"`
	DecisionRequest
	Author    string    `json:"author"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiredAt is when it ended; what it was about counts again since.
	ExpiredAt time.Time `json:"expired_at,omitzero"`
	// Occurrences are those that do not count because of it.
	Occurrences int `json:"occurrences"`
}

func (r DecisionRequest) check(now time.Time) error {
	switch {
	case r.Node != "" && r.Selector != "":
		return problem.Invalid("selector", "a decision is about one node, about those of a selector, or about all")
	case r.Status == NotAffected && r.Justification == "":
		return problem.Invalid("justification", "not_affected needs one")
	case r.Status != NotAffected && r.Justification != "":
		return problem.Invalid("justification", "is for not_affected alone")
	case r.Status == RiskAccepted && r.Until == nil:
		return problem.Invalid("until", "a risk is accepted until a date")
	case r.Until != nil && !r.Until.After(now):
		return problem.Invalid("until", "is past")
	}
	return nil
}

// Decide takes a decision, which applies at once.
func (s *Service) Decide(ctx context.Context, r DecisionRequest, author string) (Decision, error) {
	now := s.now()
	if err := r.check(now); err != nil {
		return Decision{}, err
	}
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return Decision{}, err
	}
	if err := s.exists(ctx, Query{Node: r.Node}, scope); err != nil {
		return Decision{}, err
	}
	id := db.NewID()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var until any
		if r.Until != nil {
			until = db.Micros(*r.Until)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO decision (id, vulnerability, package, status, justification, reason, author, node_id, selector, until, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			id, r.Vulnerability, r.Package, r.Status, r.Justification, r.Reason, author, r.Node, r.Selector, until, now.UnixMicro())
		if err != nil {
			return err
		}
		if r.Selector != "" {
			if err := s.selectFor(ctx, tx, id, r.Selector); err != nil {
				return err
			}
		}
		if err := reconsider(ctx, tx, r.Vulnerability); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, now, "decision.created", audit.Subject{Kind: "decision", ID: id, Name: r.Vulnerability}, nil, r); err != nil {
			return err
		}
		return event.AppendTo(ctx, tx, now, audienceOf(r), "decision.created", id, map[string]any{
			"vulnerability": r.Vulnerability, "package": r.Package, "status": r.Status, "author": author,
		})
	})
	if err != nil {
		return Decision{}, err
	}
	return s.Decision(ctx, id)
}

// selectFor keeps whom a selector means.
func (s *Service) selectFor(ctx context.Context, tx *db.Tx, id, selector string) error {
	nodes, err := s.nodes.Select(ctx, tx, selector)
	if err != nil {
		return err
	}
	list, err := db.Column(nodes)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO decision_node (decision_id, node_id) SELECT $2, value->>0 FROM json_each($1) AS j`, list, id)
	return err
}

// reconsider applies the decisions about a vulnerability to its occurrences.
func reconsider(ctx context.Context, tx *db.Tx, vulnerability string) error {
	row := tx.QueryRowContext(ctx, `SELECT id FROM vulnerability WHERE name = $1`, vulnerability)
	id, err := db.One(row, func(scan db.Scan) (id int64, err error) { return id, scan(&id) })
	if errors.Is(err, db.ErrNotFound) {
		return nil // not found anywhere yet
	}
	if err != nil {
		return err
	}
	return countVulnerabilities(ctx, tx, []int64{id}, func() error { return apply(ctx, tx, `o.vulnerability_id = $1`, id) })
}

// apply says of occurrences by which decision they do not count, if by one: the
// first of several.
func apply(ctx context.Context, tx *db.Tx, which string, arg any) error {
	_, err := tx.ExecContext(ctx, `UPDATE occurrence SET decision_id = e.decision_id, state = CASE WHEN e.decision_id IS NULL THEN 'open' ELSE 'decided' END
		FROM (SELECT o.id AS id, (SELECT min(d.id) FROM decision AS d WHERE d.expired_at IS NULL AND d.vulnerability = v.name
				AND d.package IN ('', o.package) AND d.node_id IN ('', o.node_id)
				AND (d.selector = '' OR EXISTS (SELECT 1 FROM decision_node AS m WHERE m.decision_id = d.id AND m.node_id = o.node_id))) AS decision_id
			FROM occurrence AS o JOIN vulnerability AS v ON v.id = o.vulnerability_id
			WHERE o.state IN ('open', 'decided') AND `+which+`) AS e
		WHERE occurrence.id = e.id AND occurrence.decision_id IS DISTINCT FROM e.decision_id`, arg)
	if err != nil {
		return fmt.Errorf("apply decisions: %w", err)
	}
	return nil
}

// applyTo applies the decisions to a node's occurrences. Its labels may have
// changed, and with them what selectors mean.
func (s *Service) applyTo(ctx context.Context, tx *db.Tx, node string) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, selector FROM decision WHERE selector <> '' AND expired_at IS NULL`)
	decisions, err := db.All(rows, err, func(scan db.Scan) (d [2]string, err error) { return d, scan(&d[0], &d[1]) })
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM decision_node WHERE node_id = $1`, node); err != nil {
		return err
	}
	meant := []string{}
	for _, d := range decisions {
		ok, err := s.nodes.Selects(ctx, tx, d[1], node)
		if err != nil {
			// It was checked when it was saved; that it fails on this node means that
			// it does not mean this node, and no scan may fail by it.
			slog.WarnContext(ctx, "the selector of a decision fails on a node", "decision", d[0], "node", node, "error", err)
		}
		if ok {
			meant = append(meant, d[0])
		}
	}
	list, err := db.Column(meant)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO decision_node (decision_id, node_id) SELECT value->>0, $2 FROM json_each($1) AS j`, list, node)
	if err != nil {
		return err
	}
	return apply(ctx, tx, `o.node_id = $1`, node)
}

// Revoke ends a decision as if it had never been taken.
func (s *Service) Revoke(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		d, err := s.decision(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM decision WHERE id = $1`, id); err != nil {
			return err
		}
		if err := reconsider(ctx, tx, d.Vulnerability); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, s.now(), "decision.revoked", audit.Subject{Kind: "decision", ID: id, Name: d.Vulnerability}, d, nil); err != nil {
			return err
		}
		return event.AppendTo(ctx, tx, s.now(), audienceOf(d.DecisionRequest), "decision.revoked", id, map[string]any{"vulnerability": d.Vulnerability, "package": d.Package})
	})
}

// Run ends decisions whose time has come, until the context ends.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	failing := logs.Lasting{What: "decisions could not be ended; it will be tried again"}
	for {
		failing.Note(ctx, s.Expire(ctx))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Expire ends decisions whose time has come: what they were about counts again, and
// an event says so.
func (s *Service) Expire(ctx context.Context) error {
	now := s.now()
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id FROM decision WHERE until <= $1 AND expired_at IS NULL ORDER BY until`, now.UnixMicro())
	ended, err := db.All(rows, err, func(scan db.Scan) (id string, err error) { return id, scan(&id) })
	if err != nil {
		return err
	}
	for _, id := range ended {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.expire(ctx, tx, id, now) }); err != nil {
			return fmt.Errorf("end decision %s: %w", id, err)
		}
	}
	return nil
}

func (s *Service) expire(ctx context.Context, tx *db.Tx, id string, now time.Time) error {
	d, err := s.decision(ctx, tx, id)
	if err != nil || !d.ExpiredAt.IsZero() {
		return err // another console was first
	}
	if _, err := tx.ExecContext(ctx, `UPDATE decision SET expired_at = $2 WHERE id = $1`, id, now.UnixMicro()); err != nil {
		return err
	}
	if err := reconsider(ctx, tx, d.Vulnerability); err != nil {
		return err
	}
	slog.WarnContext(ctx, "a decision expired; what it was about counts again", "vulnerability", d.Vulnerability, "status", d.Status, "author", d.Author, "occurrences", d.Occurrences)
	return event.AppendTo(ctx, tx, now, audienceOf(d.DecisionRequest), "decision.expired", id, map[string]any{
		"vulnerability": d.Vulnerability, "package": d.Package, "status": d.Status, "author": d.Author, "reason": d.Reason, "occurrences": d.Occurrences,
	})
}

// DecisionQuery says which decisions a list holds; empty fields hold for all.
type DecisionQuery struct {
	Vulnerability string `query:"vulnerability"`
	Status        string `query:"status" enum:"not_affected,false_positive,risk_accepted"`
	State         string `query:"state" enum:"active,expired,all" default:"active"`
}

// selectDecisions shows how many occurrences do not count because of each, of those
// that a condition holds for.
func selectDecisions(condition string) string {
	return `SELECT d.id, d.vulnerability, d.package, d.status, d.justification, d.reason, d.author, d.node_id, d.selector, d.until, d.created_at, d.expired_at,
		(SELECT count(*) FROM occurrence AS o WHERE o.decision_id = d.id AND o.state = 'decided'` + condition + `) FROM decision AS d`
}

func readDecision(scan db.Scan) (d Decision, err error) {
	var until time.Time
	err = scan(&d.ID, &d.Vulnerability, &d.Package, &d.Status, &d.Justification, &d.Reason, &d.Author, &d.Node, &d.Selector,
		db.Time{Time: &until}, db.Time{Time: &d.CreatedAt}, db.Time{Time: &d.ExpiredAt}, &d.Occurrences)
	if !until.IsZero() {
		d.Until = &until
	}
	return d, err
}

// Decisions lists decisions, newest first.
func (s *Service) Decisions(ctx context.Context, q DecisionQuery, p rest.Paging) (rest.Page[Decision], error) {
	before := "~" // sorts after every id
	if err := p.Decode(&before); err != nil {
		return rest.Page[Decision]{}, err
	}
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return rest.Page[Decision]{}, err
	}
	var args arguments
	counted, where := ``, `d.id < `+args.add(before)
	if scope.Column != fleet.All {
		seen := args.add(scope.Column)
		counted, where = ` AND `+among(`o.node_id`, seen), where+` AND `+concerns(seen)
	}
	if q.Vulnerability != "" {
		where += ` AND d.vulnerability = ` + args.add(q.Vulnerability)
	}
	if q.Status != "" {
		where += ` AND d.status = ` + args.add(q.Status)
	}
	switch q.State {
	case "", "active":
		where += ` AND d.expired_at IS NULL`
	case "expired":
		where += ` AND d.expired_at IS NOT NULL`
	}
	rows, err := s.db.Read().QueryContext(ctx, selectDecisions(counted)+` WHERE `+where+` ORDER BY d.id DESC LIMIT `+args.add(p.Limit+1), args...)
	items, err := db.All(rows, err, readDecision)
	if err != nil {
		return rest.Page[Decision]{}, fmt.Errorf("list decisions: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(d Decision) any { return d.ID })
}

// Decision returns one.
func (s *Service) Decision(ctx context.Context, id string) (Decision, error) {
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return Decision{}, err
	}
	if scope.Column == fleet.All {
		return s.decision(ctx, s.db.Read(), id)
	}
	row := s.db.Read().QueryRowContext(ctx, selectDecisions(` AND `+among(`o.node_id`, `$2`))+` WHERE d.id = $1 AND `+concerns(`$2`), id, scope.Column)
	return decisionOf(row, id)
}

func (s *Service) decision(ctx context.Context, q db.Querier, id string) (Decision, error) {
	return decisionOf(q.QueryRowContext(ctx, selectDecisions(``)+` WHERE d.id = $1`, id), id)
}

func decisionOf(row *sql.Row, id string) (Decision, error) {
	d, err := db.One(row, readDecision)
	if errors.Is(err, db.ErrNotFound) {
		return d, problem.NotFound("decision", id)
	}
	return d, err
}
