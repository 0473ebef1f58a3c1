package auth

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// sessionLength is how long a sign-in lasts.
const sessionLength = 12 * time.Hour

// SignIn checks a password and opens a session.
func (s *Service) SignIn(ctx context.Context, username, password string) (User, Issued, error) {
	a, err := s.begin(ctx, username)
	if err != nil {
		return User{}, Issued{}, err
	}
	user, right, err := s.knows(ctx, username, password)
	if err != nil {
		return User{}, Issued{}, err
	}
	if !right {
		if err := s.refused(ctx, user, a); err != nil {
			return User{}, Issued{}, err
		}
		return User{}, Issued{}, problem.Unknown("the user name or the password is wrong")
	}
	var issued Issued
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.forget(ctx, tx, a); err != nil {
			return err
		}
		issued, err = s.open(ctx, tx, user)
		return err
	})
	return user, issued, err
}

// knows tells whether the password opens the account of that name; the user is
// zero if there is none.
func (s *Service) knows(ctx context.Context, username, password string) (User, bool, error) {
	var hash string
	row := s.db.Read().QueryRowContext(ctx, `SELECT id, username, role, password FROM account WHERE username = $1 AND disabled = 0`, username)
	user, err := db.One(row, func(scan db.Scan) (u User, err error) { return u, scan(&u.ID, &u.Username, &u.Role, &hash) })
	if err != nil && err != db.ErrNotFound {
		return User{}, false, fmt.Errorf("find user: %w", err)
	}
	release, err := s.turn(ctx)
	if err != nil {
		return User{}, false, err
	}
	defer release()
	return user, checkPassword(password, hash), nil
}

// turn waits to hash a password.
func (s *Service) turn(ctx context.Context) (release func(), err error) {
	select {
	case s.hashing <- struct{}{}:
		return func() { <-s.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refused audits a sign-in that failed. A name that nobody has is not kept: it may
// be a password in the wrong field.
func (s *Service) refused(ctx context.Context, user User, a attempt) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return audit.Record(ctx, tx, s.now(), "session.refused", user.subject(), nil,
			map[string]any{"failures": a.failures, "wait_seconds": wait(a.failures).Seconds()})
	})
}

// open gives a user a session.
func (s *Service) open(ctx context.Context, tx *db.Tx, user User) (Issued, error) {
	now := s.now()
	// Whoever signs in sweeps up what has expired.
	if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE expires_at <= $1`, now.UnixMicro()); err != nil {
		return Issued{}, fmt.Errorf("end what has expired: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE account SET last_sign_in = $2 WHERE id = $1`, user.ID, now.UnixMicro()); err != nil {
		return Issued{}, fmt.Errorf("note sign-in: %w", err)
	}
	issued, err := s.issue(ctx, tx, credential{kind: Session, name: user.Username, account: user.ID, expires: now.Add(sessionLength)})
	if err != nil {
		return Issued{}, err
	}
	return issued, audit.Record(asUser(ctx, user), tx, now, "session.opened", user.subject(), nil, nil)
}

// SignOut ends the session of whoever asks.
func (s *Service) SignOut(ctx context.Context) error {
	p := access.From(ctx)
	if p.Kind != "user" {
		return nil
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE id = $1`, p.Session); err != nil {
			return fmt.Errorf("sign out: %w", err)
		}
		tx.Wake(access.Changed)
		return audit.Record(ctx, tx, s.now(), "session.ended", audit.Subject{Kind: "user", ID: p.ID, Name: p.Name}, nil, nil)
	})
}

// endSessions ends those of a user, and invitations; all but one if it is named.
func endSessions(ctx context.Context, tx *db.Tx, user, but string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM credential WHERE account_id = $1 AND id <> $2`, user, but)
	if err != nil {
		return fmt.Errorf("end sessions of user %s: %w", user, err)
	}
	tx.Wake(access.Changed)
	return nil
}
