package main_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
)

func TestPeopleOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	_, c := console(t, dir, filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	patrol := func(args ...string) string {
		t.Helper()
		out, errs, code := run(t, append(args, "--console", c.Console.String(), "--token", c.Token)...)
		if code != 0 {
			t.Fatalf("patrol %s: exit %d, %s", strings.Join(args, " "), code, errs)
		}
		return strings.TrimSpace(out)
	}
	first := patrol("users", "invite", "ada", "--role", "operator")
	second := patrol("users", "invite", "ada")
	if !strings.HasPrefix(second, "patrol_invitation_") || first == second {
		t.Errorf("invitations %q, then %q", first, second)
	}
	accept := map[string]string{"token": second, "password": "correct horse battery"}
	if err := c.Do(t.Context(), http.MethodPost, "session/invitation", accept, nil); err != nil {
		t.Fatal(err)
	}
	users := decode[[]auth.Account](t, patrol("users", "list", "--output", "json"))
	if len(users) != 2 || users[0].Username != "ada" || users[0].Role != "operator" || users[0].State != auth.Enabled {
		t.Errorf("users = %+v", users)
	}
	patrol("users", "remove", "ada")
	if table := patrol("users", "list"); strings.Contains(table, "ada") {
		t.Errorf("ada is still there:\n%s", table)
	}
	if _, errs, code := run(t, "users", "remove", "ada", "--console", c.Console.String(), "--token", c.Token); code != 1 || !strings.Contains(errs, "no such user") {
		t.Errorf("removing nobody: exit %d, %s", code, errs)
	}
	if token := patrol("tokens", "create", "--kind", "ci", "--name", "pipeline", "--role", "operator", "--expires-in", "7"); !strings.HasPrefix(token, "patrol_ci_") {
		t.Errorf("token = %q", token)
	}
	tokens := decode[[]auth.Token](t, patrol("tokens", "list", "--output", "json"))
	if len(tokens) != 1 || tokens[0].Role != "operator" || tokens[0].ExpiresAt.IsZero() {
		t.Fatalf("tokens = %+v", tokens)
	}
	patrol("tokens", "revoke", tokens[0].ID)
	if err := c.Do(t.Context(), http.MethodPost, "teams", auth.NewTeam{Name: "web", Selector: "true"}, nil); err != nil {
		t.Fatal(err)
	}
	patrol("tokens", "create", "--kind", "ci", "--team", "web")
	if table := patrol("tokens", "list"); !strings.Contains(table, "web") {
		t.Errorf("the list does not show the token's team:\n%s", table)
	}
	if _, errs, code := run(t, "tokens", "create", "--team", "nobody", "--console", c.Console.String(), "--token", c.Token); code != 1 || !strings.Contains(errs, "no team") {
		t.Errorf("a token of no team: exit %d, %s", code, errs)
	}
	patrol("tokens", "revoke", decode[[]auth.Token](t, patrol("tokens", "list", "--output", "json"))[0].ID)
	if left := decode[[]auth.Token](t, patrol("tokens", "list", "--output", "json")); len(left) != 0 {
		t.Errorf("tokens = %+v", left)
	}
	deleted := decode[[]audit.Entry](t, patrol("audit", "list", "--action", "user.deleted", "--output", "json"))
	if len(deleted) != 1 || deleted[0].Actor.Name != "admin" || deleted[0].Subject.Name != "ada" || deleted[0].Address != "127.0.0.1" {
		t.Errorf("audit = %+v", deleted)
	}
}
