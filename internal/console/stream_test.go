package console

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
)

// follow opens the stream of events with a token, and returns what waits for its end.
func (h house) follow(token string) (ended func() string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.server.URL+"/api/v1/events", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	if resp.StatusCode != http.StatusOK || !lines.Scan() {
		h.t.Fatalf("the stream answers %d", resp.StatusCode)
	}
	return func() string {
		var told strings.Builder
		for lines.Scan() {
			told.WriteString(lines.Text())
		}
		return told.String()
	}
}

// teamToken is a token of a new team that sees what a selector means.
func (h house) teamToken(selector string) string {
	h.t.Helper()
	team, err := h.auth.CreateTeam(h.t.Context(), auth.NewTeam{Name: "token's " + selector, Selector: selector})
	if err != nil {
		h.t.Fatal(err)
	}
	issued, err := h.auth.IssueToken(h.t.Context(), auth.NewToken{Kind: auth.CI, Name: "for a test", Teams: []string{team.ID}})
	if err != nil {
		h.t.Fatal(err)
	}
	return issued.Token
}

// A stream that is open ends when its reader may see less, or more: whoever comes
// back is asked again.
func TestStreamEndsWithAccess(t *testing.T) {
	h := openHouse(t, publish(t))
	admin := h.token(auth.API)
	type made struct{ ID, Token string }
	done := func(a answer) {
		t.Helper()
		if a.StatusCode/100 != 2 {
			t.Errorf("%s answers %d: %s", a.Request.URL.Path, a.StatusCode, a.body)
		}
	}
	for what, end := range map[string]func(t *testing.T) (token string, end func()){
		"a token is revoked": func(t *testing.T) (string, func()) {
			token := into[made](t, h.ask("POST", "/api/v1/tokens", admin, `{"kind":"ci","name":"x"}`))
			return token.Token, func() { done(h.ask("DELETE", "/api/v1/tokens/"+token.ID, admin, "")) }
		},
		"a session is ended": func(*testing.T) (string, func()) {
			session := h.user(access.Viewer, "")
			return session, func() { done(h.ask("DELETE", "/api/v1/session", session, "")) }
		},
		"a role changes": func(t *testing.T) (string, func()) {
			session := h.user(access.Operator, "")
			user := into[opened](t, h.ask("GET", "/api/v1/session", session, "")).User.ID
			return session, func() { done(h.ask("PATCH", "/api/v1/users/"+user, admin, `{"role":"viewer"}`)) }
		},
		"a team's selector changes": func(t *testing.T) (string, func()) {
			team := into[made](t, h.ask("POST", "/api/v1/teams", admin, `{"name":"web","selector":"true"}`))
			token := into[made](t, h.ask("POST", "/api/v1/tokens", admin, `{"kind":"ci","name":"x","teams":["`+team.ID+`"]}`))
			return token.Token, func() { done(h.ask("PATCH", "/api/v1/teams/"+team.ID, admin, `{"selector":"false"}`)) }
		},
	} {
		t.Run(what, func(t *testing.T) {
			token, end := end(t)
			ended := h.follow(token)
			end()
			if told := ended(); strings.Contains(told, "data:") {
				t.Errorf("the stream told %s", told)
			}
		})
	}
}
