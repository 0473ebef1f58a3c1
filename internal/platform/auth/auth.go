// Package auth knows people and machines by what they show: a password, an
// identity provider's word, a session, or a token. Secrets are shown once and kept
// as hashes, and every change is audited in its own transaction.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of this package.
var Migrations = db.Migrations{Room: "auth", Files: files}

// The kinds of credential.
const (
	Session    = "session"
	API        = "api"
	CI         = "ci"
	Enrolment  = "enrolment"
	Agent      = "agent"
	invitation = "invitation" // opens nothing but the choice of a password
)

// hashers is how many passwords are hashed at once: each takes 19 MiB, and anybody
// may ask.
const hashers = 4

// Service identifies callers and issues credentials.
type Service struct {
	db       *db.DB
	now      func() time.Time
	hashing  chan struct{} // holds a token for each hash under way
	provider *provider     // nil if there is none
	// checkSelector says what is wrong with the selector of a team.
	checkSelector func(expression string) error

	mu    sync.Mutex
	noted map[string]time.Time // token id → when its use was last written down
}

// NewService returns the service over a migrated database.
func NewService(d *db.DB, now func() time.Time) *Service {
	return &Service{db: d, now: now, hashing: make(chan struct{}, hashers), noted: make(map[string]time.Time)}
}

// Issued is a credential with its secret, which is not shown again.
type Issued struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind"`
	Name      string      `json:"name"`
	Role      access.Role `json:"role,omitempty" doc:"What it may do; absent where it opens no route of this API."`
	Token     string      `json:"token" doc:"Shown this once."`
	ExpiresAt time.Time   `json:"expires_at,omitzero"`
}

type credential struct {
	kind, name, account, node string
	role                      access.Role
	expires                   time.Time
}

// IssueAgent gives a node its credential, and ends those it had: a registration
// that is repeated leaves one that works.
func (s *Service) IssueAgent(ctx context.Context, tx *db.Tx, node, name string) (Issued, error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE node_id = $1`, node); err != nil {
		return Issued{}, fmt.Errorf("end credentials of node %s: %w", node, err)
	}
	issued, err := s.issue(ctx, tx, credential{kind: Agent, name: name, node: node})
	if err != nil {
		return Issued{}, err
	}
	return issued, audit.Record(ctx, tx, s.now(), "agent.enrolled", audit.Subject{Kind: "node", ID: node, Name: name}, nil, nil)
}

func (s *Service) issue(ctx context.Context, tx *db.Tx, c credential) (Issued, error) {
	// The prefix lets people and secret scanners see what a token is for.
	issued := Issued{ID: db.NewID(), Kind: c.kind, Name: c.name, Role: c.role, ExpiresAt: c.expires, Token: "patrol_" + c.kind + "_" + rand.Text()}
	_, err := tx.ExecContext(ctx, `INSERT INTO credential (id, kind, name, hash, account_id, node_id, role, created_at, expires_at)
		VALUES ($1, $2, $3, $4, NULLIF($5, ''), NULLIF($6, ''), $7, $8, $9)`,
		issued.ID, c.kind, c.name, hashToken(issued.Token), c.account, c.node, string(c.role), s.now().UnixMicro(), db.Micros(c.expires))
	if err != nil {
		return Issued{}, fmt.Errorf("issue %s credential: %w", c.kind, err)
	}
	return issued, nil
}

// Identify tells whose secret this is; false if nobody's, or one that expired or
// whose account is disabled.
func (s *Service) Identify(ctx context.Context, token string) (access.Principal, bool, error) {
	p, known, err := s.find(ctx, `c.hash = $1`, hashToken(token))
	switch p.Kind {
	case API, CI, Enrolment:
		s.noteUse(ctx, p.ID)
	}
	return p, known, err
}

// Unchanged tells whether the caller of a request is still who they were when it
// began, with the same role and the same nodes.
func (s *Service) Unchanged(ctx context.Context) (bool, error) {
	was := access.From(ctx)
	is, known, err := s.find(ctx, `c.id = $1`, was.Session)
	return known && is == was, err
}

// find returns whose credential it is that a condition holds for. A token of several
// teams sees what any of them does; each selector ends with its line, since it may
// end with a comment.
func (s *Service) find(ctx context.Context, condition, arg string) (access.Principal, bool, error) {
	row := s.db.Read().QueryRowContext(ctx, `SELECT c.id, c.kind, c.name, COALESCE(c.node_id, ''), COALESCE(a.id, c.id), COALESCE(a.role, c.role),
			CASE WHEN a.role = 'admin' THEN '' ELSE COALESCE(t.selector, (SELECT string_agg('(' || o.selector || '
				)', ' || ' ORDER BY o.id) FROM credential_team AS m JOIN team AS o ON o.id = m.team_id WHERE m.credential_id = c.id), '') END
		FROM credential AS c LEFT JOIN account AS a ON a.id = c.account_id LEFT JOIN team AS t ON t.id = a.team_id
		WHERE `+condition+` AND c.kind <> 'invitation' AND (c.expires_at IS NULL OR c.expires_at > $2) AND COALESCE(a.disabled, 0) = 0`,
		arg, s.now().UnixMicro())
	p, err := db.One(row, func(scan db.Scan) (p access.Principal, err error) {
		return p, scan(&p.Session, &p.Kind, &p.Name, &p.Node, &p.ID, &p.Role, &p.Scope)
	})
	switch {
	case err == db.ErrNotFound:
		return access.Principal{}, false, nil
	case err != nil:
		return access.Principal{}, false, fmt.Errorf("identify caller: %w", err)
	}
	if p.Kind == Session {
		p.Kind = "user"
	}
	return p, true, nil
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
