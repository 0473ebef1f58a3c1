package auth_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
)

const password = "correct horse battery staple"

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// house is the service with what it stands on.
type house struct {
	*auth.Service
	t     *testing.T
	db    *db.DB
	clock *clocktest.Clock
}

func each(t *testing.T, suite func(t *testing.T, h house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { suite(t, newHouse(t, d)) }, audit.Migrations, auth.Migrations)
}

func newHouse(t *testing.T, d *db.DB) house {
	clock := clocktest.At(noon)
	return house{auth.NewService(d, clock.Now), t, d, clock}
}

// inFile returns a house whose database file can be looked at.
func inFile(t *testing.T) (h house, path string) {
	path = filepath.Join(t.TempDir(), "patrol.db")
	return newHouse(t, dbtest.OpenSQLite(t, path, audit.Migrations, auth.Migrations)), path
}

func (h house) firstAdmin(password string) (made string) {
	h.t.Helper()
	made, err := h.FirstAdmin(h.t.Context(), password)
	if err != nil {
		h.t.Fatal(err)
	}
	return made
}

func (h house) token(kind string) auth.Issued {
	h.t.Helper()
	issued, err := h.IssueToken(h.t.Context(), auth.NewToken{Kind: kind, Name: "for a test"})
	if err != nil {
		h.t.Fatal(err)
	}
	return issued
}

func (h house) agent(node string) auth.Issued {
	h.t.Helper()
	var issued auth.Issued
	dbtest.Write(h.t, h.db, func(tx *db.Tx) (err error) {
		issued, err = h.IssueAgent(h.t.Context(), tx, node, "web-1")
		return err
	})
	return issued
}

func (h house) identify(token string) (access.Principal, bool) {
	h.t.Helper()
	p, known, err := h.Identify(h.t.Context(), token)
	if err != nil {
		h.t.Fatal(err)
	}
	return p, known
}

// invite makes a user who has accepted.
func (h house) invite(username string, role access.Role) auth.User {
	h.t.Helper()
	invited, err := h.Invite(h.t.Context(), auth.NewUser{Username: username, Role: role})
	if err != nil {
		h.t.Fatal(err)
	}
	user, _, err := h.Accept(h.t.Context(), invited.Token, password)
	if err != nil {
		h.t.Fatal(err)
	}
	return user
}

// as returns the context of a request that shows a token.
func (h house) as(token string) context.Context {
	h.t.Helper()
	p, known := h.identify(token)
	if !known {
		h.t.Fatal("nobody's token")
	}
	return access.With(h.t.Context(), p)
}

// signIn returns a new session of a user with the password of these tests.
func (h house) signIn(username string) auth.Issued {
	h.t.Helper()
	_, issued, err := h.SignIn(h.t.Context(), username, password)
	if err != nil {
		h.t.Fatal(err)
	}
	return issued
}

// actions are those of the audit log, oldest first.
func (h house) actions() []string {
	h.t.Helper()
	rows, err := h.db.Read().QueryContext(h.t.Context(), `SELECT action || ' ' || subject FROM audit ORDER BY id`)
	actions, err := db.All(rows, err, db.Value[string])
	if err != nil {
		h.t.Fatal(err)
	}
	return actions
}

func wantProblem(t *testing.T, err error, kind problem.Kind, field string) *problem.Error {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Kind != kind || p.Field != field {
		t.Errorf("error = %v; want a problem of kind %d with the field %q", err, kind, field)
		return &problem.Error{}
	}
	return p
}

func pointer[T any](v T) *T { return &v }
