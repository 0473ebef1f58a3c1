package main_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/fleet"
	"patrol/internal/platform/tlscert"
	"patrol/internal/scan"
)

// proxy is what a company puts between its machines and all others: it takes
// nothing but CONNECT (RFC 9110, section 9.3.6), and knows where console.test is.
type proxy struct {
	*httptest.Server
	tunnels atomic.Int32
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := new(proxy)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		if r.Method != http.MethodConnect || err != nil || host != "console.test" {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			http.Error(w, "", http.StatusBadGateway)
			return
		}
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = far.Close()
			return
		}
		p.tunnels.Add(1)
		_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
		_ = near.Close()
	}))
	t.Cleanup(p.Close)
	return p
}

// An agent that reaches its console through a proxy alone, over TLS with a pinned
// certificate, is woken at once: the stream goes through the proxy, too.
func TestAgentThroughAProxy(t *testing.T) {
	dir := t.TempDir()
	certificate, err := tlscert.SelfSigned(filepath.Join(dir, "tls"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pin := tlscert.Fingerprint(certificate.Certificate[0])
	cert, key := filepath.Join(dir, "tls", "tls.crt"), filepath.Join(dir, "tls", "tls.key")
	_, printed := start(t, []string{"PATROL_ADMIN_PASSWORD=" + password}, "Patrol console on ",
		"console", "--data-dir", filepath.Join(dir, "console"), "--listen", "127.0.0.1:0", "--feed-url", "../../internal/feed/sample", "--tls-cert", cert, "--tls-key", key)
	address, err := url.Parse(printed)
	if err != nil {
		t.Fatal(err)
	}
	verify, err := tlscert.Pinned(pin)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Console: address, HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: verify}}}
	if err := c.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	enrolment, err := c.CreateToken(t.Context(), "enrolment", "test")
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t)
	start(t, []string{"PATROL_ENROLMENT_TOKEN=" + enrolment.Token, "HTTPS_PROXY=" + p.URL, "NO_PROXY="}, "",
		"agent", "--console", "https://console.test:"+address.Port(), "--fingerprint", pin, "--data-dir", filepath.Join(dir, "agent"), "--root", fixture)
	var nodes []fleet.Node
	eventually(t, "the agent", func() bool {
		nodes = all[fleet.Node](t, c, "nodes", nil)
		return len(nodes) == 1
	})
	for range 3 { // the agent asks by itself every 30 s; the stream does not make it wait
		var started scan.Started
		if err := c.Do(t.Context(), http.MethodPost, "scans", scan.StartRequest{Nodes: []string{nodes[0].ID}}, &started); err != nil {
			t.Fatal(err)
		}
		began, s := time.Now(), started.Items[0]
		eventually(t, "the scan's end", func() bool {
			if err := c.Do(t.Context(), http.MethodGet, "scans/"+s.ID, nil, &s); err != nil {
				t.Fatal(err)
			}
			return s.Finished()
		})
		if took := time.Since(began); s.State != scan.Complete || took > 20*time.Second {
			t.Errorf("scan is %s (%s) after %v", s.State, s.Error, took)
		}
	}
	if p.tunnels.Load() == 0 {
		t.Error("nothing went through the proxy")
	}

	t.Run("ca", func(t *testing.T) {
		token, err := c.CreateToken(t.Context(), "api", "test")
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"nodes", "list", "--console", "https://localhost:" + address.Port(), "--token", token.Token, "--output", "json"}
		if out, errs, code := run(t, append(args, "--ca", cert)...); code != 0 || len(decode[[]fleet.Node](t, out)) != 1 {
			t.Errorf("with its CA: exit %d: %s", code, errs)
		}
		if _, _, code := run(t, args...); code != 1 {
			t.Errorf("with the system's CAs: exit %d; want 1", code)
		}
	})
}
