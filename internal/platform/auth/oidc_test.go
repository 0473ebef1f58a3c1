package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
)

// lobby is a house whose routes answer over HTTP, beside a provider.
type lobby struct {
	house
	issuer *issuer
	server *httptest.Server
}

func eachLobby(t *testing.T, suite func(t *testing.T, l lobby)) {
	each(t, func(t *testing.T, h house) {
		i := newIssuer(t, h.clock.Now)
		h.UseOIDC(auth.OIDC{
			Issuer: i.URL, ClientID: clientID, ClientSecret: clientSecret, Scopes: []string{"openid", "groups"},
			RoleClaim: "groups", Admin: "patrol-admins", Operator: "patrol-operators", Viewer: "staff",
		})
		suite(t, h.serve(t, i))
	})
}

func (h house) serve(t *testing.T, i *issuer) lobby {
	mux := http.NewServeMux()
	h.Routes(rest.New(mux, "test"), false)
	server := httptest.NewServer(auth.Proxies(nil).Addressed(h.Require(mux, func(string) bool { return true })))
	t.Cleanup(server.Close)
	i.redirect = server.URL + "/api/v1/session/oidc/callback"
	return lobby{h, i, server}
}

// browser keeps cookies and follows redirects, up to those to the console's own
// pages.
func (l lobby) browser() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), l.server.URL) && !strings.HasPrefix(r.URL.Path, "/api/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

func get(t *testing.T, browser *http.Client, address string) (resp *http.Response, body string) {
	t.Helper()
	resp, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// signInThere goes the whole way, and returns the last answer and who is signed in.
func (l lobby) signInThere(claims object) (resp *http.Response, body string, user auth.User) {
	l.t.Helper()
	l.issuer.signsIn(claims)
	browser := l.browser()
	resp, body = get(l.t, browser, l.server.URL+"/api/v1/session/oidc?to=/nodes?state=active")
	who, text := get(l.t, browser, l.server.URL+"/api/v1/session")
	if who.StatusCode == http.StatusOK {
		var said struct{ User auth.User }
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			l.t.Fatal(err)
		}
		user = said.User
	}
	return resp, body, user
}

func TestSignInAtTheProvider(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		resp, body, user := l.signInThere(object{"sub": "s-1", "preferred_username": "ada", "groups": []string{"staff", "patrol-operators"}})
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/nodes?state=active" {
			t.Errorf("answers %d to %s: %s", resp.StatusCode, resp.Header.Get("Location"), body)
		}
		if user.Username != "ada" || user.Role != access.Operator {
			t.Errorf("%+v is signed in", user)
		}
		for _, c := range resp.Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
				t.Errorf("cookie %s is open to scripts or other sites", c.Name)
			}
		}
		for _, need := range []string{"state", "nonce", "code_challenge"} {
			if len(l.issuer.asked.Get(need)) < 20 {
				t.Errorf("the provider is asked without %s: %v", need, l.issuer.asked)
			}
		}
		if l.issuer.asked.Get("scope") != "openid groups" {
			t.Errorf("scopes = %q", l.issuer.asked.Get("scope"))
		}
		want := []string{"user.created ada", "session.opened ada"}
		if got := l.actions(); !slices.Equal(got, want) {
			t.Errorf("the audit log tells of %q; want %q", got, want)
		}
		// The subject is who it is: the name and the groups may change.
		_, _, again := l.signInThere(object{"sub": "s-1", "preferred_username": "countess", "groups": "patrol-admins"})
		if again.ID != user.ID || again.Username != "ada" || again.Role != access.Admin {
			t.Errorf("%+v came back as %+v", user, again)
		}
		if got := l.actions(); !slices.Equal(got[2:], []string{"user.edited ada", "session.opened ada"}) {
			t.Errorf("the audit log tells of %q", got)
		}
		if account, err := l.User(t.Context(), user.ID); err != nil || account.SignIn != "oidc" || account.State != auth.Enabled {
			t.Errorf("the account is %+v, %v", account, err)
		}
		for _, password := range []string{"", "x", password} {
			if _, _, err := l.SignIn(t.Context(), "ada", password); err == nil {
				t.Errorf("the password %q opens an account that has none", password)
			}
		}
	})
}

func TestProviderDoesNotOpenOthersAccounts(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		l.firstAdmin(password)
		for _, claims := range []object{
			{"sub": "s-1", "preferred_username": "admin", "groups": "patrol-admins"},
			{"sub": "admin", "groups": "patrol-admins"},
			{"sub": "s-2", "email": "admin", "groups": "staff"},
		} {
			resp, body, user := l.signInThere(claims)
			if resp.StatusCode != http.StatusConflict || user.Username != "" {
				t.Errorf("%v: answers %d %s, and %+v is signed in", claims, resp.StatusCode, body, user)
			}
		}
	})
}

func TestWhoIsInNoGroupIsRefused(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		for _, claims := range []object{
			{"sub": "s-1"},
			{"sub": "s-1", "groups": []string{}},
			{"sub": "s-1", "groups": "Staff"},
			{"sub": "s-1", "groups": object{"staff": true}},
			{"sub": "s-1", "groups": []any{7, nil}},
			{"sub": "s-1", "roles": "staff"},
		} {
			resp, body, user := l.signInThere(claims)
			if resp.StatusCode != http.StatusForbidden || user.Username != "" {
				t.Errorf("%v: answers %d %s, and %+v is signed in", claims, resp.StatusCode, body, user)
			}
		}
		if n := dbtest.Count(t, l.db.Read(), `SELECT count(*) FROM account`); n != 0 {
			t.Errorf("%d accounts were made", n)
		}
		if got := l.actions(); len(got) != 6 || got[0] != "session.refused s-1" {
			t.Errorf("the audit log tells of %q", got)
		}
	})
}

func TestDisabledUserIsRefusedThere(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		l.firstAdmin(password)
		claims := object{"sub": "s-1", "preferred_username": "ada", "groups": "staff"}
		_, _, user := l.signInThere(claims)
		if _, err := l.EditUser(t.Context(), user.ID, auth.UserChange{Role: pointer(access.Admin)}); err == nil {
			t.Error("a role that the provider says was changed here")
		}
		if _, err := l.InviteAgain(t.Context(), user.ID); err == nil {
			t.Error("a user of the provider was invited to have a password")
		}
		if _, err := l.EditUser(t.Context(), user.ID, auth.UserChange{Disabled: pointer(true)}); err != nil {
			t.Fatal(err)
		}
		if resp, body, user := l.signInThere(claims); resp.StatusCode != http.StatusForbidden || user.ID != "" {
			t.Errorf("answers %d %s, and %+v is signed in", resp.StatusCode, body, user)
		}
	})
}

// What the provider never said, or said to somebody else, signs nobody in.
func TestTokensThatAreNotGood(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		stranger, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		good := object{"sub": "s-1", "preferred_username": "ada", "groups": "staff"}
		for name, spoil := range map[string]func(claims, header object){
			"of another sign-in": func(claims, _ object) { claims["nonce"] = "another" },
			"without a nonce":    func(claims, _ object) { delete(claims, "nonce") },
			"for another client": func(claims, _ object) { claims["aud"] = "another" },
			"of another issuer":  func(claims, _ object) { claims["iss"] = "https://issuer.example" },
			"expired":            func(claims, _ object) { claims["exp"] = noon.Add(-time.Minute).Unix() },
			"not signed":         func(_, header object) { header["alg"] = "none" },
			"signed by another":  func(object, object) { l.issuer.key2 = stranger },
		} {
			l.issuer.spoil = spoil
			if resp, body, user := l.signInThere(good); resp.StatusCode != http.StatusUnauthorized || user.ID != "" {
				t.Errorf("%s: answers %d %s, and %+v is signed in", name, resp.StatusCode, body, user)
			}
			l.issuer.key2 = nil
		}
		l.issuer.spoil = nil
		if resp, body, _ := l.signInThere(good); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("a good one answers %d %s", resp.StatusCode, body)
		}
		if resp, body, user := l.signInThere(nil); resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "access_denied") || user.ID != "" {
			t.Errorf("somebody who refused: answers %d %s", resp.StatusCode, body)
		}
	})
}

// Only the browser that began a sign-in ends it, and once.
func TestCallbackOfAnotherBrowser(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		l.issuer.signsIn(object{"sub": "s-1", "preferred_username": "ada", "groups": "staff"})
		var callback string
		ada := l.browser()
		follow := ada.CheckRedirect
		ada.CheckRedirect = func(r *http.Request, via []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), l.issuer.redirect) {
				callback = r.URL.String()
				return http.ErrUseLastResponse
			}
			return follow(r, via)
		}
		get(t, ada, l.server.URL+"/api/v1/session/oidc")
		other := l.browser()
		get(t, other, callback) // without a flow
		if resp, body := get(t, other, callback); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("a browser that began nothing: %d %s", resp.StatusCode, body)
		}
		wrong, err := url.Parse(callback)
		if err != nil {
			t.Fatal(err)
		}
		q := wrong.Query()
		q.Set("state", "another")
		wrong.RawQuery = q.Encode()
		if resp, body := get(t, ada, wrong.String()); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("another state: %d %s", resp.StatusCode, body)
		}
		ada.CheckRedirect = follow
		if resp, body := get(t, ada, callback); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("the browser that began it: %d %s", resp.StatusCode, body)
		}
		if resp, body := get(t, ada, callback); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("the second time: %d %s", resp.StatusCode, body)
		}
	})
}

func TestComingBackStaysHere(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		l.issuer.signsIn(object{"sub": "s-1", "groups": "staff"})
		for to, want := range map[string]string{
			"": "/", "/scans/1": "/scans/1", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example": "/", "/\t/evil.example": "/",
		} {
			resp, body := get(t, l.browser(), l.server.URL+"/api/v1/session/oidc?to="+url.QueryEscape(to))
			if got := resp.Header.Get("Location"); got != want {
				t.Errorf("%q comes back to %q; want %q: %s", to, got, want, body)
			}
		}
	})
}

// A console starts without its provider, says so, and asks again after a while.
func TestProviderThatIsAway(t *testing.T) {
	eachLobby(t, func(t *testing.T, l lobby) {
		l.issuer.signsIn(object{"sub": "s-1", "groups": "staff"})
		begin := func() int {
			resp, _ := get(t, l.browser(), l.server.URL+"/api/v1/session/oidc")
			return resp.StatusCode
		}
		l.issuer.away = true
		if status := begin(); status != http.StatusConflict {
			t.Errorf("answers %d while the provider is away", status)
		}
		l.issuer.away = false
		if status := begin(); status != http.StatusConflict {
			t.Errorf("answers %d: the provider was not left alone", status)
		}
		l.clock.Advance(5 * time.Second)
		if status := begin(); status != http.StatusSeeOther {
			t.Errorf("answers %d although the provider is back", status)
		}
		if _, body := get(t, l.browser(), l.server.URL+"/api/v1/session/methods"); body != `{"password":true,"oidc":true}`+"\n" {
			t.Errorf("methods = %s", body)
		}
	})
}

func TestNestedRoleClaimAndEverybody(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		i := newIssuer(t, h.clock.Now)
		h.UseOIDC(auth.OIDC{
			Issuer: i.URL, ClientID: clientID, ClientSecret: clientSecret, RoleClaim: "realm_access.roles", Admin: "root", Viewer: auth.Everybody,
		})
		l := h.serve(t, i)
		if resp, body, user := l.signInThere(object{"sub": "s-1", "realm_access": object{"roles": []string{"root"}}}); user.Role != access.Admin {
			t.Errorf("%d %s: %+v", resp.StatusCode, body, user)
		}
		if resp, body, user := l.signInThere(object{"sub": "s-2"}); user.Role != access.Viewer || user.Username != "s-2" {
			t.Errorf("%d %s: %+v", resp.StatusCode, body, user)
		}
	})
}

func TestOIDCSettings(t *testing.T) {
	whole := auth.OIDC{Issuer: "https://issuer.example", ClientID: "c", RoleClaim: "groups", Viewer: "*"}
	for _, test := range []struct {
		change func(o *auth.OIDC)
		says   string
	}{
		{func(*auth.OIDC) {}, ""},
		{func(o *auth.OIDC) { *o = auth.OIDC{} }, ""},
		{func(o *auth.OIDC) { o.ClientID = "" }, "--oidc-client-id"},
		{func(o *auth.OIDC) { o.RoleClaim = "" }, "--oidc-role-claim"},
		{func(o *auth.OIDC) { o.Viewer = "" }, "lets nobody in"},
	} {
		o := whole
		test.change(&o)
		if err := o.Check(); (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v; want %q", o, err, test.says)
		}
	}
}

// Who comes for the first time is put into the team of the settings; while there is
// none nobody comes in, since they would see everything.
func TestTeamOfNewUsers(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		i := newIssuer(t, h.clock.Now)
		h.UseOIDC(auth.OIDC{
			Issuer: i.URL, ClientID: clientID, ClientSecret: clientSecret, Scopes: []string{"openid"},
			RoleClaim: "groups", Viewer: auth.Everybody, Team: "newcomers",
		})
		l := h.serve(t, i)
		claims := object{"sub": "s-1", "preferred_username": "ada"}
		if resp, body, _ := l.signInThere(claims); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "newcomers") {
			t.Errorf("without the team: %d %s", resp.StatusCode, body)
		}
		h.firstAdmin(password)
		team := h.team("newcomers", "false")
		_, _, user := l.signInThere(claims)
		account, err := h.User(t.Context(), user.ID)
		if err != nil || account.Team.ID != team.ID || account.Role != access.Viewer {
			t.Errorf("the user is %+v, %v", account, err)
		}
		// What an administrator decides later stays.
		if _, err := h.EditUser(t.Context(), user.ID, auth.UserChange{Team: pointer("")}); err != nil {
			t.Fatal(err)
		}
		l.signInThere(claims)
		if account, err := h.User(t.Context(), user.ID); err != nil || account.Team.ID != "" {
			t.Errorf("the user is %+v, %v", account, err)
		}
	})
}
