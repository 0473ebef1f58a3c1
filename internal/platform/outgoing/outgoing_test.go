package outgoing_test

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"patrol/internal/platform/outgoing"
)

func get(t *testing.T, client *http.Client, url string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err == nil {
		err = resp.Body.Close()
	}
	return err
}

// noProxies takes those of whoever runs the tests out of the environment.
func noProxies(t *testing.T) {
	t.Helper()
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD"} {
		t.Setenv(name, "")
	}
}

func TestHosts(t *testing.T) {
	noProxies(t)
	here := serve(t, "127.0.0.1", "0", nil)
	serve(t, permitted, here.port, nil)
	g := guard(t)
	client := g.Client(g.Transport(nil))
	tests := []struct {
		host string
		err  error
	}{
		{permitted, nil},
		{"[::ffff:127.0.0.2]", nil},
		{"127.0.0.1", outgoing.ErrAddress},
		{"localhost", outgoing.ErrAddress},
		{"[::1]", outgoing.ErrAddress},
		{"[::ffff:127.0.0.1]", outgoing.ErrAddress},
		{"[::ffff:7f00:1]", outgoing.ErrAddress},
		{"[64:ff9b::7f00:1]", outgoing.ErrAddress},
		{"[fe80::1%25lo]", outgoing.ErrAddress},
		{"0.0.0.0", outgoing.ErrAddress},
		{"", outgoing.ErrAddress},
		{"[::]", outgoing.ErrAddress},
		{"127。0。0。1", outgoing.ErrAddress},
		{"２１３０７０６４３３", outgoing.ErrForm},
		{"2130706433", outgoing.ErrForm},
		{"0x7f.1", outgoing.ErrForm},
		{"0177.0.0.1", outgoing.ErrForm},
		{"127.0.0.1.", outgoing.ErrForm},
	}
	for _, tt := range tests {
		if err := get(t, client, "http://"+tt.host+":"+here.port+"/"); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.host, err)
		}
	}
	if n := here.conns.Load(); n != 0 {
		t.Errorf("this machine was reached %d times", n)
	}
}

// An error names the host that was asked for, where it leads, and what would allow it.
func TestErrorsSayWhatToDo(t *testing.T) {
	noProxies(t)
	dns := serveNames(t, map[string][][]netip.Addr{"hooks.example.": {{netip.MustParseAddr("127.0.0.1")}}})
	g := guard(t).Asking(dns.resolver())
	client := g.Client(g.Transport(nil))
	for url, says := range map[string][]string{
		"http://hooks.example:1/":     {"hooks.example", "127.0.0.1", "--outgoing-allow 127.0.0.1"},
		"http://[::ffff:127.0.0.1]/":  {"::ffff:127.0.0.1", "--outgoing-allow 127.0.0.1"},
		"http://[fe80::1%25eth0]/":    {"fe80::1%eth0", "--outgoing-allow fe80::1"},
		"https://169.254.169.254/":    {"169.254.169.254 leads to", "metadata service", "--outgoing-allow 169.254.169.254"},
		"https://2130706433/":         {"2130706433", "192.0.2.1"},
		"https://nowhere.example:12/": {"nowhere.example", "no such host"},
	} {
		err := get(t, client, url)
		for _, text := range says {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v; it does not say %q", url, err, text)
			}
		}
	}
}

// A name that leads elsewhere when it is looked at, and here when it is used, is
// judged when it is used.
func TestRebinding(t *testing.T) {
	noProxies(t)
	elsewhere := serve(t, permitted, "0", nil)
	here := serve(t, "127.0.0.1", elsewhere.port, nil)
	dns := serveNames(t, map[string][][]netip.Addr{
		"rebind.example.": {{netip.MustParseAddr(permitted)}, {netip.MustParseAddr("127.0.0.1")}},
	})
	g := guard(t).Asking(dns.resolver())
	transport := g.Transport(nil)
	client := g.Client(transport)
	url := "http://rebind.example:" + elsewhere.port + "/"
	if err := get(t, client, url); err != nil || elsewhere.calls.Load() != 1 {
		t.Fatalf("the first time: %v", err)
	}
	transport.CloseIdleConnections()
	if err := get(t, client, url); !errors.Is(err, outgoing.ErrAddress) {
		t.Errorf("the second time: %v", err)
	}
	if _, err := g.Dial(t.Context(), "tcp", "rebind.example:"+here.port); !errors.Is(err, outgoing.ErrAddress) {
		t.Errorf("dialled: %v", err)
	}
	if here.conns.Load() != 0 {
		t.Error("this machine was reached")
	}
}

// Of several addresses of a name only those that are permitted are dialled, whichever
// comes first.
func TestSeveralAddresses(t *testing.T) {
	noProxies(t)
	elsewhere := serve(t, permitted, "0", nil)
	here := serve(t, "127.0.0.1", elsewhere.port, nil)
	far, near := netip.MustParseAddr(permitted), netip.MustParseAddr("127.0.0.1")
	metadata := netip.MustParseAddr("169.254.169.254")
	dns := serveNames(t, map[string][][]netip.Addr{
		"far-first.example.":  {{far, near}},
		"near-first.example.": {{near, metadata, far}},
		"near-only.example.":  {{near, metadata}},
	})
	g := guard(t).Asking(dns.resolver())
	for host, want := range map[string]error{"far-first.example": nil, "near-first.example": nil, "near-only.example": outgoing.ErrAddress} {
		client := g.Client(g.Transport(nil))
		if err := get(t, client, "http://"+host+":"+elsewhere.port+"/"); !errors.Is(err, want) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if here.conns.Load() != 0 || elsewhere.calls.Load() != 2 {
		t.Errorf("this machine was reached %d times, the permitted %d", here.conns.Load(), elsewhere.calls.Load())
	}
}

// Whatever status redirects, and wherever to, nothing goes there.
func TestRedirects(t *testing.T) {
	noProxies(t)
	next := serve(t, permitted, "0", nil)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:" + next.port + "/", next.URL + "/elsewhere", "/here"} {
			first := serve(t, permitted, "0", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, to, status)
			})
			g := guard(t)
			client := g.Client(g.Transport(nil))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, first.URL, strings.NewReader("secret"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			if !errors.Is(err, outgoing.ErrRedirect) || !strings.Contains(err.Error(), permitted+":"+first.port) {
				t.Errorf("%d to %s: %v", status, to, err)
			}
			if n := first.calls.Load(); n != 1 {
				t.Errorf("%d to %s: %d requests", status, to, n)
			}
		}
	}
	if next.conns.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// Dial serves those who speak no HTTP.
func TestDial(t *testing.T) {
	far := serve(t, permitted, "0", nil)
	g := guard(t)
	c, err := g.Dial(t.Context(), "tcp", net.JoinHostPort(permitted, far.port))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	for _, network := range []string{"tcp", "tcp4", "udp", "udp4"} {
		for _, address := range []string{"127.0.0.1:25", "localhost:25", ":25", "169.254.169.254:80"} {
			if _, err := g.Dial(t.Context(), network, address); !errors.Is(err, outgoing.ErrAddress) {
				t.Errorf("%s %s: %v", network, address, err)
			}
		}
	}
	for _, network := range []string{"unix", "unixgram", "ip4:icmp"} {
		if _, err := g.Dial(t.Context(), network, "/run/docker.sock"); !errors.Is(err, outgoing.ErrAddress) {
			t.Errorf("%s: %v", network, err)
		}
	}
	if _, err := g.Dial(t.Context(), "tcp", "127.1:25"); !errors.Is(err, outgoing.ErrForm) {
		t.Error(err)
	}
}

// The zero value is of use, and forbids.
func TestZero(t *testing.T) {
	noProxies(t)
	var g outgoing.Guard
	here := serve(t, "127.0.0.1", "0", nil)
	if err := get(t, g.Client(g.Transport(nil)), here.URL); !errors.Is(err, outgoing.ErrAddress) || here.conns.Load() != 0 {
		t.Error(err)
	}
}
