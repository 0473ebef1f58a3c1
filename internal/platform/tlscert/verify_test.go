package tlscert_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/platform/tlscert"
)

func TestVerifying(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	certificate := selfSigned(t, dir)
	selfSigned(t, other)
	pin := tlscert.Fingerprint(certificate.Certificate[0])
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := serve(t, certificate)
	for name, test := range map[string]struct{ pin, ca, says string }{
		"its CA":        {"", filepath.Join(dir, "tls.crt"), ""},
		"its pin":       {pin, "", ""},
		"another CA":    {"", filepath.Join(other, "tls.crt"), "certificate"},
		"the system's":  {"", "", "certificate"},
		"both":          {pin, filepath.Join(dir, "tls.crt"), "not both"},
		"no file":       {"", filepath.Join(dir, "none"), "--ca"},
		"no PEM":        {"", empty, "no certificate"},
		"a private key": {"", filepath.Join(dir, "tls.key"), "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := tlscert.Verifying(test.pin, test.ca)
			if err == nil {
				transport := &http.Transport{TLSClientConfig: settings}
				defer transport.CloseIdleConnections()
				var resp *http.Response
				if resp, err = (&http.Client{Transport: transport}).Get(url); err == nil {
					_ = resp.Body.Close()
				}
			}
			if (test.says == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), test.says)) {
				t.Errorf("%v; want it to say %q", err, test.says)
			}
		})
	}
}
