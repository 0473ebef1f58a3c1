package auth_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
)

func TestFirstAdminIsMadeOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		if made := h.firstAdmin(password); made != "" {
			t.Errorf("a password was made up, although one was given")
		}
		if made := h.firstAdmin("another"); made != "" {
			t.Errorf("a second start made up a password")
		}
		user, _, err := h.SignIn(t.Context(), "admin", password)
		if err != nil || user.Username != "admin" || user.Role != access.Admin {
			t.Errorf("SignIn = %+v, %v", user, err)
		}
		if _, _, err := h.SignIn(t.Context(), "admin", "another"); err == nil {
			t.Error("a second start changed the password")
		}
	})
}

func TestFirstAdminWithMadeUpPassword(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		made := h.firstAdmin("")
		if len(made) < 20 {
			t.Errorf("the password %q can be guessed", made)
		}
		if _, _, err := h.SignIn(t.Context(), "admin", made); err != nil {
			t.Errorf("SignIn = %v", err)
		}
		if made := h.firstAdmin(""); made != "" {
			t.Error("a second start made up another password")
		}
	})
}

func TestSignInRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		for _, who := range [][2]string{{"admin", "wrong"}, {"admin", ""}, {"nobody", password}, {"nobody", ""}, {"", ""}, {"ADMIN", password}} {
			_, issued, err := h.SignIn(t.Context(), who[0], who[1])
			var p *problem.Error
			if !errors.As(err, &p) || p.Kind != problem.KindUnknown || issued.Token != "" {
				t.Errorf("SignIn(%q) = %+v, %v; want that nobody is known", who, issued, err)
				continue
			}
			if p.Detail != "the user name or the password is wrong" {
				t.Errorf("SignIn(%q) says %q: the same words for each tell least", who, p.Detail)
			}
		}
	})
}

func TestSession(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		user, first, err := h.SignIn(t.Context(), "admin", password)
		if err != nil {
			t.Fatal(err)
		}
		p, known := h.identify(first.Token)
		if !known || p.Kind != "user" || p.ID != user.ID || p.Name != "admin" || p.Role != access.Admin {
			t.Errorf("Identify = %+v, %v", p, known)
		}
		h.clock.Set(first.ExpiresAt.Add(-time.Second))
		if _, known := h.identify(first.Token); !known {
			t.Error("the session ended before its time")
		}
		h.clock.Set(first.ExpiresAt)
		if _, known := h.identify(first.Token); known {
			t.Error("the session outlived its time")
		}
		_, second, err := h.SignIn(t.Context(), "admin", password)
		if err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM credential`); n != 1 {
			t.Errorf("%d sessions are kept; want the new one alone", n)
		}
		p, _ = h.identify(second.Token)
		if err := h.SignOut(access.With(t.Context(), p)); err != nil {
			t.Fatal(err)
		}
		if _, known := h.identify(second.Token); known {
			t.Error("the session outlived its end")
		}
	})
}

func TestAgentHasOneCredential(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		lost, other := h.agent("node-1"), h.agent("node-2")
		again := h.agent("node-1")
		if _, known := h.identify(lost.Token); known {
			t.Error("the credential of a repeated registration is still good")
		}
		for token, node := range map[string]string{again.Token: "node-1", other.Token: "node-2"} {
			p, known := h.identify(token)
			if !known || p.Kind != auth.Agent || p.Node != node || p.Role != "" {
				t.Errorf("Identify = %+v, %v; want the agent of %s, without a role", p, known, node)
			}
		}
	})
}

// Whoever reads the file learns nothing that opens a door.
func TestSecretsAreNotInTheFile(t *testing.T) {
	h, path := inFile(t)
	h.firstAdmin(password)
	_, session, err := h.SignIn(t.Context(), "admin", password)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{password, session.Token, h.token(auth.API).Token, h.agent("node-1").Token}
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("files = %v, %v", files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			random := secret[strings.LastIndex(secret, "_")+1:]
			if bytes.Contains(content, []byte(random)) {
				t.Errorf("%s holds a secret in clear", filepath.Base(name))
			}
		}
	}
}
