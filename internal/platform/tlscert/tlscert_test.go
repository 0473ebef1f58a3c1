package tlscert_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/tlscert"
)

func selfSigned(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	certificate, err := tlscert.SelfSigned(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// serve answers over TLS with the certificate, and returns its URL.
func serve(t *testing.T, certificate tls.Certificate) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused connections are what is tested
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func get(t *testing.T, url, fingerprint string) error {
	t.Helper()
	settings, err := tlscert.Pinned(fingerprint)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: settings}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestPinned(t *testing.T) {
	certificate := selfSigned(t, t.TempDir())
	pin := tlscert.Fingerprint(certificate.Certificate[0])
	url := serve(t, certificate)
	for name, test := range map[string]struct{ pin, says string }{
		"its own fingerprint":      {pin, ""},
		"in capitals":              {"sha256:" + strings.ToUpper(strings.TrimPrefix(pin, "sha256:")), ""},
		"one of two":               {tlscert.Fingerprint(selfSigned(t, t.TempDir()).Certificate[0]) + ", " + pin, ""},
		"of two, one wrong":        {pin + ",sha256:abcd", "64 hex digits"},
		"of another certificate":   {tlscert.Fingerprint(selfSigned(t, t.TempDir()).Certificate[0]), "not the pinned"},
		"none: the ordinary rules": {"", "certificate"},
		"too short":                {"sha256:abcd", "64 hex digits"},
		"of another kind":          {"md5:" + strings.Repeat("0", 64), "64 hex digits"},
		"without its kind":         {strings.TrimPrefix(pin, "sha256:"), "64 hex digits"},
	} {
		err := get(t, url, test.pin)
		if (test.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v; want it to say %q", name, err, test.says)
		}
	}
}

// A resumed connection shows no certificate of its own; it is verified all the
// same.
func TestPinnedOnResumedConnections(t *testing.T) {
	certificate := selfSigned(t, t.TempDir())
	url := serve(t, certificate)
	cache := tls.NewLRUClientSessionCache(8)
	for name, test := range map[string]struct {
		pin string
		ok  bool
	}{
		"right": {tlscert.Fingerprint(certificate.Certificate[0]), true},
		"wrong": {"sha256:" + strings.Repeat("0", 64), false},
	} {
		settings, err := tlscert.Pinned(test.pin)
		if err != nil {
			t.Fatal(err)
		}
		settings.ClientSessionCache = cache
		for range 2 {
			transport := &http.Transport{TLSClientConfig: settings}
			resp, err := (&http.Client{Transport: transport}).Get(url)
			if (err == nil) != test.ok {
				t.Errorf("%s pin: %v", name, err)
			}
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body) // the ticket of TLS 1.3 comes with it
				_ = resp.Body.Close()
			}
			transport.CloseIdleConnections()
		}
	}
}

func TestSelfSignedIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	first, second := selfSigned(t, dir), selfSigned(t, dir)
	if tlscert.Fingerprint(first.Certificate[0]) != tlscert.Fingerprint(second.Certificate[0]) {
		t.Error("a second start made another certificate: the fleet is cut off")
	}
	info, err := os.Stat(filepath.Join(dir, "tls.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v; want 0600", info.Mode(), err)
	}
	leaf := first.Leaf
	if left := time.Until(leaf.NotAfter); left < 9*365*24*time.Hour {
		t.Errorf("the certificate ends in %v", left)
	}
	if leaf.VerifyHostname("localhost") != nil || !leaf.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("the certificate is for %v and %v", leaf.DNSNames, leaf.IPAddresses)
	}
}

// A crash after the key was written and before the certificate was.
func TestSelfSignedAfterHalfAStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tls.key"), []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	selfSigned(t, dir)
}

func TestSelfSignedThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	selfSigned(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "tls.crt"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tlscert.SelfSigned(dir, time.Now()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("SelfSigned = %v; want it to name %s", err, dir)
	}
}
