package auth

import (
	"cmp"
	"context"
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
	ExpiresIn int         `json:"expires_in,omitempty" minimum:"1" maximum:"3650" doc:"Days until it ends."`
	ExpiresAt time.Time   `json:"expires_at,omitzero" doc:"When it ends, instead of expires_in. Without either it does not."`
}

// resolve fills in what was left out: the role and the end.
func (n NewToken) resolve(now time.Time) (NewToken, error) {
	switch {
	case n.Kind == Enrolment && n.Role != "":
		return n, problem.Invalid("role", "an enrolment token has none: agents register with it, and nothing else")
	case n.ExpiresIn != 0 && !n.ExpiresAt.IsZero():
		return n, problem.Invalid("expires_at", "say expires_in or expires_at, not both")
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now):
		return n, problem.Invalid("expires_at", "has passed")
	}
	if n.ExpiresIn != 0 {
		n.ExpiresAt = now.AddDate(0, 0, n.ExpiresIn)
	}
	switch n.Kind {
	case API:
		n.Role = cmp.Or(n.Role, access.Admin)
	case CI:
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
		t := Token{ID: issued.ID, Kind: n.Kind, Name: n.Name, Role: n.Role, CreatedAt: s.now(), ExpiresAt: n.ExpiresAt}
		return audit.Record(ctx, tx, s.now(), "token.created", t.subject(), nil, t)
	})
	return issued, err
}

// RevokeToken ends an enrolment, api or ci token at once.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		row := tx.QueryRowContext(ctx, `DELETE FROM credential WHERE id = $1 AND kind IN ('enrolment', 'api', 'ci') RETURNING `+tokenColumns, id)
		t, err := db.One(row, readToken)
		if err == db.ErrNotFound {
			return problem.NotFound("token", id)
		}
		if err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "token.revoked", t.subject(), t, nil)
	})
}

// Tokens lists the enrolment, api and ci tokens, oldest first.
func (s *Service) Tokens(ctx context.Context, p rest.Paging) (rest.Page[Token], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Token]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+tokenColumns+` FROM credential
		WHERE kind IN ('enrolment', 'api', 'ci') AND id > $1 ORDER BY id LIMIT $2`, after, p.Limit+1)
	items, err := db.All(rows, err, readToken)
	if err != nil {
		return rest.Page[Token]{}, err
	}
	return rest.NewPage(items, p.Limit, func(t Token) any { return t.ID })
}

const tokenColumns = `id, kind, name, role, created_at, expires_at, last_used_at`

func readToken(scan db.Scan) (t Token, err error) {
	return t, scan(&t.ID, &t.Kind, &t.Name, &t.Role, db.Time{Time: &t.CreatedAt}, db.Time{Time: &t.ExpiresAt}, db.Time{Time: &t.LastUsedAt})
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
