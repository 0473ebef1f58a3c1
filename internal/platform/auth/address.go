package auth

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"patrol/internal/platform/access"
)

// Proxies are the networks of proxies that are believed when they say whom they
// ask for.
type Proxies []netip.Prefix

// ParseProxies reads networks such as 10.0.0.0/8; a bare address is a network of
// one.
func ParseProxies(networks []string) (Proxies, error) {
	proxies := make(Proxies, len(networks))
	for i, text := range networks {
		var err error
		if proxies[i], err = netip.ParsePrefix(text); err == nil {
			continue
		}
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies: %q is no network, such as 10.0.0.0/8", text)
		}
		proxies[i] = netip.PrefixFrom(address, address.BitLen())
	}
	return proxies, nil
}

func (p Proxies) contain(address netip.Addr) bool {
	for _, network := range p {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// Addressed has the context of each request carry the address that it came from:
// the connection's, or what a trusted proxy says.
func (p Proxies) Addressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(access.WithAddress(r.Context(), p.client(r))))
	})
}

// client walks X-Forwarded-For from its end, where each proxy appends whom it was
// asked by, as long as the one who says so is trusted: what stands before that may
// be made up.
func (p Proxies) client(r *http.Request) string {
	connection, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	client := connection.Addr().Unmap().WithZone("")
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(said) - 1; i >= 0 && p.contain(client); i-- {
		before, err := netip.ParseAddr(strings.TrimSpace(said[i]))
		if err != nil {
			break
		}
		client = before.Unmap().WithZone("")
	}
	return client.String()
}
