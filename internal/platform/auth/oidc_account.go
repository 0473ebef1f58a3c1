package auth

import (
	"context"
	"fmt"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// signInAs opens a session for whom the provider knows; the first makes the
// account. It is known by issuer and subject: a name that equals another account's
// opens that one to nobody.
func (s *Service) signInAs(ctx context.Context, who identity) (issued Issued, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		user := User{Role: who.role}
		var disabled int
		row := tx.QueryRowContext(ctx, `SELECT id, username, disabled FROM account WHERE issuer = $1 AND subject = $2`, who.issuer, who.subject)
		_, err := db.One(row, func(scan db.Scan) (struct{}, error) { return struct{}{}, scan(&user.ID, &user.Username, &disabled) })
		switch {
		case err == db.ErrNotFound:
			user.ID, user.Username = db.NewID(), who.username
			if err := s.join(ctx, tx, user, who); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("find user: %w", err)
		case disabled == 1:
			return problem.Forbidden("%s is disabled: ask an administrator", user.Username)
		default:
			if err := s.follow(ctx, tx, user); err != nil {
				return err
			}
		}
		issued, err = s.open(ctx, tx, user)
		return err
	})
	return issued, err
}

// join makes the account of somebody who was not here before.
func (s *Service) join(ctx context.Context, tx *db.Tx, user User, who identity) error {
	done, err := tx.ExecContext(ctx, `INSERT INTO account (id, username, password, role, created_at, issuer, subject) VALUES ($1, $2, '', $3, $4, $5, $6) ON CONFLICT (username) DO NOTHING`,
		user.ID, user.Username, string(user.Role), s.now().UnixMicro(), who.issuer, who.subject)
	if err != nil {
		return fmt.Errorf("create user %q: %w", user.Username, err)
	}
	if n, err := done.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return problem.Conflict("another user is named %q already, and is not yours: an administrator has to delete that user first", user.Username)
	}
	if err := s.placeNew(ctx, tx, user.ID); err != nil {
		return err
	}
	account, err := findAccount(ctx, tx, user.ID)
	if err != nil {
		return err
	}
	return audit.Record(asUser(ctx, user), tx, s.now(), "user.created", user.subject(), nil, account)
}

// placeNew puts a user who was not here before into the team that the settings name.
// Without that team nobody comes in: they would see everything.
func (s *Service) placeNew(ctx context.Context, tx *db.Tx, user string) error {
	if s.provider == nil || s.provider.Team == "" {
		return nil
	}
	row := tx.QueryRowContext(ctx, `SELECT id FROM team WHERE name = $1`, s.provider.Team)
	team, err := db.One(row, db.Value[string])
	if err == db.ErrNotFound {
		return problem.Forbidden("new users are put into the team %q, which there is not: ask an administrator to create it", s.provider.Team)
	}
	if err != nil {
		return fmt.Errorf("find team %q: %w", s.provider.Team, err)
	}
	return place(ctx, tx, user, team)
}

// follow gives the account the role that the provider says now.
func (s *Service) follow(ctx context.Context, tx *db.Tx, user User) error {
	before, err := findAccount(ctx, tx, user.ID)
	if err != nil || before.Role == user.Role {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE account SET role = $2 WHERE id = $1`, user.ID, string(user.Role)); err != nil {
		return fmt.Errorf("change role of user %s: %w", user.ID, err)
	}
	tx.Wake(access.Changed)
	after := before
	after.Role = user.Role
	return audit.Record(asUser(ctx, user), tx, s.now(), "user.edited", user.subject(), before, after)
}

// refusedThere audits a sign-in at the provider that came to nothing, if the
// provider said who it was; a callback that nobody began is only noise.
func (s *Service) refusedThere(ctx context.Context, who identity, reason error) error {
	if who.subject == "" {
		return reason
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		return audit.Record(ctx, tx, s.now(), "session.refused", audit.Subject{Kind: "user", Name: who.username}, nil, map[string]string{"reason": reason.Error()})
	})
	if err != nil {
		return err
	}
	return reason
}

// asUser returns a context in which the user is who acts.
func asUser(ctx context.Context, user User) context.Context {
	return access.With(ctx, access.Principal{Kind: "user", ID: user.ID, Name: user.Username, Role: user.Role})
}
