package outgoing

import (
	"net"
	"net/http"
	"net/url"
	"sync"
)

// environment knows the proxies that the environment of the process named, whose
// addresses are its operator's choice.
type environment struct{ addresses sync.Map }

func (e *environment) proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if u != nil {
		e.addresses.Store(withPort(u), true)
	}
	return u, err
}

func (e *environment) named(address string) bool {
	_, ok := e.addresses.Load(address)
	return ok
}

// ports are those of the schemes that a proxy may have.
var ports = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

func withPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
