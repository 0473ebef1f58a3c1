package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/policy"
)

// Findings is what is asked about findings.
type Findings interface {
	// OpenedBy and ResolvedBy return what a scan or a re-match opened and resolved.
	OpenedBy(ctx context.Context, q db.Querier, c finding.Cause) ([]finding.Noted, error)
	ResolvedBy(ctx context.Context, q db.Querier, c finding.Cause) ([]finding.Noted, error)
	// Unresolved returns up to limit occurrences after one that are open, or decided, in order.
	Unresolved(ctx context.Context, q db.Querier, w finding.Which, after int64, limit int) ([]finding.Noted, error)
	// RetiredWith returns what was resolved because its node was retired.
	RetiredWith(ctx context.Context, q db.Querier, node string, from time.Time) ([]finding.Noted, error)
	// BecameOverdue returns open occurrences that were due on these days.
	BecameOverdue(ctx context.Context, q db.Querier, from, to time.Time, due finding.Due) ([]finding.Noted, error)
	Background(ctx context.Context, q db.Querier, vulnerabilities []int64) (map[int64]finding.Background, error)
}

// Nodes is what is asked about nodes.
type Nodes interface {
	Named(ctx context.Context, q db.Querier, ids []string) (map[string]policy.Node, error)
}

// happening is an event with what it means for findings, read once for all rules.
type happening struct {
	event.Event
	// kind is the type that rules know it by, where it is about findings: an event
	// may be several happenings.
	kind string
	// cause is the same however often the same is read: the scan, the re-match, or
	// the event.
	cause string
	// came are findings that a rule may tell of; went are findings that count no
	// more, so that what told of them may be over.
	came, went []finding.Noted
	// members are those of the event's data; what is no object has none.
	members map[string]any
}

// enough is how many occurrences are read at once.
const enough = 20_000

// happenings returns what an event means; the event itself comes last.
func (s *Service) happenings(ctx context.Context, q db.Querier, e event.Event) ([]happening, error) {
	var all []happening
	h := happening{Event: e, kind: OccurrenceOpened, cause: fmt.Sprint(e.ID), members: map[string]any{}}
	_ = json.Unmarshal(e.Data, &h.members)
	var err error
	switch e.Type {
	case "scan.completed":
		if changed(e.Data) {
			h.cause = e.Subject
			h.came, h.went, err = s.changedBy(ctx, q, finding.Cause{ID: e.Subject, Node: e.Audience.Node()})
			all = append(all, h)
		}
	case "rematch.completed", "rematch.overtaken", "rematch.failed":
		h.cause = rematchOf(e)
		var cause finding.Cause
		if cause, err = rematched(ctx, q, e, h.cause); err == nil {
			h.cause = fmt.Sprint(h.cause, "/", e.ID)
			h.came, h.went, err = s.changedBy(ctx, q, cause)
			all = append(all, h)
		}
	case "decision.created":
		h.went, err = s.decided(ctx, q, e, true)
		all = append(all, h)
	case "decision.revoked", "decision.expired":
		h.came, err = s.decided(ctx, q, e, false)
		all = append(all, h)
	case "node.decided":
		if h.came, err = s.ofNode(ctx, q, e, false); err == nil {
			h.went, err = s.ofNode(ctx, q, e, true)
		}
		all = append(all, h)
	case "node.retired":
		h.went, err = s.findings.RetiredWith(ctx, q, e.Subject, e.Time.Add(-time.Minute))
		all = append(all, h)
	case "vulnerability.reassessed":
		h.kind = OccurrenceReassessed
		h.came, err = s.unresolved(ctx, q, finding.Which{Vulnerability: e.Subject})
		all = append(all, h)
	case "occurrences.overdue":
		h.kind = OccurrenceOverdue
		h.came, err = s.overdue(ctx, q, e.Data)
		all = append(all, h)
	}
	if err != nil {
		return nil, fmt.Errorf("read what event %d means: %w", e.ID, err)
	}
	return append(all, happening{Event: e, kind: e.Type, cause: fmt.Sprint(e.ID), members: h.members}), nil
}

// changed tells of a scan whether it opened or resolved anything.
func changed(data json.RawMessage) bool {
	var counts struct{ Opened, Resolved int }
	return json.Unmarshal(data, &counts) != nil || counts.Opened+counts.Resolved > 0
}

// text is a member of an event's data; "" if it has no such text.
func text(data json.RawMessage, member string) string {
	members := map[string]any{}
	_ = json.Unmarshal(data, &members) // then it has none
	value, _ := members[member].(string)
	return value
}

func rematchOf(e event.Event) string {
	if id := text(e.Data, "rematch"); id != "" {
		return id
	}
	return e.Subject
}

// rematched says when a re-match ran, so that what it did need not be searched among
// all there is. It may be told of twice: when it fails, and once more when it ends after
// all, which is seconds later at least. What it did in between is what is news then.
func rematched(ctx context.Context, q db.Querier, e event.Event, id string) (finding.Cause, error) {
	c, err := db.One(q.QueryRowContext(ctx, `SELECT started_at FROM rematch WHERE id = $1`, id), func(scan db.Scan) (c finding.Cause, err error) {
		return c, scan(db.Time{Time: &c.From})
	})
	c.ID, c.To = id, e.Time
	if errors.Is(err, db.ErrNotFound) {
		c.To = c.From // swept; nothing is between two zero times
		return c, nil
	}
	if err != nil {
		return c, err
	}
	var failed time.Time
	err = q.QueryRowContext(ctx, `SELECT max(time) FROM event WHERE id < $1 AND type = 'rematch.failed' AND subject = $2 AND time >= $3`, e.ID, id, c.From.UnixMicro()).
		Scan(db.Time{Time: &failed})
	// Clocks of consoles differ, and one may finish what another began.
	c.From = c.From.Add(-time.Minute)
	if e.Type != "rematch.failed" {
		c.To = c.To.Add(time.Minute)
	}
	if !failed.IsZero() {
		c.From = failed.Add(time.Microsecond)
	}
	return c, err
}

func (s *Service) changedBy(ctx context.Context, q db.Querier, c finding.Cause) (came, went []finding.Noted, err error) {
	if came, err = s.findings.OpenedBy(ctx, q, c); err == nil {
		went, err = s.findings.ResolvedBy(ctx, q, c)
	}
	return came, went, err
}

// unresolved returns all that is open, or decided, of a vulnerability or on a node.
func (s *Service) unresolved(ctx context.Context, q db.Querier, w finding.Which) (all []finding.Noted, err error) {
	for after := int64(0); ; {
		some, err := s.findings.Unresolved(ctx, q, w, after, enough)
		all = append(all, some...)
		if err != nil || len(some) < enough {
			return all, err
		}
		after = some[enough-1].ID
	}
}

// decided returns what a decision is about that was taken, or of what it was about what
// counts again: on its node, its selector's nodes, or all.
func (s *Service) decided(ctx context.Context, q db.Querier, e event.Event, taken bool) ([]finding.Noted, error) {
	var said struct{ Vulnerability, Package, Selector string }
	if json.Unmarshal(e.Data, &said) != nil || said.Vulnerability == "" {
		return nil, nil
	}
	found, err := s.unresolved(ctx, q, finding.Which{Vulnerability: said.Vulnerability, Node: e.Audience.Node(), Decided: taken})
	if err != nil {
		return nil, err
	}
	if said.Package != "" {
		found = slices.DeleteFunc(found, func(n finding.Noted) bool { return n.Package != said.Package })
	}
	if said.Selector == "" || len(found) == 0 {
		return found, nil
	}
	selector, err := policy.Compile(said.Selector)
	if err != nil {
		return found, nil // another version of Patrol took it: rather too many than none
	}
	look := s.lookup(q)
	if err := look.know(ctx, found); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(n finding.Noted) bool {
		means, err := selector.Selects(look.nodes[n.NodeID], policy.Moment{Now: s.now()})
		return err == nil && !means
	}), nil
}

// overdue returns what became so on the days of an event.
func (s *Service) overdue(ctx context.Context, q db.Querier, data json.RawMessage) ([]finding.Noted, error) {
	var said struct {
		From string      `json:"from_day"`
		To   string      `json:"to_day"`
		Due  finding.Due `json:"due"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return nil, err
	}
	from, err := time.Parse(time.DateOnly, said.From)
	if err != nil {
		return nil, err
	}
	to, err := time.Parse(time.DateOnly, said.To)
	if err != nil {
		return nil, err
	}
	return s.findings.BecameOverdue(ctx, q, from, to, said.Due)
}

// ofNode returns what stands on a node, of the vulnerabilities of which decisions began
// or ceased to mean it.
func (s *Service) ofNode(ctx context.Context, q db.Querier, e event.Event, decided bool) ([]finding.Noted, error) {
	var said struct{ Vulnerabilities []string }
	if err := json.Unmarshal(e.Data, &said); err != nil {
		return nil, err
	}
	found, err := s.unresolved(ctx, q, finding.Which{Node: e.Subject, Decided: decided})
	return slices.DeleteFunc(found, func(n finding.Noted) bool { return !slices.Contains(said.Vulnerabilities, n.Vulnerability) }), err
}
