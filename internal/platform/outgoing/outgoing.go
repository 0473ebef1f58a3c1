// Package outgoing is the way to addresses that users name, such as those of
// webhooks. The console stands where its users do not: what it can reach, and they
// cannot, it must not be led to. So no connection is made to this machine, to
// link-local addresses, or to the metadata service of a cloud, unless the
// configuration allows that network. The address is judged when it is dialled, after
// names were looked up, so a name that changes its mind gains nothing.
//
// Where the environment names a proxy, it is the proxy that looks up names: only
// addresses that are written out can be judged here, and what else the proxy may
// reach is for its operator to say.
package outgoing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

var (
	// ErrAddress is returned where an address leads to this machine or its surroundings.
	ErrAddress = errors.New("leads to this machine, its link or a metadata service, which only the console's configuration may allow")
	// ErrForm is returned for hosts such as 2130706433, 0x7f.1 and 127.1, which some
	// programs, and so some proxies, take for an address.
	ErrForm = errors.New("is neither a name nor an address in its usual form, such as 192.0.2.1")
	// ErrRedirect is returned for an answer that sends the client elsewhere.
	ErrRedirect = errors.New("answers with a redirect, which is not followed; name the address that it leads to, if that is meant")
)

// Guard makes connections. The zero value allows no address that is forbidden by
// itself. It may be used by several at once.
type Guard struct {
	allow    []netip.Prefix
	resolver *net.Resolver // nil is that of the machine
}

// New returns a guard that also allows these networks.
func New(allow []netip.Prefix) *Guard { return &Guard{allow: slices.Clone(allow)} }

// Dial connects by TCP or UDP; the error is ErrAddress where that is forbidden.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") && !strings.HasPrefix(network, "udp") {
		return nil, fmt.Errorf("%s %s %w", network, address, ErrAddress) // sockets of this machine
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if err := g.checkHost(host); err != nil {
		return nil, err
	}
	d := g.dialer()
	d.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return g.Check(at.Addr())
	}
	c, err := d.DialContext(ctx, network, address)
	if errors.Is(err, ErrAddress) {
		return nil, fmt.Errorf("%s: %w", host, err) // the dialler names addresses only
	}
	return c, err
}

func (g *Guard) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: g.resolver}
}

// Transport returns a transport whose connections the guard makes; config may be nil.
// A proxy that the environment names is dialled as it stands there.
func (g *Guard) Transport(config *tls.Config) *http.Transport {
	proxies := Environment()
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if err := g.checkHost(r.URL.Hostname()); err != nil {
				return nil, err // before a proxy is asked for it
			}
			return proxies.Proxy(r)
		},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if proxies.Named(address) {
				return g.dialer().DialContext(ctx, network, address)
			}
			return g.Dial(ctx, network, address)
		},
		TLSClientConfig:        config,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    16,
	}
}

// Client returns a client over a transport. It follows no redirect: whoever is
// redirected would send what was meant for one place to another.
func (g *Guard) Client(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport,
		Timeout:   time.Minute,
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			return fmt.Errorf("%s %w: it leads to %s", via[len(via)-1].URL.Host, ErrRedirect, to.URL.Host)
		},
	}
}
