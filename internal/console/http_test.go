package console

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"patrol/internal/feed"
	"patrol/internal/platform/auth"
)

var linked = regexp.MustCompile(`(?:src|href|url)\s*[=:]\s*"([^"]*)"`)

func TestDocsLoadNothingFromElsewhere(t *testing.T) {
	h := openHouse(t, publish(t))
	if got := h.ask("GET", "/api/docs", "", ""); got.StatusCode/100 != 3 || got.Header.Get("Location") != "/api/docs/" {
		t.Errorf("/api/docs answers %d to %s", got.StatusCode, got.Header.Get("Location"))
	}
	page := h.ask("GET", "/api/docs/", "", "")
	start := h.ask("GET", "/api/docs/start.js", "", "")
	links := linked.FindAllStringSubmatch(page.body+start.body, -1)
	if len(links) < 4 {
		t.Fatalf("the page loads %q", links)
	}
	base := &url.URL{Path: "/api/docs/"}
	for _, link := range links {
		address, err := base.Parse(link[1])
		if err != nil || address.Host != "" {
			t.Errorf("the page loads %s from another origin", link[1])
			continue
		}
		if got := h.ask("GET", address.Path, "", ""); got.StatusCode != http.StatusOK || got.body == "" {
			t.Errorf("%s answers %d", address.Path, got.StatusCode)
		}
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") {
		t.Errorf("the content security policy is %q", policy)
	}
}

func TestSessionOverHTTP(t *testing.T) {
	h := openHouse(t, publish(t))
	signedIn := h.ask("POST", "/api/v1/session", "", `{"username":"admin","password":"`+password+`"}`)
	session := into[struct {
		Token string
		User  auth.User
	}](t, signedIn)
	cookies := signedIn.Cookies()
	if session.Token == "" || session.User.Username != "admin" || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("session = %+v, cookies = %v", session, cookies)
	}
	cookie := cookies[0].Name + "=" + cookies[0].Value
	if got := h.ask("GET", "/api/v1/nodes", "", "", "Cookie", cookie); got.StatusCode != http.StatusOK {
		t.Errorf("the cookie opens nothing: %d", got.StatusCode)
	}
	const body = `{"kind":"api","name":"made elsewhere"}`
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}} {
		wantProblem(t, h.ask("POST", "/api/v1/tokens", "", body, append(header, "Cookie", cookie)...), http.StatusForbidden)
	}
	if got := h.ask("POST", "/api/v1/tokens", "", body, "Sec-Fetch-Site", "same-origin", "Cookie", cookie); got.StatusCode != http.StatusCreated {
		t.Errorf("the console's own page is refused: %d %s", got.StatusCode, got.body)
	}
	if got := h.ask("DELETE", "/api/v1/session", "", "", "Cookie", cookie); got.StatusCode != http.StatusNoContent {
		t.Errorf("sign out answers %d", got.StatusCode)
	}
	wantProblem(t, h.ask("GET", "/api/v1/nodes", session.Token, ""), http.StatusUnauthorized)
}

func TestInvalidBodiesEchoNoSecret(t *testing.T) {
	h := openHouse(t, publish(t))
	const secret = "hunter2"
	for _, body := range []string{
		`{"username":"admin","password":["hunter2"]}`,
		`{"username":"admin","password":{"is":"hunter2"}}`,
		`{"username":7,"password":"hunter2"}`,
		`{"username":"","password":"hunter2"}`,
		`{"user":"admin","password":"hunter2"}`,
		`{"username":"admin","password":"hunter2"`,
		`{"username":"admin","password":"hunter2"}}`,
		`{"username":"admin","password":hunter2}`,
		`"hunter2"`, `["hunter2"]`, `hunter2`,
		`{"username":"admin","password":"hunter2"}`,
		`{"username":"hunter2","password":"x"}`,
	} {
		got := h.ask("POST", "/api/v1/session", "", body)
		if got.StatusCode/100 != 4 || strings.Contains(got.body, secret) {
			t.Errorf("%s answers %d: %s", body, got.StatusCode, got.body)
		}
		wantProblem(t, got, got.StatusCode)
	}
	got := h.ask("POST", "/api/v1/session", "", `{"username":"admin"}`)
	if said := wantProblem(t, got, http.StatusUnprocessableEntity); !strings.Contains(said, "password") {
		t.Errorf("%s does not say what is missing", said)
	}
}

func TestScheduleProblems(t *testing.T) {
	h := openHouse(t, publish(t))
	token := h.token(auth.API)
	for body, says := range map[string]string{
		`{"name":"a","cron":"0 0 30 2 *","selector":"true"}`:                           "never fires",
		`{"name":"a","cron":"soon","selector":"true"}`:                                 "fields",
		`{"name":"a","cron":"@daily","selector":"node.kin == 1"}`:                      "1:5",
		`{"name":"a","cron":"@daily","selector":"true","time_zone":"Mars"}`:            "IANA",
		`{"name":"Vulnerability scan of all hosts","cron":"@daily","selector":"true"}`: "already",
		`{"name":"a","cron":"@daily","selector":"true","zone":"UTC"}`:                  "unexpected property",
		`{"cron":"@daily","selector":"true"}`:                                          "name",
		`{"name":"a","cron":"CRON_TZ=UTC @daily","selector":"true","time_zone":"UTC"}`: "time_zone",
	} {
		status := http.StatusUnprocessableEntity
		if says == "already" {
			status = http.StatusConflict
		}
		if said := wantProblem(t, h.ask("POST", "/api/v1/schedules", token, body), status); !strings.Contains(said, says) {
			t.Errorf("%s: %s; want it to say %q", body, said, says)
		}
	}
}

func TestLargeBody(t *testing.T) {
	h := openHouse(t, publish(t))
	body := `{"kind":"api","name":"` + strings.Repeat("x", 1<<20) + `"}`
	wantProblem(t, h.ask("POST", "/api/v1/tokens", h.token(auth.API), body), http.StatusRequestEntityTooLarge)
	wantProblem(t, h.ask("POST", "/api/v1/session", "", body), http.StatusRequestEntityTooLarge)
}

func TestHealth(t *testing.T) {
	h := openHouse(t, publish(t))
	h.update()
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := h.ask("GET", path, "", ""); got.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d: %s", path, got.StatusCode, got.body)
		}
	}
}

func TestPanicIsAProblem(t *testing.T) {
	server := httptest.NewServer(guarded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		panic("a secret is " + r.URL.Path)
	})))
	defer server.Close()
	h := house{t: t, server: server}
	if said := wantProblem(t, h.ask("GET", "/hunter2", "", ""), http.StatusInternalServerError); strings.Contains(said, "hunter2") {
		t.Errorf("the problem tells what panicked: %s", said)
	}
	if resp, err := http.Get(server.URL + "/abort"); err == nil {
		t.Errorf("an answer that was broken off came as %d", resp.StatusCode)
		_ = resp.Body.Close()
	}
}

// refusing is an address at which nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return "http://operator:hunter2@" + listener.Addr().String()
}

func TestFeedThatCannotBeReached(t *testing.T) {
	for name, address := range map[string]string{"URL": refusing(t), "directory": "/nonexistent/feeds"} {
		t.Run(name, func(t *testing.T) {
			h := openHouse(t, address)
			installed, err := h.store.Update(t.Context(), feed.Options{URL: publish(t)})
			if err != nil {
				t.Fatal(err)
			}
			h.install()
			token := h.token(auth.API)
			refused := h.ask("POST", "/api/v1/feed/update", token, "")
			said := wantProblem(t, refused, refused.StatusCode)
			overview := into[feed.Overview](t, h.ask("GET", "/api/v1/feed", token, ""))
			if refused.StatusCode/100 == 2 || overview.LastAttempt == nil || overview.Revision != installed.Revision || overview.Sample {
				t.Fatalf("update answers %d; feed = %+v", refused.StatusCode, overview)
			}
			message := overview.LastAttempt.Error
			if message == "" || strings.ContainsAny(message, "\n\r") || !strings.Contains(message, "stays installed") {
				t.Errorf("error = %q; want one line that says what remains", message)
			}
			if strings.Contains(message+said+overview.LastAttempt.URL, "hunter2") {
				t.Errorf("the password of the feed is shown: %q, %q, %q", message, said, overview.LastAttempt.URL)
			}
		})
	}
}

func TestUI(t *testing.T) {
	h := openHouse(t, publish(t))
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		wantProblem(t, h.ask(method, "/nodes", "", ""), http.StatusMethodNotAllowed)
	}
	wantProblem(t, h.ask("GET", "/nonsense", "", "", "Accept", "*/*"), http.StatusNotFound)
	for _, path := range []string{"/", "/nodes", "/assets/../../patrol.db", "/assets/"} {
		got := h.ask("GET", path, "", "")
		if got.Header.Get("X-Content-Type-Options") != "nosniff" || bytes.Contains([]byte(got.body), []byte("SQLite format")) {
			t.Errorf("%s answers %d with %v", path, got.StatusCode, got.Header)
		}
	}
}
