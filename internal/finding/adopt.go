package finding

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// What a document asserts becomes decisions: first it is judged what can be used,
// then that is taken.

// about is what the latest assertion has the last word on.
func (a *Assertion) about() [2]string { return [2]string{a.Vulnerability, a.place} }

// identify gives vulnerabilities that a document knows by a GHSA alone the names
// that they have here. A GHSA of several CVEs stays what it is.
func (s *Service) identify(ctx context.Context, all []*Assertion) error {
	if !slices.ContainsFunc(all, func(a *Assertion) bool { return !match.IsCVE(a.Vulnerability) }) {
		return nil
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT name, aliases FROM vulnerability WHERE aliases <> '[]'`)
	if err != nil {
		return fmt.Errorf("read other names of vulnerabilities: %w", err)
	}
	names := make(map[string][]string)
	err = db.Each(rows, func(scan db.Scan) error {
		var name string
		var aliases []string
		err := scan(&name, db.JSON{Into: &aliases})
		for _, alias := range aliases {
			names[alias] = append(names[alias], name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read other names of vulnerabilities: %w", err)
	}
	for _, a := range all {
		if known := names[a.Vulnerability]; !match.IsCVE(a.Vulnerability) && len(known) == 1 {
			a.Vulnerability, a.request.Vulnerability = known[0], known[0]
		}
	}
	return nil
}

// judge says which assertions cannot be used. Where several are about one place,
// the latest has the last word (OpenVEX, "Updating Statements").
func (s *Service) judge(ctx context.Context, all []*Assertion, means selections) error {
	if err := s.identify(ctx, all); err != nil {
		return err
	}
	last := make(map[[2]string]*Assertion)
	for _, a := range all {
		if before := last[a.about()]; a.place != "" && (before == nil || !a.at.Before(before.at)) {
			last[a.about()] = a
		}
	}
	now := s.now()
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return err
	}
	exist := make(map[string]error) // nodes
	for _, a := range all {
		if a.Reason != "" {
			continue
		}
		if later := last[a.about()]; later != a {
			a.Reason = fmt.Sprintf("statement %d speaks later of the same", later.Statement)
			continue
		}
		a.named, err = a.request.check(now)
		if node := a.request.Node; err == nil && node != "" {
			if _, asked := exist[node]; !asked {
				exist[node] = s.exists(ctx, Query{Node: node}, scope)
			}
			err = exist[node]
		}
		if selector := a.request.Selector; err == nil && selector != "" {
			err = s.selects(ctx, means, selector)
		}
		var p *problem.Error
		switch {
		case errors.As(err, &p):
			a.Reason = p.Error()
		case err != nil:
			return err
		}
	}
	return nil
}

// takeAll takes the decisions, those about one vulnerability together and some
// hundred in one transaction: a document may be about thousands.
func (s *Service) takeAll(ctx context.Context, all []*Assertion, means selections, author string) (Imported, error) {
	out := Imported{Created: []Assertion{}, Present: []Assertion{}, Unused: []Assertion{}}
	about := make(map[string][]*Assertion)
	names := []string{}
	for _, a := range all {
		if a.Reason != "" {
			out.Unused = append(out.Unused, *a)
			continue
		}
		if about[a.Vulnerability] == nil {
			names = append(names, a.Vulnerability)
		}
		about[a.Vulnerability] = append(about[a.Vulnerability], a)
	}
	for _, name := range names {
		for some := range slices.Chunk(about[name], decisionBatch) {
			var created, present []Assertion
			err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
				created, present, err = s.takeThose(ctx, tx, name, some, means, author)
				return err
			})
			if err != nil {
				return out, fmt.Errorf("import decisions about %s: %w", name, err)
			}
			out.Created, out.Present = append(out.Created, created...), append(out.Present, present...)
		}
	}
	return out, nil
}

func (s *Service) takeThose(ctx context.Context, tx *db.Tx, vulnerability string, those []*Assertion, means selections, author string) (created, present []Assertion, err error) {
	for _, a := range those {
		said := *a
		if said.Decision, err = s.same(ctx, tx, a.request); err != nil {
			return nil, nil, err
		}
		if said.Decision != "" {
			present = append(present, said)
			continue
		}
		if said.Decision, err = s.take(ctx, tx, a.request, a.named, means[a.request.Selector].nodes, author); err != nil {
			return nil, nil, err
		}
		created = append(created, said)
	}
	if len(created) == 0 {
		return nil, present, nil
	}
	return created, present, reconsider(ctx, tx, vulnerability)
}

// same returns the decision that holds and says just that; empty if there is none.
func (s *Service) same(ctx context.Context, tx *db.Tx, r DecisionRequest) (id string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(min(id), '') FROM decision WHERE expired_at IS NULL AND vulnerability = $1 AND package = $2 AND component = $3
		AND status = $4 AND justification = $5 AND reason = $6 AND node_id = $7 AND selector = $8 AND until IS NOT DISTINCT FROM CAST($9 AS BIGINT)`,
		r.Vulnerability, r.Package, r.Component, r.Status, r.Justification, r.Reason, r.Node, r.Selector, r.end()).Scan(&id)
	return id, err
}

// selections are what selectors mean, by their text: each is asked once for all
// products of a document, for to ask reads every node.
type selections map[string]selection

type selection struct {
	nodes []string
	err   error
}

// selects asks a selector, unless it was asked before.
func (s *Service) selects(ctx context.Context, means selections, selector string) error {
	if _, asked := means[selector]; !asked {
		nodes, err := s.nodes.Select(ctx, s.db.Read(), selector)
		means[selector] = selection{nodes, err}
	}
	return means[selector].err
}

// settle asks the selectors again whose meaning changed while the document was
// imported: whoever follows the nodes may have been told before there was a decision.
func (s *Service) settle(ctx context.Context, means selections) error {
	for selector, meant := range means {
		if meant.err != nil {
			continue
		}
		now, err := s.nodes.Select(ctx, s.db.Read(), selector)
		if err == nil && slices.Equal(now, meant.nodes) {
			continue
		}
		if err := s.askSelector(ctx, selector); err != nil {
			return fmt.Errorf("ask the selector %q again: %w", selector, err)
		}
	}
	return nil
}
