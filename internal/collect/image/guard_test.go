package image

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
)

func guardOf(t *testing.T, host string) *guard {
	t.Helper()
	r, err := name.NewRegistry(host)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(r)
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func TestGuardCredentials(t *testing.T) {
	tests := []struct {
		registry, url string
		may           bool
	}{
		{"registry.example.com", "https://registry.example.com/v2/", true},
		{"registry.example.com", "http://registry.example.com/v2/", false},
		{"registry.example.com", "https://registry.example.com:8443/token", true},
		{"registry.example.com", "https://auth.example.com/token", true},
		{"registry.example.com", "http://auth.example.com/token", false},
		{"registry.example.com", "https://example.org/token", false},
		{"registry.example.com", "https://registry.example.com.evil.org/", false},
		{"registry.example.com", "https://evilexample.com/", false},
		{"index.docker.io", "https://auth.docker.io/token", true},
		{"shop.co.uk", "https://other.co.uk/", false},
		{"10.0.0.1:5000", "https://10.0.0.1:5000/v2/", true},
		{"10.0.0.1:5000", "https://10.0.0.1:5001/v2/", false},
		{"10.0.0.1:5000", "https://10.0.0.2:5000/v2/", false},
		{"registry.example.com", "https://[fe80::1]/", false},
	}
	for _, tt := range tests {
		g := guardOf(t, tt.registry)
		g.plain = false
		r := httptest.NewRequest(http.MethodGet, tt.url, nil)
		if got := g.mayKnow(r.URL); got != tt.may {
			t.Errorf("%s, %s: got %v", tt.registry, tt.url, got)
		}
		r.Header.Set("Authorization", "basic YTpi")
		if err := g.admit(r); (err == nil) != tt.may {
			t.Errorf("%s, %s: %v", tt.registry, tt.url, err)
		}
		if tt.may || strings.Contains(tt.url, "fe80") {
			continue
		}
		r.Header.Set("Authorization", "Bearer abc")
		if err := g.admit(r); err != nil || r.Header.Get("Authorization") != "" {
			t.Errorf("%s, %s: a token goes there, %v", tt.registry, tt.url, err)
		}
		// The body may have the credentials.
		if err := g.admit(httptest.NewRequest(http.MethodPost, tt.url, nil)); !errors.Is(err, ErrCredentials) {
			t.Errorf("%s, %s: a form goes there, %v", tt.registry, tt.url, err)
		}
	}
}

func TestGuardAddresses(t *testing.T) {
	tests := []struct {
		address                string
		elsewhere, thisMachine bool // forbidden to a registry that is
	}{
		{"127.0.0.1", true, false},
		{"127.8.9.1", true, false},
		{"::1", true, false},
		{"::ffff:127.0.0.1", true, false},
		{"0.0.0.0", true, true},
		{"::", true, true},
		{"169.254.169.254", true, true},
		{"::ffff:169.254.169.254", true, true},
		{"fe80::1%eth0", true, true},
		{"fd00:ec2::254", true, true},
		{"100.100.100.200", true, true},
		{"fd20:ce::254", true, true},
		{"224.0.0.1", true, true},
		{"0.1.2.3", true, true},
		{"64:ff9b::7f00:1", true, true},
		{"64:ff9b::a9fe:a9fe", true, true},
		{"10.0.0.1", false, false},
		{"93.184.216.34", false, false},
	}
	for _, tt := range tests {
		g := guardOf(t, "registry.example.com")
		ip := netip.MustParseAddr(tt.address)
		if got := g.forbids(ip); got != tt.elsewhere {
			t.Errorf("%s: %v", tt.address, got)
		}
		g.local.Store(true)
		if got := g.forbids(ip); got != tt.thisMachine {
			t.Errorf("%s, from this machine: %v", tt.address, got)
		}
	}
}

// Nothing connects to this machine on a registry's word; the registry itself may
// be on it.
func TestGuardDials(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := guardOf(t, "registry.example.com")
	for _, address := range []string{"127.0.0.1:" + port, "localhost:" + port} {
		if _, err := elsewhere.dial(t.Context(), "tcp", address); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, host := range []string{"169.254.169.254", "2852039166", "0xa9.0xfe.0xa9.0xfe", "127.1"} {
		if _, err := elsewhere.RoundTrip(httptest.NewRequest(http.MethodGet, "http://"+host+"/latest/meta-data/", nil)); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	here := guardOf(t, "127.0.0.1:"+port)
	for _, address := range []string{"127.0.0.1:" + port, "localhost:" + port} {
		c, err := here.dial(t.Context(), "tcp", address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		c.Close()
	}
}
