package auth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"testing"
	"testing/fstest"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// Tokens from before they had roles may do what they could.
func TestOlderTokensKeepTheirRoles(t *testing.T) {
	const first = "migrations/0001_auth.sql"
	text, err := fs.ReadFile(auth.Migrations.Files, first)
	if err != nil {
		t.Fatal(err)
	}
	older := db.Migrations{Room: auth.Migrations.Room, Files: fstest.MapFS{first: {Data: text}}}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		roles := map[string]access.Role{auth.API: access.Admin, auth.CI: access.Viewer, auth.Enrolment: "", auth.Agent: ""}
		for kind := range roles {
			sum := sha256.Sum256([]byte(kind))
			dbtest.Write(t, d, func(tx *db.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO credential (id, kind, name, hash, created_at) VALUES ($1, $1, '', $2, 0)`, kind, hex.EncodeToString(sum[:]))
				return err
			})
		}
		if err := d.Migrate(t.Context(), audit.Migrations, auth.Migrations); err != nil {
			t.Fatal(err)
		}
		h := newHouse(t, d)
		for kind, role := range roles {
			if p, known := h.identify(kind); !known || p.Role != role {
				t.Errorf("an older %s token is that of a %q", kind, p.Role)
			}
		}
	}, older)
}
