package auth_test

import (
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
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
	dbtest.Each(t, func(t *testing.T, d *db.DB) { suite(t, newHouse(t, d)) }, auth.Migrations)
}

func newHouse(t *testing.T, d *db.DB) house {
	clock := clocktest.At(noon)
	return house{auth.NewService(d, clock.Now), t, d, clock}
}

// inFile returns a house whose database file can be looked at.
func inFile(t *testing.T) (h house, path string) {
	path = filepath.Join(t.TempDir(), "patrol.db")
	return newHouse(t, dbtest.OpenSQLite(t, path, auth.Migrations)), path
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
	issued, err := h.IssueToken(h.t.Context(), kind, "for a test")
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
