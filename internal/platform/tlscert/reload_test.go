package tlscert_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/tlscert"
)

// files is a certificate on disk that is replaced now and then.
type files struct {
	t     *testing.T
	dir   string
	clock *clocktest.Clock
	*tlscert.Reloading
}

func newFiles(t *testing.T) *files {
	t.Helper()
	f := &files{t: t, dir: t.TempDir(), clock: clocktest.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))}
	f.replace("tls.crt", "tls.key")
	var err error
	if f.Reloading, err = tlscert.Reload(filepath.Join(f.dir, "tls.crt"), filepath.Join(f.dir, "tls.key"), f.clock.Now); err != nil {
		t.Fatal(err)
	}
	return f
}

// replace writes files of a new certificate, and returns its fingerprint.
func (f *files) replace(names ...string) string {
	f.t.Helper()
	other := f.t.TempDir()
	made := selfSigned(f.t, other)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			f.t.Fatal(err)
		}
		f.write(name, string(text))
	}
	return tlscert.Fingerprint(made.Certificate[0])
}

// write writes a file a second after the one before, by the file system's clock.
func (f *files) write(name, text string) {
	f.t.Helper()
	f.clock.Advance(time.Second)
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(path, f.clock.Now(), f.clock.Now()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *files) shown() string {
	f.t.Helper()
	certificate, err := f.Certificate(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return tlscert.Fingerprint(certificate.Certificate[0])
}

func TestReload(t *testing.T) {
	f := newFiles(t)
	first := f.shown()
	second := f.replace("tls.crt", "tls.key")
	if got := f.shown(); got != second || got == first {
		t.Errorf("shown is %s; want the new %s", got, second)
	}
	f.write("tls.crt", "damaged")
	if got := f.shown(); got != second {
		t.Errorf("shown is %s while the file is damaged; want the old %s", got, second)
	}
	third := f.replace("tls.crt", "tls.key")
	if got := f.shown(); got != third {
		t.Errorf("shown is %s; want the repaired %s", got, third)
	}
	f.replace("tls.crt") // its key is still to come
	if got := f.shown(); got != third {
		t.Errorf("shown is %s while the key is another's; want the old %s", got, third)
	}
	f.clock.Advance(time.Second)
	if err := os.Remove(filepath.Join(f.dir, "tls.key")); err != nil {
		t.Fatal(err)
	}
	if got := f.shown(); got != third {
		t.Errorf("shown is %s while the key is missing; want the old %s", got, third)
	}
	fourth := f.replace("tls.crt", "tls.key")
	if got := f.shown(); got != fourth {
		t.Errorf("shown is %s; want %s", got, fourth)
	}
}

// Connections that are there go on; the next one is shown the new certificate.
func TestReloadWhileServing(t *testing.T) {
	f := newFiles(t)
	first := f.shown()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	server.Listener = tls.NewListener(server.Listener, &tls.Config{GetCertificate: f.Certificate})
	server.Start()
	defer server.Close()
	address := "https://" + server.Listener.Addr().String()
	settings, err := tlscert.Pinned(first)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: settings}
	defer transport.CloseIdleConnections()
	kept := &http.Client{Transport: transport}
	ask := func() error {
		resp, err := kept.Get(address)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.Body.Close()
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	second := f.replace("tls.crt", "tls.key")
	if err := ask(); err != nil {
		t.Errorf("the connection that was open ended: %v", err)
	}
	if err := get(t, address, second); err != nil {
		t.Errorf("a new connection is not shown the new certificate: %v", err)
	}
	if err := get(t, address, first); err == nil {
		t.Error("a new connection is shown the old certificate")
	}
}

func TestReloadOfNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := tlscert.Reload(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), time.Now); err == nil {
		t.Error("files that are missing are no error at the start")
	}
}
