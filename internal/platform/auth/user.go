package auth

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// User is a person as others see them.
type User struct {
	ID       string      `json:"id"`
	Username string      `json:"username"`
	Role     access.Role `json:"role"`
}

func (u User) subject() audit.Subject {
	return audit.Subject{Kind: "user", ID: u.ID, Name: u.Username}
}

// The states of an account.
const (
	Invited  = "invited" // has not chosen a password yet
	Enabled  = "enabled"
	Disabled = "disabled"
)

// Account is a user as administrators see them.
type Account struct {
	User
	State      string    `json:"state" enum:"invited,enabled,disabled"`
	SignIn     string    `json:"sign_in" enum:"password,oidc" doc:"Where the user proves who they are: here, or at the identity provider, which then says the role."`
	Team       TeamName  `json:"team,omitzero" doc:"Whose nodes the user sees; absent for all. An administrator sees all nevertheless."`
	CreatedAt  time.Time `json:"created_at"`
	LastSignIn time.Time `json:"last_sign_in,omitzero"`
}

// FirstAdmin makes the account `admin` if there is no account at all, with the
// given password or one that it makes and returns. It returns "" when nothing
// was made up.
func (s *Service) FirstAdmin(ctx context.Context, password string) (made string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		made = ""
		var accounts int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM account`).Scan(&accounts); err != nil || accounts > 0 {
			return err
		}
		chosen := password
		if chosen == "" {
			made = rand.Text()
			chosen = made
		}
		return s.insert(ctx, tx, User{db.NewID(), "admin", access.Admin}, hashPassword(chosen), "")
	})
	if err != nil {
		return "", fmt.Errorf("create the first administrator: %w", err)
	}
	return made, nil
}

// insert adds an account; its password's hash is "" where there is none yet.
func (s *Service) insert(ctx context.Context, tx *db.Tx, u User, hash, team string) error {
	done, err := tx.ExecContext(ctx, `INSERT INTO account (id, username, password, role, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (username) DO NOTHING`,
		u.ID, u.Username, hash, string(u.Role), s.now().UnixMicro())
	if err != nil {
		return fmt.Errorf("create user %q: %w", u.Username, err)
	}
	if n, err := done.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return problem.Conflict("there is a user named %q already", u.Username)
	}
	if err := place(ctx, tx, u.ID, team); err != nil {
		return err
	}
	account, err := findAccount(ctx, tx, u.ID)
	if err != nil {
		return err
	}
	return audit.Record(ctx, tx, s.now(), "user.created", u.subject(), nil, account)
}

// Users lists accounts by their names.
func (s *Service) Users(ctx context.Context, p rest.Paging) (rest.Page[Account], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Account]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectAccounts+` WHERE a.username > $1 ORDER BY a.username LIMIT $2`, after, p.Limit+1)
	items, err := db.All(rows, err, readAccount)
	if err != nil {
		return rest.Page[Account]{}, fmt.Errorf("list users: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(a Account) any { return a.Username })
}

// User returns one account.
func (s *Service) User(ctx context.Context, id string) (Account, error) {
	return findAccount(ctx, s.db.Read(), id)
}

const selectAccounts = `SELECT a.id, a.username, a.role, a.disabled, a.password, a.subject, COALESCE(t.id, ''), COALESCE(t.name, ''), a.created_at, a.last_sign_in
	FROM account AS a LEFT JOIN team AS t ON t.id = a.team_id`

func readAccount(scan db.Scan) (a Account, err error) {
	var disabled int
	var password, subject string
	err = scan(&a.ID, &a.Username, &a.Role, &disabled, &password, &subject, &a.Team.ID, &a.Team.Name, db.Time{Time: &a.CreatedAt}, db.Time{Time: &a.LastSignIn})
	a.State, a.SignIn = Enabled, "password"
	if subject != "" {
		a.SignIn = "oidc"
	}
	switch {
	case disabled == 1:
		a.State = Disabled
	case password == "" && subject == "":
		a.State = Invited
	}
	return a, err
}

func findAccount(ctx context.Context, q db.Querier, id string) (Account, error) {
	found, err := db.One(q.QueryRowContext(ctx, selectAccounts+` WHERE a.id = $1`, id), readAccount)
	if err == db.ErrNotFound {
		return found, problem.NotFound("user", id)
	}
	return found, err
}

// UserChange is an edit of an account; what is nil stays.
type UserChange struct {
	Role     *access.Role `json:"role,omitempty" enum:"viewer,operator,admin"`
	Team     *string      `json:"team,omitempty" doc:"Id of a team; empty for none, and so for every node."`
	Disabled *bool        `json:"disabled,omitempty" doc:"Whoever is disabled is signed out, and cannot sign in."`
}

// EditUser changes an account; what it may do changes with it at once, in sessions
// that are open, too.
func (s *Service) EditUser(ctx context.Context, id string, c UserChange) (after Account, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := findAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if c.Role != nil && before.SignIn == "oidc" {
			return problem.Conflict("the identity provider says which role %s has: change it there", before.Username)
		}
		if c.Role != nil {
			if _, err := tx.ExecContext(ctx, `UPDATE account SET role = $2 WHERE id = $1`, id, string(*c.Role)); err != nil {
				return fmt.Errorf("change role of user %s: %w", id, err)
			}
		}
		if c.Team != nil {
			if err := place(ctx, tx, id, *c.Team); err != nil {
				return err
			}
		}
		if c.Disabled != nil {
			if err := disable(ctx, tx, id, *c.Disabled); err != nil {
				return err
			}
		}
		if after, err = findAccount(ctx, tx, id); err != nil || after == before {
			return err
		}
		if err := keepAdmin(ctx, tx); err != nil {
			return err
		}
		tx.Wake(access.Changed)
		return audit.Record(ctx, tx, s.now(), "user.edited", before.subject(), before, after)
	})
	return after, err
}

func disable(ctx context.Context, tx *db.Tx, id string, disabled bool) error {
	if !disabled {
		_, err := tx.ExecContext(ctx, `UPDATE account SET disabled = 0 WHERE id = $1`, id)
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE account SET disabled = 1 WHERE id = $1`, id); err != nil {
		return fmt.Errorf("disable user %s: %w", id, err)
	}
	return endSessions(ctx, tx, id, "")
}

// DeleteUser removes an account with its sessions. What it did stays in the audit
// log.
func (s *Service) DeleteUser(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := findAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM account WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete user %s: %w", id, err)
		}
		if err := keepAdmin(ctx, tx); err != nil {
			return err
		}
		tx.Wake(access.Changed)
		return audit.Record(ctx, tx, s.now(), "user.deleted", before.subject(), before, nil)
	})
}

// keepAdmin refuses a change that leaves no administrator who can sign in with a
// password: the way in that depends on nobody else.
func keepAdmin(ctx context.Context, tx *db.Tx) error {
	var admins int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM account WHERE role = 'admin' AND disabled = 0 AND password <> ''`).Scan(&admins)
	if err == nil && admins == 0 {
		err = problem.Conflict("this is the last administrator with a password: invite another, who accepts, before this")
	}
	return err
}
