package auth

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// invitationLength is how long a user has to choose a password.
const invitationLength = 7 * 24 * time.Hour

// shortestPassword is in characters. Length is the one rule: NIST SP 800-63B-4,
// section 3.1.1.2, forbids rules of composition.
const shortestPassword = 12

// NewUser says whom to invite.
type NewUser struct {
	Username string      `json:"username" minLength:"1" maxLength:"200"`
	Role     access.Role `json:"role" enum:"viewer,operator,admin"`
	Team     string      `json:"team,omitempty" doc:"Id of a team; without one the user sees every node."`
}

// Invitation lets its bearer choose a user's password, once.
type Invitation struct {
	User      Account   `json:"user"`
	Token     string    `json:"token" doc:"Shown this once. Who has it chooses the password with POST /api/v1/session/invitation."`
	ExpiresAt time.Time `json:"expires_at"`
}

// Invite makes an account that waits for its user to choose a password.
func (s *Service) Invite(ctx context.Context, n NewUser) (out Invitation, err error) {
	if err := checkUsername(n.Username); err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		u := User{db.NewID(), n.Username, n.Role}
		if err := s.insert(ctx, tx, u, "", n.Team); err != nil {
			return err
		}
		out, err = s.invite(ctx, tx, u.ID)
		return err
	})
	return out, err
}

// checkUsername refuses a name that could look like another's.
func checkUsername(name string) error {
	if name != strings.TrimSpace(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return problem.Invalid("username", "begins or ends with a space, or has characters that cannot be seen")
	}
	if len(name) > 200 {
		return problem.Invalid("username", "has more than 200 bytes")
	}
	return nil
}

// InviteAgain gives a user who has lost the invitation, or the password, a new
// one. Until it is accepted the password stays.
func (s *Service) InviteAgain(ctx context.Context, id string) (out Invitation, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		out, err = s.invite(ctx, tx, id)
		return err
	})
	return out, err
}

func (s *Service) invite(ctx context.Context, tx *db.Tx, id string) (Invitation, error) {
	account, err := findAccount(ctx, tx, id)
	switch {
	case err != nil:
		return Invitation{}, err
	case account.State == Disabled:
		return Invitation{}, problem.Conflict("%s is disabled: enable the user first", account.Username)
	case account.SignIn == "oidc":
		return Invitation{}, problem.Conflict("%s signs in at the identity provider, and has no password here", account.Username)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE account_id = $1 AND kind = 'invitation'`, id); err != nil {
		return Invitation{}, fmt.Errorf("end invitations of user %s: %w", id, err)
	}
	issued, err := s.issue(ctx, tx, credential{kind: invitation, name: account.Username, account: id, expires: s.now().Add(invitationLength)})
	if err != nil {
		return Invitation{}, err
	}
	return Invitation{account, issued.Token, issued.ExpiresAt}, audit.Record(ctx, tx, s.now(), "user.invited", account.subject(), nil,
		map[string]any{"expires_at": issued.ExpiresAt})
}

// Accept sets the password of whom an invitation is for, ends it and every session
// of the user, and opens a new one.
func (s *Service) Accept(ctx context.Context, token, password string) (user User, issued Issued, err error) {
	// Nobody has a password hashed who was not invited.
	if user, err = s.invited(ctx, s.db.Read(), token); err != nil {
		return User{}, Issued{}, err
	}
	hash, err := s.newPassword(ctx, user.Username, password)
	if err != nil {
		return User{}, Issued{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if user, err = s.invited(ctx, tx, token); err != nil { // of two at once, one
			return err
		}
		if err := setPassword(ctx, tx, user.ID, hash, ""); err != nil {
			return err
		}
		if err := audit.Record(asUser(ctx, user), tx, s.now(), "user.password_set", user.subject(), nil, nil); err != nil {
			return err
		}
		issued, err = s.open(ctx, tx, user)
		return err
	})
	return user, issued, err
}

func (s *Service) invited(ctx context.Context, q db.Querier, token string) (User, error) {
	row := q.QueryRowContext(ctx, `SELECT a.id, a.username, a.role FROM credential AS c JOIN account AS a ON a.id = c.account_id
		WHERE c.hash = $1 AND c.kind = 'invitation' AND c.expires_at > $2 AND a.disabled = 0`, hashToken(token), s.now().UnixMicro())
	user, err := db.One(row, func(scan db.Scan) (u User, err error) { return u, scan(&u.ID, &u.Username, &u.Role) })
	if err == db.ErrNotFound {
		err = problem.Invalid("token", "is no invitation that is still good: it was used, replaced or has expired; ask an administrator for another")
	}
	return user, err
}

// ChangePassword gives whoever is signed in another password, and ends their other
// sessions. Wrong guesses of the old one count as sign-ins that failed.
func (s *Service) ChangePassword(ctx context.Context, old, chosen string) error {
	p := access.From(ctx)
	if p.Kind != "user" {
		return problem.Conflict("this is a token, which has no password: sign in to change yours")
	}
	account, err := s.User(ctx, p.ID)
	if err != nil {
		return err
	}
	if account.SignIn == "oidc" {
		return problem.Conflict("%s signs in at the identity provider, and has no password here", p.Name)
	}
	a, err := s.begin(ctx, p.Name)
	if err != nil {
		return err
	}
	_, right, err := s.knows(ctx, p.Name, old)
	if err != nil {
		return err
	}
	if !right {
		if err := s.refused(ctx, account.User, a); err != nil {
			return err
		}
		return problem.Invalid("old", "is not the password")
	}
	hash, err := s.newPassword(ctx, p.Name, chosen)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.forget(ctx, tx, a); err != nil {
			return err
		}
		if err := setPassword(ctx, tx, p.ID, hash, p.Session); err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "user.password_set", account.subject(), nil, nil)
	})
}

// newPassword refuses one that is too easy to guess, and returns its hash.
func (s *Service) newPassword(ctx context.Context, username, password string) (string, error) {
	if utf8.RuneCountInString(password) < shortestPassword {
		return "", problem.Invalid("password", "needs %d characters or more; a few words are a good one", shortestPassword)
	}
	if strings.EqualFold(password, username) {
		return "", problem.Invalid("password", "is the user name")
	}
	release, err := s.turn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return hashPassword(password), nil
}

// setPassword ends every session and invitation of the user but one.
func setPassword(ctx context.Context, tx *db.Tx, user, hash, but string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE account SET password = $2 WHERE id = $1`, user, hash); err != nil {
		return fmt.Errorf("set password of user %s: %w", user, err)
	}
	return endSessions(ctx, tx, user, but)
}
