package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/net/publicsuffix"

	"patrol/internal/platform/outgoing"
)

var (
	// ErrCredentials is returned where credentials would go to a host that they
	// are not for.
	ErrCredentials = errors.New("the registry asks for its credentials to be sent elsewhere: refused")
	// ErrAddress is returned where a registry sends its client to an address of
	// this machine or its surroundings.
	ErrAddress = errors.New("the registry leads to an address that only the user may name: refused")
	// ErrRedirects is returned for more than maxRedirects in a row.
	ErrRedirects = errors.New("the registry redirects again and again: not followed")
	errTooLarge  = fmt.Errorf("a manifest or token of more than %d bytes: not read", maxJSON)
)

// maxRedirects is what net/http follows, unless a client decides for itself as
// that of the library does.
const maxRedirects = 10

// guard is the way to one registry. The registry is trusted with what it was
// asked, and with no more: it can send the client to any address, by redirects
// and by naming its token service, and could so have credentials delivered to
// others, or reach the metadata service of a cloud (CVE-2024-35192,
// CVE-2026-10517).
type guard struct {
	host      string // of the registry, with a port if it has one
	address   string // the host as it is dialled
	plain     bool   // without TLS, as for a registry on this machine
	proxies   *outgoing.Proxies
	transport *http.Transport
	local     atomic.Bool // the registry is on this machine
}

func newGuard(r name.Registry) *guard {
	g := &guard{
		host: r.RegistryStr(), address: outgoing.Dialled(&url.URL{Scheme: r.Scheme(), Host: r.RegistryStr()}),
		plain: r.Scheme() == "http", proxies: outgoing.Environment(),
	}
	g.transport = &http.Transport{
		Proxy:                 g.proxies.Proxy,
		DialContext:           g.dial,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   4,
	}
	return g
}

// Close closes idle connections.
func (g *guard) Close() error {
	g.transport.CloseIdleConnections()
	return nil
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.admit(r); err != nil {
		return nil, err
	}
	resp, err := g.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.Context().Value(blob{}) == nil {
		resp.Body = &limited{resp.Body, maxJSON}
	}
	return resp, nil
}

func (g *guard) admit(r *http.Request) error {
	if redirectedTooOften(r) {
		return ErrRedirects
	}
	// Behind a proxy it is the proxy that looks up names: see at least to those
	// addresses that are written out.
	if ip, err := outgoing.Written(r.URL.Hostname()); r.URL.Host != g.host && (err != nil || ip.IsValid() && g.forbids(ip)) {
		return fmt.Errorf("%w: %s", ErrAddress, r.URL.Host)
	}
	if g.mayKnow(r.URL) {
		return nil
	}
	switch scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); {
	case strings.EqualFold(scheme, "basic"), r.Method != http.MethodGet && r.Method != http.MethodHead:
		return fmt.Errorf("%w: those of %s to %s", ErrCredentials, g.host, r.URL.Host)
	default:
		r.Header.Del("Authorization")
		return nil
	}
}

func redirectedTooOften(r *http.Request) bool {
	for range maxRedirects {
		if r.Response == nil || r.Response.Request == nil {
			return false
		}
		r = r.Response.Request
	}
	return true
}

// mayKnow tells whether a host may be sent the registry's credentials: itself,
// and hosts of the same registered domain, as auth.docker.io is for
// index.docker.io.
func (g *guard) mayKnow(u *url.URL) bool {
	if u.Scheme != "https" && !g.plain {
		return false
	}
	if u.Host == g.host {
		return true
	}
	own := &url.URL{Host: g.host}
	if u.Scheme != "https" || isAddress(own.Hostname()) || isAddress(u.Hostname()) {
		return false
	}
	a, errA := publicsuffix.EffectiveTLDPlusOne(own.Hostname())
	b, errB := publicsuffix.EffectiveTLDPlusOne(u.Hostname())
	return errA == nil && errB == nil && strings.EqualFold(a, b)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// blob marks the context of what fetches a layer or a configuration, which have
// bounds of their own. Redirected requests keep it.
type blob struct{}

func forBlob(ctx context.Context) context.Context { return context.WithValue(ctx, blob{}, true) }

// named tells whether the user named the address, by the reference or as a proxy.
func (g *guard) named(address string) bool {
	return g.proxies.Named(address) || strings.EqualFold(address, g.address)
}

// dial connects. The address is judged after names were looked up.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	if g.named(address) {
		c, err := d.DialContext(ctx, network, address)
		if err == nil {
			if at, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && at.Addr().Unmap().IsLoopback() {
				g.local.Store(true)
			}
		}
		return c, err
	}
	d.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if g.forbids(at.Addr()) {
			return fmt.Errorf("%w: %s", ErrAddress, address)
		}
		return nil
	}
	return d.DialContext(ctx, network, address)
}

// forbids tells whether a registry may not lead to the address. One that is on
// this machine may lead to others on it.
func (g *guard) forbids(ip netip.Addr) bool {
	return outgoing.Local(ip) && (!ip.Unmap().IsLoopback() || !g.local.Load())
}

// limited fails after n bytes.
type limited struct {
	io.ReadCloser
	n int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.n -= int64(n); l.n < 0 {
		return 0, errTooLarge
	}
	return n, err
}
