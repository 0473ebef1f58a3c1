package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
)

// scopeMemory is how long the nodes of a scope are remembered: to choose them all
// nodes are read.
const scopeMemory = 5 * time.Second

// Scope are the nodes that a caller may see.
type Scope struct {
	// Column is a parameter for json_each of the nodes' ids; All for every node.
	Column string
	ids    map[string]bool
	until  time.Time
}

// All is the Column of who may see every node. A list restricts itself by
//
//	$1 = 'null' OR node_id IN (SELECT value->>0 FROM json_each($1))
const All = "null"

// Has tells whether a node is in the scope.
func (s Scope) Has(node string) bool { return s.Column == All || s.ids[node] }

// Scope returns what the caller may see: what the selector of their team means,
// which may be some seconds old.
func (s *Service) Scope(ctx context.Context) (Scope, error) {
	selector := access.From(ctx).Scope
	if selector == "" {
		return Scope{Column: All}, nil
	}
	now := s.now()
	s.mu.Lock()
	known, ok := s.scopes[selector]
	s.mu.Unlock()
	if ok && now.Before(known.until) {
		return known, nil
	}
	ids, err := s.seenBy(ctx, selector)
	if err != nil {
		return Scope{}, err
	}
	found := Scope{ids: make(map[string]bool, len(ids)), until: now.Add(scopeMemory)}
	if found.Column, err = db.Column(ids); err != nil {
		return Scope{}, err
	}
	for _, id := range ids {
		found.ids[id] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, scope := range s.scopes {
		if !now.Before(scope.until) {
			delete(s.scopes, old)
		}
	}
	s.scopes[selector] = found
	return found, nil
}

// seenBy returns the ids of the nodes that the selector of a team means, those that
// are gone included: whoever saw them sees what became of them. A selector that
// fails tells the team nothing of the node on which it does, not even the error,
// which can quote it.
func (s *Service) seenBy(ctx context.Context, expression string) ([]string, error) {
	selector, err := s.selectors.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("selector of a team: %w", err)
	}
	ids, err := s.evaluate(ctx, s.db.Read(), selector, `TRUE`)
	var failed *failure
	if errors.As(err, &failed) {
		slog.WarnContext(ctx, "the selector of a team fails on a node, and shows the team nothing", "selector", expression, "node", failed.node, "error", failed.err)
		return nil, problem.Conflict("the selector of your team fails on some node and so shows nothing: ask an administrator to mend it")
	}
	return ids, err
}

// seenDocument returns a document if a node that the caller may see has it now.
func (s *Service) seenDocument(ctx context.Context, digest string) (*sbom.Document, error) {
	scope, err := s.Scope(ctx)
	if err != nil {
		return nil, err
	}
	if scope.Column != All {
		var there bool
		err := s.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM node AS n JOIN sbom AS b ON b.id = n.sbom_id
			WHERE b.digest = $1 AND n.id `+db.Among(`$2`)+`)`, digest, scope.Column).Scan(&there)
		if err != nil {
			return nil, fmt.Errorf("find who has SBOM %s: %w", digest, err)
		}
		if !there {
			return nil, problem.NotFound("SBOM", digest)
		}
	}
	return s.Document(ctx, digest)
}
