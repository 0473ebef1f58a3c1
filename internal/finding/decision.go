package finding

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
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
	// Component is a purl: a component at its version, or at any if it tells none.
	Component string `json:"component,omitempty" maxLength:"1000" doc:"purl of the one component that it is about, at its version if it has one. What else a node has of the package counts on." example:"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12"`
	Status    string `json:"status" enum:"not_affected,false_positive,risk_accepted"`
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

// check refuses what cannot be decided, and returns the component that it is about.
func (r DecisionRequest) check(now time.Time) (about named, err error) {
	for _, said := range []struct {
		field, text string
		most        int
	}{
		{"vulnerability", r.Vulnerability, 200 * utf8.UTFMax},
		{"package", r.Package, 500 * utf8.UTFMax},
		{"component", r.Component, 1000 * utf8.UTFMax},
		{"reason", r.Reason, 4000 * utf8.UTFMax},
		{"selector", r.Selector, 4000 * utf8.UTFMax},
		{"node", r.Node, 200},
	} {
		switch {
		case !isText(said.text):
			return about, problem.Invalid(said.field, "is no text")
		case len(said.text) > said.most:
			return about, problem.Invalid(said.field, "has more than %d bytes", said.most)
		}
	}
	switch {
	case r.Node != "" && r.Selector != "":
		return about, problem.Invalid("selector", "a decision is about one node, about those of a selector, or about all")
	case r.Package != "" && r.Component != "":
		return about, problem.Invalid("component", "a decision is about a package, or about a component of it")
	case r.Status == NotAffected && r.Justification == "":
		return about, problem.Invalid("justification", "not_affected needs one")
	case r.Status != NotAffected && r.Justification != "":
		return about, problem.Invalid("justification", "is for not_affected alone")
	case r.Status == RiskAccepted && r.Until == nil:
		return about, problem.Invalid("until", "a risk is accepted until a date")
	case r.Until != nil && !r.Until.After(now):
		return about, problem.Invalid("until", "is past")
	}
	if r.Component != "" {
		if about, err = namedBy(r.Component); err != nil {
			return about, problem.Invalid("component", "%v", err)
		}
	}
	return about, nil
}

// isText tells whether both databases can hold it.
func isText(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// told is what events say of a decision. How many occurrences it is about is counted
// over all nodes, and is not for those who see some of them.
func (d Decision) told() map[string]any {
	told := map[string]any{
		"vulnerability": d.Vulnerability, "package": d.Package, "status": d.Status, "author": d.Author, "reason": d.Reason,
	}
	if audienceOf(d.DecisionRequest) != event.Everybody {
		told["occurrences"] = d.Occurrences
	}
	if d.Component != "" {
		told["component"] = d.Component
	}
	if d.Selector != "" {
		told["selector"] = d.Selector
	}
	if d.Until != nil {
		told["until"] = *d.Until
	}
	return told
}

// ifGone takes a decision that is not there any more for nothing left to do.
func ifGone(err error) error {
	var p *problem.Error
	if errors.As(err, &p) && p.Kind == problem.KindNotFound {
		return nil
	}
	return err
}

// Decide takes a decision, which applies at once.
func (s *Service) Decide(ctx context.Context, r DecisionRequest, author string) (Decision, error) {
	about, err := r.check(s.now())
	if err != nil {
		return Decision{}, err
	}
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return Decision{}, err
	}
	if err := s.exists(ctx, Query{Node: r.Node}, scope); err != nil {
		return Decision{}, err
	}
	var id string
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var meant []string
		if r.Selector != "" {
			if meant, err = s.nodes.Select(ctx, tx, r.Selector); err != nil {
				return err
			}
		}
		if id, err = s.take(ctx, tx, r, about, meant, author); err != nil {
			return err
		}
		return reconsider(ctx, tx, r.Vulnerability)
	})
	if err != nil {
		return Decision{}, err
	}
	return s.Decision(ctx, id)
}

// take writes a decision, which is still to be applied, with the nodes that its
// selector means.
func (s *Service) take(ctx context.Context, tx *db.Tx, r DecisionRequest, about named, meant []string, author string) (id string, err error) {
	id, now := db.NewID(), s.now()
	_, err = tx.ExecContext(ctx, `INSERT INTO decision (id, vulnerability, package, component, ecosystem, name, version, source, status, justification, reason, author, node_id, selector, until, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		id, r.Vulnerability, r.Package, r.Component, about.ecosystem, about.name, about.version, db.Bit(about.source),
		r.Status, r.Justification, r.Reason, author, r.Node, r.Selector, r.end(), now.UnixMicro())
	if err != nil {
		return "", fmt.Errorf("keep a decision about %s: %w", r.Vulnerability, err)
	}
	if err := selectFor(ctx, tx, id, meant); err != nil {
		return "", err
	}
	if err := audit.Record(ctx, tx, now, "decision.created", audit.Subject{Kind: "decision", ID: id, Name: r.Vulnerability}, nil, r); err != nil {
		return "", err
	}
	if r.Until != nil {
		tx.Wake(expiryTopic)
	}
	told := map[string]any{"vulnerability": r.Vulnerability, "package": r.Package, "status": r.Status, "author": author}
	if r.Component != "" {
		told["component"] = r.Component
	}
	if r.Selector != "" {
		told["selector"] = r.Selector
	}
	return id, event.AppendTo(ctx, tx, now, audienceOf(r), "decision.created", id, told)
}

// end is the column value of when it ends.
func (r DecisionRequest) end() any {
	if r.Until == nil {
		return nil
	}
	return db.Micros(*r.Until)
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
		return event.AppendTo(ctx, tx, s.now(), audienceOf(d.DecisionRequest), "decision.revoked", id, d.told())
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
	return `SELECT d.id, d.vulnerability, d.package, d.component, d.status, d.justification, d.reason, d.author, d.node_id, d.selector, d.until, d.created_at, d.expired_at,
		(SELECT count(*) FROM occurrence AS o WHERE o.decision_id = d.id AND o.state = 'decided'` + condition + `) FROM decision AS d`
}

func readDecision(scan db.Scan) (d Decision, err error) {
	var until time.Time
	err = scan(&d.ID, &d.Vulnerability, &d.Package, &d.Component, &d.Status, &d.Justification, &d.Reason, &d.Author, &d.Node, &d.Selector,
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
		counted, where = ` AND o.node_id `+db.Among(seen), where+` AND `+concerns(seen)
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
	row := s.db.Read().QueryRowContext(ctx, selectDecisions(` AND o.node_id `+db.Among(`$2`))+` WHERE d.id = $1 AND `+concerns(`$2`), id, scope.Column)
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
