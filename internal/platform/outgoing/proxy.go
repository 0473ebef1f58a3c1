package outgoing

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// ErrProxy is returned for requests that are for the proxy itself: it is dialled
// wherever it stands, so it must not be taken for a far side.
var ErrProxy = errors.New("is the proxy that the environment names, and nothing to send to")

// Proxies are those that HTTP_PROXY and HTTPS_PROXY name, but for what NO_PROXY
// names. Their addresses are the operator's choice, and may be on this machine.
type Proxies struct {
	choose    func(*url.URL) (*url.URL, error)
	addresses []string
}

// Environment returns the proxies that the environment names now.
func Environment() *Proxies {
	config := httpproxy.FromEnvironment()
	p := &Proxies{choose: config.ProxyFunc()}
	all := httpproxy.Config{HTTPProxy: config.HTTPProxy, HTTPSProxy: config.HTTPSProxy}
	for _, scheme := range []string{"http", "https"} {
		if u, err := all.ProxyFunc()(&url.URL{Scheme: scheme, Host: "any.invalid"}); err == nil && u != nil {
			p.addresses = append(p.addresses, Dialled(u))
		}
	}
	return p
}

// Proxy returns the proxy for a request, or nil. It fits http.Transport.
func (p *Proxies) Proxy(r *http.Request) (*url.URL, error) {
	u, err := p.choose(r.URL)
	if u == nil && err == nil && p.Named(Dialled(r.URL)) {
		return nil, fmt.Errorf("%s %w", r.URL.Host, ErrProxy)
	}
	return u, err
}

// Named tells whether an address, as a transport dials it, is that of a proxy. Where
// Proxy is asked first, it is none of a far side.
func (p *Proxies) Named(address string) bool {
	return slices.Contains(p.addresses, strings.ToLower(address))
}

// Dialled returns what a transport dials for a URL, in lower case.
func Dialled(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	return strings.ToLower(net.JoinHostPort(ascii(u.Hostname()), port))
}
