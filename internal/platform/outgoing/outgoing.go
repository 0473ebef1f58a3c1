// Package outgoing is the way to addresses that users name, such as those of
// webhooks. The console stands where its users do not: what it can reach, and they
// cannot, it must not be led to. So no connection is made to this machine, to
// link-local addresses, or to the metadata service of a cloud, unless the
// configuration allows that network. The address is judged when it is dialled, after
// names were looked up, so a name that changes its mind gains nothing.
package outgoing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrAddress is returned where an address leads to this machine or its surroundings.
var ErrAddress = errors.New("leads to an address that only the configuration may allow (--outgoing-allow)")

// ErrRedirect is returned for an answer that sends the client elsewhere.
var ErrRedirect = errors.New("answers with a redirect, which is not followed; name the address that it leads to, if that is meant")

// Guard makes connections. The zero value allows no address that is forbidden by
// itself. It may be used by several at once.
type Guard struct{ allow []netip.Prefix }

// New returns a guard that also allows these networks.
func New(allow []netip.Prefix) *Guard { return &Guard{slices.Clone(allow)} }

// Parse reads networks, such as 127.0.0.0/8, or single addresses.
func Parse(networks []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, len(networks))
	for i, text := range networks {
		prefix, err := netip.ParsePrefix(text)
		if address, plain := netip.ParseAddr(text); err != nil && plain == nil {
			prefix, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no network such as 127.0.0.0/8", text)
		}
		prefixes[i] = prefix.Masked()
	}
	return prefixes, nil
}

// metadata are addresses of clouds' metadata services that are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

// Local tells whether an address is one of this machine, of its link, or of a
// metadata service: what only its owner may name.
func Local(ip netip.Addr) bool {
	ip = unwrap(ip)
	return ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || slices.Contains(metadata, ip)
}

// unwrap returns the IPv4 address within an IPv6 address that a gateway would turn
// into it (RFC 4291, section 2.5.5.2; RFC 6052, section 2.1).
func unwrap(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		b := ip.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip
}

var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Check returns ErrAddress if no connection is made to the address.
func (g *Guard) Check(ip netip.Addr) error {
	plain := unwrap(ip)
	if !Local(plain) || slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(plain) }) {
		return nil
	}
	return fmt.Errorf("%s %w", ip, ErrAddress)
}

// Dial connects; the error is ErrAddress where that is forbidden.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	d.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return g.Check(at.Addr())
	}
	return d.DialContext(ctx, network, address)
}

// Transport returns a transport whose connections the guard makes; config may be nil.
// A proxy that the environment names is dialled as it stands there. It looks up
// names itself, so of these only addresses that are written out can be judged here.
func (g *Guard) Transport(config *tls.Config) *http.Transport {
	proxies := environment{}
	return &http.Transport{
		Proxy: proxies.proxy,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if proxies.named(address) {
				return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
			}
			return g.Dial(ctx, network, address)
		},
		TLSClientConfig:       config,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   16,
	}
}

// Client returns a client over a transport. It follows no redirect: whoever is
// redirected would send what was meant for one place to another.
func (g *Guard) Client(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: written{g, transport},
		Timeout:   time.Minute,
		CheckRedirect: func(to *http.Request, _ []*http.Request) error {
			return fmt.Errorf("%w: to %s", ErrRedirect, to.URL.Host)
		},
	}
}

// written refuses addresses that are written out before a proxy is asked for them.
type written struct {
	guard *Guard
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w written) RoundTrip(r *http.Request) (*http.Response, error) {
	if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil {
		if err := w.guard.Check(ip); err != nil {
			return nil, err
		}
	}
	return w.next.RoundTrip(r)
}
