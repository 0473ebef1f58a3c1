package auth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// useInterval is how exact a token's last use is: it is written down this often at
// most, not with each request.
const useInterval = 5 * time.Minute

// NewToken says which token to make.
type NewToken struct {
	Kind      string      `json:"kind" enum:"enrolment,api,ci" doc:"enrolment: agents register with it, and it opens nothing else. api: a script. ci: a pipeline."`
	Name      string      `json:"name" minLength:"1" maxLength:"200" doc:"What it is for."`
	Role      access.Role `json:"role,omitempty" enum:"viewer,operator,admin" doc:"What it may do. Without one an api token is an administrator's, and a ci token reads."`
	Teams     []string    `json:"teams,omitempty" maxItems:"20" doc:"Ids of teams: the token sees the nodes of any of these, as a viewer unless another role is given. Without one it is in the team of the user who makes it, unless it is an administrator's; if there is none it sees every node."`
	ExpiresIn int         `json:"expires_in,omitempty" minimum:"1" maximum:"3650" doc:"Days until it ends."`
	ExpiresAt time.Time   `json:"expires_at,omitzero" doc:"When it ends, instead of expires_in. Without either it does not."`
}

// resolve fills in what was left out: the role and the end.
func (n NewToken) resolve(now time.Time) (NewToken, error) {
	switch {
	case n.Kind == Enrolment && n.Role != "":
		return n, problem.Invalid("role", "an enrolment token has none: agents register with it, and nothing else")
	case n.Kind == Enrolment && len(n.Teams) > 0:
		return n, problem.Invalid("teams", "an enrolment token has none: what registers with it belongs to the teams whose selectors mean it")
	case n.Role == access.Admin && len(n.Teams) > 0:
		return n, problem.Invalid("role", "an administrator sees every node: the token of a team is a viewer's or an operator's")
	case n.ExpiresIn != 0 && !n.ExpiresAt.IsZero():
		return n, problem.Invalid("expires_at", "say expires_in or expires_at, not both")
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now):
		return n, problem.Invalid("expires_at", "has passed")
	}
	if n.ExpiresIn != 0 {
		n.ExpiresAt = now.AddDate(0, 0, n.ExpiresIn)
	}
	switch {
	case n.Kind == API && len(n.Teams) > 0:
		n.Role = cmp.Or(n.Role, access.Viewer)
	case n.Kind == API:
		n.Role = cmp.Or(n.Role, access.Admin)
	case n.Kind == CI:
		n.Role = cmp.Or(n.Role, access.Viewer)
	}
	return n, nil
}

// Token is a credential of a machine, without its secret.
type Token struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind" enum:"enrolment,api,ci"`
	Name      string      `json:"name"`
	Role      access.Role `json:"role,omitempty" doc:"Absent for an enrolment token, which opens no route of this API."`
	Teams     []TeamName  `json:"teams,omitempty" doc:"Whose nodes it sees; absent for all."`
	CreatedAt time.Time   `json:"created_at"`
	ExpiresAt time.Time   `json:"expires_at,omitzero" doc:"Absent if it does not end."`
	// LastUsedAt is exact to useInterval.
	LastUsedAt time.Time `json:"last_used_at,omitzero" doc:"To within five minutes; absent if it never was."`
}

func (t Token) subject() audit.Subject { return audit.Subject{Kind: "token", ID: t.ID, Name: t.Name} }

// IssueToken gives a machine an enrolment, api or ci token.
func (s *Service) IssueToken(ctx context.Context, n NewToken) (issued Issued, err error) {
	if n, err = n.resolve(s.now()); err != nil {
		return Issued{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		issued, err = s.issue(ctx, tx, credential{kind: n.Kind, name: n.Name, role: n.Role, expires: n.ExpiresAt})
		if err != nil {
			return err
		}
		if err := joinTeams(ctx, tx, issued.ID, n); err != nil {
			return err
		}
		t, err := findToken(ctx, tx, issued.ID)
		if err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "token.created", t.subject(), nil, t)
	})
	return issued, err
}

// RevokeToken ends an enrolment, api or ci token at once.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		t, err := findToken(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE id = $1`, id); err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		tx.Wake(access.Changed)
		return audit.Record(ctx, tx, s.now(), "token.revoked", t.subject(), t, nil)
	})
}

// Tokens lists the enrolment, api and ci tokens, oldest first.
func (s *Service) Tokens(ctx context.Context, p rest.Paging) (rest.Page[Token], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Token]{}, err
	}
	items, err := readTokens(ctx, s.db.Read(), `id > $1 ORDER BY id LIMIT $2`, after, p.Limit+1)
	if err != nil {
		return rest.Page[Token]{}, err
	}
	return rest.NewPage(items, p.Limit, func(t Token) any { return t.ID })
}

// readTokens returns tokens with their teams.
func readTokens(ctx context.Context, q db.Querier, which string, args ...any) ([]Token, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, kind, name, role, created_at, expires_at, last_used_at FROM credential
		WHERE kind IN ('enrolment', 'api', 'ci') AND `+which, args...)
	tokens, err := db.All(rows, err, func(scan db.Scan) (t Token, err error) {
		return t, scan(&t.ID, &t.Kind, &t.Name, &t.Role, db.Time{Time: &t.CreatedAt}, db.Time{Time: &t.ExpiresAt}, db.Time{Time: &t.LastUsedAt})
	})
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	teams, err := teamsOf(ctx, q, tokens)
	for i := range tokens {
		tokens[i].Teams = teams[tokens[i].ID]
	}
	return tokens, err
}

func findToken(ctx context.Context, q db.Querier, id string) (Token, error) {
	found, err := readTokens(ctx, q, `id = $1`, id)
	if err == nil && len(found) == 0 {
		return Token{}, problem.NotFound("token", id)
	}
	if err != nil {
		return Token{}, err
	}
	return found[0], nil
}

// noteUse writes down that a token was used, unless that was done lately. A
// database that cannot be written to does not keep anybody from reading it.
func (s *Service) noteUse(ctx context.Context, id string) {
	now := s.now()
	s.mu.Lock()
	last, known := s.noted[id]
	due := !known || now.Sub(last) >= useInterval
	if due {
		s.noted[id] = now
	}
	s.mu.Unlock()
	if !due {
		return
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE credential SET last_used_at = $2 WHERE id = $1`, id, now.UnixMicro())
		return err
	})
	if err != nil && ctx.Err() == nil {
		slog.WarnContext(ctx, "the use of a token could not be written down", "token", id, "error", err)
	}
}
