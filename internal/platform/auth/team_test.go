package auth_test

import (
	"errors"
	"slices"
	"testing"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

func (h house) team(name, selector string) auth.Team {
	h.t.Helper()
	team, err := h.CreateTeam(h.t.Context(), auth.NewTeam{Name: name, Selector: selector})
	if err != nil {
		h.t.Fatal(err)
	}
	return team
}

func TestTeamIsTheScopeOfItsUsers(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		web := h.team("web", "node.name == 'web-1'")
		bob := h.invite("bob", access.Viewer)
		token := h.signIn("bob").Token
		scope := func() string {
			p, known := h.identify(token)
			if !known {
				t.Fatal("bob is signed out")
			}
			return p.Scope
		}
		edit := func(c auth.UserChange) auth.Account {
			a, err := h.EditUser(t.Context(), bob.ID, c)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		if got := scope(); got != "" {
			t.Errorf("without a team the scope is %q", got)
		}
		if a := edit(auth.UserChange{Team: &web.ID}); a.Team != (auth.TeamName{ID: web.ID, Name: "web"}) || scope() != web.Selector {
			t.Errorf("%+v has the scope %q", a, scope())
		}
		if _, err := h.EditTeam(t.Context(), web.ID, auth.TeamChange{Selector: pointer("false")}); err != nil || scope() != "false" {
			t.Errorf("after the edit of the team the scope is %q, %v", scope(), err)
		}
		if edit(auth.UserChange{Role: pointer(access.Admin)}); scope() != "" {
			t.Error("an administrator sees a part")
		}
		if edit(auth.UserChange{Role: pointer(access.Operator)}); scope() != "false" {
			t.Error("who is no administrator any more sees everything")
		}
		wantProblem(t, h.DeleteTeam(t.Context(), web.ID), problem.KindConflict, "")
		_, err := h.EditUser(t.Context(), bob.ID, auth.UserChange{Team: pointer("none")})
		wantProblem(t, err, problem.KindInvalid, "team")
		if edit(auth.UserChange{Team: pointer("")}); scope() != "" {
			t.Error("who left the team is still confined")
		}
		if err := h.DeleteTeam(t.Context(), web.ID); err != nil {
			t.Error(err)
		}
		if got := h.actions(); got[len(got)-1] != "team.deleted web" || !slices.Contains(got, "team.edited web") || !slices.Contains(got, "team.created web") {
			t.Errorf("the audit log tells of %q", got)
		}
	})
}

func TestTeamsAreChecked(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.CheckSelectors(func(expression string) error {
			if expression == "wrong" {
				return errors.New("1:1: undeclared reference")
			}
			return nil
		})
		web := h.team("web", "true")
		h.team("db", "true")
		_, err := h.CreateTeam(t.Context(), auth.NewTeam{Name: "web", Selector: "true"})
		wantProblem(t, err, problem.KindConflict, "")
		_, err = h.CreateTeam(t.Context(), auth.NewTeam{Name: "other", Selector: "wrong"})
		wantProblem(t, err, problem.KindInvalid, "selector")
		_, err = h.EditTeam(t.Context(), web.ID, auth.TeamChange{Selector: pointer("wrong")})
		wantProblem(t, err, problem.KindInvalid, "selector")
		_, err = h.EditTeam(t.Context(), web.ID, auth.TeamChange{Name: pointer("db")})
		wantProblem(t, err, problem.KindConflict, "")
		_, err = h.CreateTeam(t.Context(), auth.NewTeam{Name: " ", Selector: "true"})
		wantProblem(t, err, problem.KindInvalid, "name")
		wantProblem(t, h.DeleteTeam(t.Context(), "none"), problem.KindNotFound, "")
		_, err = h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Viewer, Team: "none"})
		wantProblem(t, err, problem.KindInvalid, "team")
		invited, err := h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Viewer, Team: web.ID})
		if err != nil || invited.User.Team.Name != "web" {
			t.Errorf("Invite = %+v, %v", invited, err)
		}
		page, err := h.Teams(t.Context(), rest.Paging{Limit: 1})
		if err != nil || len(page.Items) != 1 || page.Items[0].Name != "db" || page.Next == "" {
			t.Fatalf("Teams = %+v, %v", page, err)
		}
		page, err = h.Teams(t.Context(), rest.Paging{Limit: 1, Cursor: page.Next})
		if err != nil || len(page.Items) != 1 || page.Items[0].Name != "web" || page.Items[0].Users != 1 || page.Next != "" {
			t.Errorf("Teams = %+v, %v", page, err)
		}
	})
}
