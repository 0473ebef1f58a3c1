package auth_test

import (
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for kind, role := range map[string]access.Role{auth.API: access.Admin, auth.CI: access.Viewer, auth.Enrolment: ""} {
			issued := h.token(kind)
			if !strings.HasPrefix(issued.Token, "patrol_"+kind+"_") || !issued.ExpiresAt.IsZero() {
				t.Errorf("issued %+v", issued)
			}
			p, known := h.identify(issued.Token)
			if !known || p.Kind != kind || p.Role != role || p.Node != "" || p.ID != issued.ID {
				t.Errorf("%s: Identify = %+v, %v; want the role %q", kind, p, known, role)
			}
			if p.Role.Includes(access.Viewer) != (role != "") {
				t.Errorf("%s: may read: %v", kind, p.Role.Includes(access.Viewer))
			}
			if err := h.RevokeToken(t.Context(), issued.ID); err != nil {
				t.Fatal(err)
			}
			if _, known := h.identify(issued.Token); known {
				t.Errorf("%s: is good after it was revoked", kind)
			}
		}
		for _, token := range []string{"", "patrol_api_guess", "Bearer", "' OR 1=1 --"} {
			if p, known := h.identify(token); known {
				t.Errorf("Identify(%q) = %+v", token, p)
			}
		}
	})
}

func TestTokenListHoldsNoSecretAndNoSession(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		if _, _, err := h.SignIn(t.Context(), "admin", password); err != nil {
			t.Fatal(err)
		}
		h.agent("node-1")
		want := []string{h.token(auth.API).ID, h.token(auth.CI).ID, h.token(auth.Enrolment).ID}
		var got []string
		for cursor := ""; ; {
			page, err := h.Tokens(t.Context(), rest.Paging{Limit: 2, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range page.Items {
				got = append(got, token.ID)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("tokens = %q; want %q", got, want)
		}
	})
}

func TestTokenHasTheRoleAndTheEndThatItWasGiven(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for _, test := range []struct {
			made auth.NewToken
			role access.Role
			ends time.Time
		}{
			{auth.NewToken{Kind: auth.API, Role: access.Viewer}, access.Viewer, time.Time{}},
			{auth.NewToken{Kind: auth.CI, Role: access.Operator, ExpiresIn: 30}, access.Operator, noon.AddDate(0, 0, 30)},
			{auth.NewToken{Kind: auth.Enrolment, ExpiresAt: noon.Add(time.Hour)}, "", noon.Add(time.Hour)},
		} {
			issued, err := h.IssueToken(t.Context(), test.made)
			if err != nil || issued.Role != test.role || !issued.ExpiresAt.Equal(test.ends) {
				t.Errorf("%+v gives %+v, %v", test.made, issued, err)
			}
			if p, known := h.identify(issued.Token); !known || p.Role != test.role {
				t.Errorf("%+v: Identify = %+v, %v", test.made, p, known)
			}
			if test.ends.IsZero() {
				continue
			}
			h.clock.Set(test.ends)
			if _, known := h.identify(issued.Token); known {
				t.Errorf("%+v outlived its end", test.made)
			}
			h.clock.Set(noon)
		}
		for field, wrong := range map[string]auth.NewToken{
			"role":       {Kind: auth.Enrolment, Role: access.Viewer},
			"expires_at": {Kind: auth.API, ExpiresAt: noon},
		} {
			_, err := h.IssueToken(t.Context(), wrong)
			wantProblem(t, err, problem.KindInvalid, field)
		}
		_, err := h.IssueToken(t.Context(), auth.NewToken{Kind: auth.API, ExpiresIn: 1, ExpiresAt: noon.Add(time.Hour)})
		wantProblem(t, err, problem.KindInvalid, "expires_at")
	})
}

// The last use is told coarsely, so that reading does not become writing.
func TestLastUseOfAToken(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		token := h.token(auth.API)
		last := func() time.Time {
			page, err := h.Tokens(t.Context(), rest.Paging{Limit: 10})
			if err != nil || len(page.Items) != 1 {
				t.Fatal(page, err)
			}
			return page.Items[0].LastUsedAt
		}
		if used := last(); !used.IsZero() {
			t.Errorf("a new token was used at %s", used)
		}
		for after, want := range []time.Time{noon, noon, noon, noon, noon, noon.Add(5 * time.Minute), noon.Add(5 * time.Minute)} {
			h.clock.Set(noon.Add(time.Duration(after) * time.Minute))
			h.identify(token.Token)
			if used := last(); !used.Equal(want) {
				t.Errorf("minute %d: last used at %s; want %s", after, used, want)
			}
		}
	})
}

func TestRevokeToken(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		_, session, err := h.SignIn(t.Context(), "admin", password)
		if err != nil {
			t.Fatal(err)
		}
		// Sessions and agents' credentials are no tokens of this list.
		for _, id := range []string{session.ID, h.agent("node-1").ID, "none"} {
			wantProblem(t, h.RevokeToken(t.Context(), id), problem.KindNotFound, "")
		}
		issued := h.token(auth.CI)
		if err := h.RevokeToken(t.Context(), issued.ID); err != nil {
			t.Fatal(err)
		}
		wantProblem(t, h.RevokeToken(t.Context(), issued.ID), problem.KindNotFound, "")
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE subject_id = $1`, issued.ID); n != 2 {
			t.Errorf("%d entries of the audit log; want that it was created, and revoked", n)
		}
	})
}
