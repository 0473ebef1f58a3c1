package console

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/tlscert"
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

const password = "correct horse battery staple"

// house is an open console that answers over real HTTP. Its loops do not run:
// nothing happens but what a test asks for.
type house struct {
	*Console
	t      *testing.T
	server *httptest.Server
}

func openHouse(t *testing.T, feedURL string) house {
	t.Helper()
	return openHouseIn(t, t.TempDir(), feedURL)
}

func openHouseIn(t *testing.T, dir, feedURL string) house {
	t.Helper()
	c, err := Open(t.Context(), Options{
		DataDir: dir, FeedURL: feedURL, FeedInterval: time.Hour, AdminPassword: password, Version: "test", Out: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.scans.SetAutomatic(func(context.Context, db.Querier) (scan.Automatic, error) { return scan.Automatic{}, nil })
	server := httptest.NewServer(c.handler(false))
	t.Cleanup(func() {
		server.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return house{c, t, server}
}

// update installs what is published.
func (h house) update() {
	h.t.Helper()
	if _, err := h.feed.Update(h.t.Context(), nil); err != nil {
		h.t.Fatal(err)
	}
}

// publish returns a directory with a small feed, laid out as OSV publishes.
func publish(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "Debian"), os.DirFS("../feed/sample/Debian")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// token returns the secret of a new credential of that kind.
func (h house) token(kind string) string {
	h.t.Helper()
	if kind == auth.Agent {
		return h.register().Credential
	}
	issued, err := h.auth.IssueToken(h.t.Context(), auth.NewToken{Kind: kind, Name: "for a test"})
	if err != nil {
		h.t.Fatal(err)
	}
	return issued.Token
}

func (h house) register() wire.RegisterResponse {
	h.t.Helper()
	out, err := h.fleet.Register(h.t.Context(), wire.RegisterRequest{
		Key: "key of an agent of a test", Facts: wire.Facts{Protocol: wire.Version, Name: "web-1"},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// document is what install installs.
func (h house) document() []byte {
	h.t.Helper()
	encoded, err := (&sbom.Document{Components: []sbom.Component{{Ecosystem: "Debian:12", Name: "gzip", Version: "1.12-1"}}}).Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	return encoded
}

// install gives the fleet a node with a package of Debian.
func (h house) install() {
	h.t.Helper()
	ctx := h.t.Context()
	encoded := h.document()
	digest := sbom.Digest(encoded)
	if err := h.fleet.Put(ctx, digest, encoded); err != nil {
		h.t.Fatal(err)
	}
	document, ok, err := h.fleet.Lookup(ctx, digest)
	if err != nil || !ok {
		h.t.Fatal(ok, err)
	}
	node := h.register().Node
	if err := h.db.Write(ctx, func(tx *db.Tx) error { return h.fleet.Installed(ctx, tx, node, document) }); err != nil {
		h.t.Fatal(err)
	}
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

// ask makes a request with a token ("" for none) and further headers by name.
func (h house) ask(method, path, token, body string, headers ...string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // redirects are answers, too
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

// wantProblem checks that an answer is an RFC 9457 problem of that status, and
// returns its detail with all that it lists.
func wantProblem(t *testing.T, a answer, status int) string {
	t.Helper()
	what := a.Request.Method + " " + a.Request.URL.Path
	var p struct {
		Status int    `json:"status"`
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Errorf("%s answers %d with %.200q: %v", what, a.StatusCode, a.body, err)
		return ""
	}
	if a.StatusCode != status || p.Status != status || p.Title == "" || p.Detail == "" || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s answers %d with %s %q; want a problem %d", what, a.StatusCode, a.Header.Get("Content-Type"), a.body, status)
	}
	return a.body
}

// into decodes an answer that went well.
func into[T any](t *testing.T, a answer) (out T) {
	t.Helper()
	if a.StatusCode/100 != 2 {
		t.Fatalf("%s %s answers %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		t.Fatalf("%s %s: %v in %s", a.Request.Method, a.Request.URL.Path, err, a.body)
	}
	return out
}

// clientOf returns the Go client for a console, which pins its certificate.
func clientOf(t *testing.T, address, fingerprint string) *client.Client {
	t.Helper()
	console, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	verify, err := tlscert.Pinned(fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: verify, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &client.Client{Console: console, HTTP: &http.Client{Transport: transport}}
}

// registered returns an agent's client, with an enrolment token made through the
// API.
func registered(t *testing.T, api *client.Client) *wire.Client {
	t.Helper()
	token, err := api.CreateToken(t.Context(), auth.Enrolment, "for a test")
	if err != nil {
		t.Fatal(err)
	}
	agent := &wire.Client{Console: api.Console, HTTP: api.HTTP}
	out, err := agent.Register(t.Context(), token.Token, wire.RegisterRequest{
		Key: "key of an agent of a test", Facts: wire.Facts{Protocol: wire.Version, Name: "web-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	agent.Credential = out.Credential
	return agent
}
