package outgoing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

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
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 { // addresses are compared as IPv4
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		prefixes[i] = prefix.Masked()
	}
	return prefixes, nil
}

// surroundings are networks that are this machine's or its cloud's, beside those
// that netip knows to be: what may answer there takes the caller for one of its own.
var surroundings = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), // this host (RFC 1122, section 3.2.1.3)
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("255.255.255.255/32"),
	// Metadata services that are not link-local.
	netip.MustParsePrefix("fd00:ec2::/32"),          // AWS, with its DNS and pod identities
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google Cloud
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba Cloud
	netip.MustParsePrefix("fd00:100::100:200/128"),  // Alibaba Cloud
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle Cloud Classic
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle Cloud
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
	netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"),  // Akamai
}

// Local tells whether an address is this machine's own, of its link, or that of a
// metadata service: what only its owner may name. Addresses under which others know
// this machine are not among them.
func Local(ip netip.Addr) bool {
	ip = unwrap(ip)
	return !ip.IsValid() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || contains(surroundings, ip)
}

func contains(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// embeddings are networks of IPv6 whose addresses hold one of IPv4, to which a
// gateway or this machine itself may turn them, and the byte at which it begins.
var embeddings = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible (RFC 4291, section 2.5.5.1)
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 7915, section 1.3)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052, section 2.1)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // NAT64 of one's own (RFC 8215), as it is usually numbered
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056, section 2)
}

// unwrap returns the IPv4 address that an IPv6 address stands for, if it does.
func unwrap(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.IsUnspecified() || ip.IsLoopback() {
		return ip
	}
	for _, e := range embeddings {
		if e.network.Contains(ip) {
			b := ip.As16()
			return netip.AddrFrom4([4]byte(b[e.at:]))
		}
	}
	return ip
}

// Check returns ErrAddress if no connection is made to the address.
func (g *Guard) Check(ip netip.Addr) error {
	plain := unwrap(ip)
	if !Local(plain) || contains(g.allow, plain) || contains(g.allow, ip.WithZone("")) {
		return nil
	}
	return fmt.Errorf("%s %w: --outgoing-allow %s", ip, ErrAddress, plain)
}

// checkHost judges a host as far as it is an address that is written out. Names are
// judged by what they lead to, when that is dialled.
func (g *Guard) checkHost(host string) error {
	ip, err := Written(host)
	if err != nil || !ip.IsValid() {
		return err
	}
	return g.Check(ip)
}

// Written returns the address that a host is, or none if it is a name. The error is
// ErrForm for what others may take for an address, ErrAddress for an empty host, which
// a dialler takes for this machine.
func Written(host string) (netip.Addr, error) {
	host = ascii(host)
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		return ip, nil
	case host == "":
		return netip.Addr{}, fmt.Errorf("an empty host %w", ErrAddress)
	case endsInNumber(host):
		return netip.Addr{}, fmt.Errorf("%s %w", host, ErrForm)
	}
	return netip.Addr{}, nil
}

// ascii returns a host as net/http will ask for it: 127。0。0。1 is 127.0.0.1.
func ascii(host string) string {
	if plain, err := idna.Lookup.ToASCII(host); err == nil {
		return plain
	}
	return host
}

// endsInNumber tells whether a host would be an IPv4 address or nothing to a browser
// (URL Standard, section 3.5), and to programs that use inet_aton. No name does.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	digits, hex := strings.CutPrefix(last, "0x")
	if hex {
		return strings.Trim(digits, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
