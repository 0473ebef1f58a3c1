package outgoing_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"patrol/internal/platform/outgoing"
)

// A proxy is the operator's choice: it may be on this machine, and is asked for
// names. Addresses that are written out are judged before.
func TestProxy(t *testing.T) {
	noProxies(t)
	asked := make(chan string, 100)
	p := serve(t, "127.0.0.1", "0", func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	t.Setenv("HTTP_PROXY", p.URL)
	t.Setenv("HTTPS_PROXY", strings.TrimPrefix(p.URL, "http://")) // the scheme may be left out
	g := new(outgoing.Guard)
	client := g.Client(g.Transport(nil))

	if err := get(t, client, "http://hooks.example/"); err != nil {
		t.Error(err)
	} else if got := <-asked; got != "GET hooks.example" {
		t.Errorf("the proxy was asked for %s", got)
	}
	if err := get(t, client, "https://hooks.example/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("https: %v", err)
	} else if got := <-asked; got != "CONNECT hooks.example:443" {
		t.Errorf("the proxy was asked for %s", got)
	}
	for host, want := range map[string]error{
		"169.254.169.254":      outgoing.ErrAddress,
		"[fd00:ec2::254]":      outgoing.ErrAddress,
		"[64:ff9b::a9fe:a9fe]": outgoing.ErrAddress,
		"１６９.254.169.254":      outgoing.ErrAddress,
		"2852039166":           outgoing.ErrForm, // 169.254.169.254 to a proxy that uses inet_aton
		"0xa9.0xfe.0xa9.0xfe":  outgoing.ErrForm,
		"127.1":                outgoing.ErrForm,
		":80":                  outgoing.ErrAddress,
		"127.0.0.1:" + p.port:  outgoing.ErrAddress,
		"localhost:" + p.port:  outgoing.ErrAddress,
		"[::1]:" + p.port:      outgoing.ErrAddress,
		"169.254.169.254:8":    outgoing.ErrAddress,
	} {
		for _, scheme := range []string{"http://", "https://"} {
			if err := get(t, client, scheme+host+"/"); !errors.Is(err, want) {
				t.Errorf("%s%s: %v", scheme, host, err)
			}
		}
	}
	if len(asked) > 0 {
		t.Errorf("the proxy was asked for %s", <-asked)
	}
}

// A proxy is dialled unguarded, but nobody makes it the far side by naming it.
func TestProxyIsNoFarSide(t *testing.T) {
	noProxies(t)
	p := serve(t, "127.0.0.1", "0", nil)
	t.Setenv("HTTP_PROXY", "http://LocalHost:"+p.port)
	t.Setenv("NO_PROXY", "direct.example")
	g := new(outgoing.Guard)
	client := g.Client(g.Transport(nil))
	for _, host := range []string{"localhost", "ｌｏｃａｌｈｏｓｔ"} {
		if err := get(t, client, "http://"+host+":"+p.port+"/"); !errors.Is(err, outgoing.ErrProxy) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := p.conns.Load(); n != 0 {
		t.Errorf("the proxy was reached %d times", n)
	}
	if err := get(t, client, "http://hooks.example/"); err != nil || p.calls.Load() != 1 {
		t.Errorf("through the proxy: %v", err)
	}
}

// What NO_PROXY names is dialled, and judged then.
func TestNoProxy(t *testing.T) {
	noProxies(t)
	p := serve(t, "127.0.0.1", "0", nil)
	far := serve(t, permitted, "0", nil)
	t.Setenv("HTTP_PROXY", p.URL)
	t.Setenv("NO_PROXY", permitted+",.localhost")
	g := guard(t)
	client := g.Client(g.Transport(nil))
	if err := get(t, client, far.URL); err != nil || far.calls.Load() != 1 {
		t.Error(err)
	}
	if p.conns.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestNamed(t *testing.T) {
	tests := []struct {
		http, https string
		named       []string
	}{
		{"http://proxy.example", "", []string{"proxy.example:80", "PROXY.example:80"}},
		{"proxy.example:3128", "https://secure.example", []string{"proxy.example:3128", "secure.example:443"}},
		{"http://user:password@proxy.example:3128", "", []string{"proxy.example:3128"}},
		{"socks5://[::1]", "socks5h://socks.example", []string{"[::1]:1080", "socks.example:1080"}},
		{"", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.http+" "+tt.https, func(t *testing.T) {
			noProxies(t)
			t.Setenv("HTTP_PROXY", tt.http)
			t.Setenv("HTTPS_PROXY", tt.https)
			t.Setenv("NO_PROXY", "*") // leaves none of them unnamed
			p := outgoing.Environment()
			for _, address := range tt.named {
				if !p.Named(address) {
					t.Errorf("%s is not named", address)
				}
			}
			for _, address := range []string{"other.example:80", "proxy.example:81", ":80", ""} {
				if p.Named(address) {
					t.Errorf("%s is named", address)
				}
			}
		})
	}
}

func ExampleDialled() {
	for _, text := range []string{"https://Hooks.example/T0/B0", "http://[::1]", "socks5://10.0.0.1"} {
		u, err := url.Parse(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(outgoing.Dialled(u))
	}
	// Output:
	// hooks.example:443
	// [::1]:80
	// 10.0.0.1:1080
}
