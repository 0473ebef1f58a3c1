// Package auth knows people and machines by what they show: a password, a
// session, or a token. Secrets are shown once and kept as hashes.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of this package.
var Migrations = db.Migrations{Room: "auth", Files: files}

// The kinds of credential.
const (
	Session   = "session"
	API       = "api"
	CI        = "ci"
	Enrolment = "enrolment"
	Agent     = "agent"
)

// sessionLength is how long a sign-in lasts.
const sessionLength = 12 * time.Hour

// hashers is how many passwords are hashed at once: each takes 19 MiB, and anybody
// may ask.
const hashers = 4

// Service identifies callers and issues credentials.
type Service struct {
	db      *db.DB
	now     func() time.Time
	hashing chan struct{} // holds a token for each hash under way
}

// NewService returns the service over a migrated database.
func NewService(d *db.DB, now func() time.Time) *Service {
	return &Service{db: d, now: now, hashing: make(chan struct{}, hashers)}
}

// User is a person as others see them.
type User struct {
	ID       string      `json:"id"`
	Username string      `json:"username"`
	Role     access.Role `json:"role"`
}

// FirstAdmin makes the account `admin` if there is no account at all, with the
// given password or one that it makes and returns. It returns "" when nothing
// was made up.
func (s *Service) FirstAdmin(ctx context.Context, password string) (made string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var accounts int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM account`).Scan(&accounts); err != nil || accounts > 0 {
			return err
		}
		if password == "" {
			made = rand.Text()
			password = made
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO account (id, username, password, role, created_at) VALUES ($1, 'admin', $2, $3, $4)`,
			db.NewID(), hashPassword(password), string(access.Admin), s.now().UnixMicro())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create the first administrator: %w", err)
	}
	return made, nil
}

// SignIn checks a password and opens a session.
func (s *Service) SignIn(ctx context.Context, username, password string) (User, Issued, error) {
	var user User
	var hash string
	row := s.db.Read().QueryRowContext(ctx, `SELECT id, username, role, password FROM account WHERE username = $1`, username)
	_, err := db.One(row, func(scan db.Scan) (struct{}, error) {
		return struct{}{}, scan(&user.ID, &user.Username, &user.Role, &hash)
	})
	if err != nil && err != db.ErrNotFound {
		return User{}, Issued{}, fmt.Errorf("sign in: %w", err)
	}
	right, err := s.check(ctx, password, hash)
	if err != nil {
		return User{}, Issued{}, err
	}
	if !right {
		return User{}, Issued{}, problem.Unknown("the user name or the password is wrong")
	}
	var issued Issued
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		// Whoever signs in sweeps up what has expired.
		if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE expires_at <= $1`, s.now().UnixMicro()); err != nil {
			return err
		}
		issued, err = s.issue(ctx, tx, credential{kind: Session, name: username, account: user.ID, expires: s.now().Add(sessionLength)})
		return err
	})
	return user, issued, err
}

// check waits for its turn to hash a password.
func (s *Service) check(ctx context.Context, password, hash string) (bool, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-s.hashing }()
	return checkPassword(password, hash), nil
}

// Revoke ends a credential at once.
func (s *Service) Revoke(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE id = $1`, id)
		return err
	})
}

// RevokeToken ends an enrolment, api or ci token at once.
func (s *Service) RevokeToken(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE id = $1 AND kind IN ('enrolment', 'api', 'ci')`, id)
		if err != nil {
			return fmt.Errorf("revoke token %s: %w", id, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, problem.NotFound("token", id))
		}
		return nil
	})
}

// Issued is a credential with its secret, which is not shown again.
type Issued struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`
	Token     string    `json:"token" doc:"Shown this once."`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

type credential struct {
	kind, name, account, node string
	expires                   time.Time
}

// IssueAgent gives a node its credential, and ends those it had: a registration
// that is repeated leaves one that works.
func (s *Service) IssueAgent(ctx context.Context, tx *db.Tx, node, name string) (Issued, error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE node_id = $1`, node); err != nil {
		return Issued{}, fmt.Errorf("end credentials of node %s: %w", node, err)
	}
	return s.issue(ctx, tx, credential{kind: Agent, name: name, node: node})
}

// IssueToken gives a machine an enrolment, api or ci token.
func (s *Service) IssueToken(ctx context.Context, kind, name string) (issued Issued, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		issued, err = s.issue(ctx, tx, credential{kind: kind, name: name})
		return err
	})
	return issued, err
}

func (s *Service) issue(ctx context.Context, tx *db.Tx, c credential) (Issued, error) {
	// The prefix lets people and secret scanners see what a token is for.
	issued := Issued{ID: db.NewID(), Kind: c.kind, Name: c.name, ExpiresAt: c.expires, Token: "patrol_" + c.kind + "_" + rand.Text()}
	_, err := tx.ExecContext(ctx, `INSERT INTO credential (id, kind, name, hash, account_id, node_id, created_at, expires_at)
		VALUES ($1, $2, $3, $4, NULLIF($5, ''), NULLIF($6, ''), $7, $8)`,
		issued.ID, c.kind, c.name, hashToken(issued.Token), c.account, c.node, s.now().UnixMicro(), db.Micros(c.expires))
	if err != nil {
		return Issued{}, fmt.Errorf("issue %s credential: %w", c.kind, err)
	}
	return issued, nil
}

// Identify tells whose secret this is; false if nobody's, or one that expired.
func (s *Service) Identify(ctx context.Context, token string) (access.Principal, bool, error) {
	row := s.db.Read().QueryRowContext(ctx, `SELECT c.id, c.kind, c.name, COALESCE(c.node_id, ''), COALESCE(a.id, ''), COALESCE(a.role, '')
		FROM credential AS c LEFT JOIN account AS a ON a.id = c.account_id
		WHERE c.hash = $1 AND (c.expires_at IS NULL OR c.expires_at > $2)`, hashToken(token), s.now().UnixMicro())
	p, err := db.One(row, func(scan db.Scan) (p access.Principal, err error) {
		return p, scan(&p.Session, &p.Kind, &p.Name, &p.Node, &p.ID, &p.Role)
	})
	switch {
	case err == db.ErrNotFound:
		return access.Principal{}, false, nil
	case err != nil:
		return access.Principal{}, false, fmt.Errorf("identify caller: %w", err)
	}
	switch p.Kind {
	case Session:
		p.Kind = "user"
	case API:
		p.ID, p.Role = p.Session, access.Admin
	case CI:
		p.ID, p.Role = p.Session, access.Viewer
	default:
		p.ID = p.Session // agents and enrolments have no role: they speak /wire only
	}
	return p, true, nil
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
