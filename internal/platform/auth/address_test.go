package auth

import (
	"net/http"
	"testing"
)

func TestClientAddress(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		connection string
		forwarded  []string
		want       string
	}{
		{"203.0.113.9:1234", nil, "203.0.113.9"},
		{"203.0.113.9:1234", []string{"198.51.100.1"}, "203.0.113.9"}, // not a trusted proxy: made up
		{"10.1.2.3:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"192.0.2.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"192.0.2.2:1234", []string{"198.51.100.1"}, "192.0.2.2"},
		{"10.1.2.3:1234", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"}, // 1.1.1.1 is the client's own word
		{"10.1.2.3:1234", []string{"1.1.1.1", "198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"10.1.2.3:1234", []string{"10.4.4.4"}, "10.4.4.4"}, // everybody is a proxy: the first one
		{"10.1.2.3:1234", []string{"unknown"}, "10.1.2.3"},
		{"10.1.2.3:1234", []string{"<script>, 10.5.5.5"}, "10.5.5.5"},
		{"10.1.2.3:1234", nil, "10.1.2.3"},
		{"[2001:db8::1]:1234", []string{"2001:db9::5"}, "2001:db9::5"},
		{"[::ffff:10.1.2.3]:1234", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"[fe80::1%eth0]:1234", nil, "fe80::1"},
	} {
		r := &http.Request{RemoteAddr: test.connection, Header: http.Header{"X-Forwarded-For": test.forwarded}}
		if got := proxies.client(r); got != test.want {
			t.Errorf("%s, forwarded for %q: client %s; want %s", test.connection, test.forwarded, got, test.want)
		}
	}
	if got := Proxies(nil).client(&http.Request{RemoteAddr: "127.0.0.1:1", Header: http.Header{"X-Forwarded-For": {"1.1.1.1"}}}); got != "127.0.0.1" {
		t.Errorf("without proxies the client is %s", got)
	}
}

func TestParseProxies(t *testing.T) {
	for _, wrong := range []string{"", "proxy.example", "10.0.0.0/33", "10.0.0.0/8 "} {
		if _, err := ParseProxies([]string{wrong}); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "": "", "pipe": "pipe",
	} {
		if got := network(address); got != want {
			t.Errorf("network(%q) = %q; want %q", address, got, want)
		}
	}
}
