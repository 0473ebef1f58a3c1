package auth_test

import (
	"testing"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

func TestTokensOfTeams(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web, db := h.team("web", "node.name == 'web-1' // theirs"), h.team("db", "node.name == 'db-1'")
		issued, err := h.IssueToken(t.Context(), auth.NewToken{Kind: auth.API, Name: "a script", Teams: []string{web.ID, db.ID, web.ID}})
		if err != nil {
			t.Fatal(err)
		}
		p, known := h.identify(issued.Token)
		if want := "(node.name == 'web-1' // theirs\n\t\t\t\t) || (node.name == 'db-1'\n\t\t\t\t)"; !known || p.Role != access.Viewer || p.Scope != want {
			t.Errorf("Identify = %+v; want a viewer with the scope %q", p, want)
		}
		page, err := h.Tokens(t.Context(), rest.Paging{Limit: 10})
		if err != nil || len(page.Items) != 1 || len(page.Items[0].Teams) != 2 || page.Items[0].Teams[1] != (auth.TeamName{ID: web.ID, Name: "web"}) {
			t.Errorf("Tokens = %+v, %v", page, err)
		}
		// Its team is not deleted, or it would see everything.
		wantProblem(t, h.DeleteTeam(t.Context(), web.ID), problem.KindConflict, "")
		if err := h.RevokeToken(t.Context(), issued.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.DeleteTeam(t.Context(), web.ID); err != nil {
			t.Error(err)
		}
		for field, n := range map[string]auth.NewToken{
			"role":  {Kind: auth.API, Name: "x", Role: access.Admin, Teams: []string{db.ID}},
			"teams": {Kind: auth.CI, Name: "x", Teams: []string{"none"}},
		} {
			_, err := h.IssueToken(t.Context(), n)
			wantProblem(t, err, problem.KindInvalid, field)
		}
		_, err = h.IssueToken(t.Context(), auth.NewToken{Kind: auth.Enrolment, Name: "x", Teams: []string{db.ID}})
		wantProblem(t, err, problem.KindInvalid, "teams")
	})
}

// What confines a person confines the tokens that they make.
func TestTokenIsInTheTeamOfWhoMakesIt(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		web := h.team("web", "true")
		bob := h.invite("bob", access.Admin)
		if _, err := h.EditUser(t.Context(), bob.ID, auth.UserChange{Team: &web.ID}); err != nil {
			t.Fatal(err)
		}
		ctx := h.as(h.signIn("bob").Token)
		for kind, confined := range map[string]bool{auth.CI: true, auth.API: false, auth.Enrolment: false} {
			issued, err := h.IssueToken(ctx, auth.NewToken{Kind: kind, Name: kind})
			if err != nil {
				t.Fatal(err)
			}
			if p, _ := h.identify(issued.Token); (p.Scope != "") != confined {
				t.Errorf("%s: %+v", kind, p)
			}
		}
	})
}

// Whatever changes what a caller may do is seen by who asks whether it did.
func TestUnchanged(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		web := h.team("web", "true")
		bob := h.invite("bob", access.Viewer)
		edit := func(c auth.UserChange) func() error {
			return func() error { _, err := h.EditUser(t.Context(), bob.ID, c); return err }
		}
		for _, c := range []struct {
			what   string
			change func() error
		}{
			{"a role", edit(auth.UserChange{Role: pointer(access.Operator)})},
			{"a team", edit(auth.UserChange{Team: &web.ID})},
			{"the team's selector", func() error {
				_, err := h.EditTeam(t.Context(), web.ID, auth.TeamChange{Selector: pointer("false")})
				return err
			}},
			{"a disabled user", edit(auth.UserChange{Disabled: pointer(true)})},
		} {
			ctx := h.as(h.signIn("bob").Token)
			if same, err := h.Unchanged(ctx); !same || err != nil {
				t.Errorf("before %s: %v, %v", c.what, same, err)
			}
			if err := c.change(); err != nil {
				t.Fatal(err)
			}
			if same, err := h.Unchanged(ctx); same || err != nil {
				t.Errorf("after %s: %v, %v", c.what, same, err)
			}
		}
		issued, err := h.IssueToken(t.Context(), auth.NewToken{Kind: auth.CI, Name: "x", ExpiresIn: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx := h.as(issued.Token)
		h.clock.Advance(25 * 60 * 60 * 1e9)
		if same, err := h.Unchanged(ctx); same || err != nil {
			t.Errorf("after its end: %v, %v", same, err)
		}
	})
}
