package outgoing_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"patrol/internal/platform/outgoing"
)

func TestLocal(t *testing.T) {
	tests := []struct {
		address string
		local   bool
	}{
		{"127.0.0.1", true},
		{"127.8.9.1", true},
		{"::1", true},
		{"0.0.0.0", true},
		{"0.1.2.3", true},
		{"::", true},
		{"255.255.255.255", true},
		{"224.0.0.1", true},
		{"239.255.255.250", true},
		{"ff02::1", true},
		{"169.254.0.1", true},
		{"169.254.169.254", true},
		{"169.254.170.2", true},
		{"fe80::1", true},
		{"fe80::1%eth0", true},
		{"fe80::a9fe:a9fe", true},
		{"fd00:ec2::254", true},
		{"fd00:ec2::23", true},
		{"fd20:ce::254", true},
		{"168.63.129.16", true},
		{"100.100.100.200", true},
		{"fd00:100::100:200", true},
		{"192.0.0.192", true},
		{"fd00:c1::a9fe:a9fe", true},
		{"fd00:42::42", true},
		{"fd00:a9fe:a9fe::1", true},

		// The same within addresses of IPv6.
		{"::ffff:127.0.0.1", true},
		{"::ffff:169.254.169.254", true},
		{"::ffff:0.0.0.0", true},
		{"::ffff:168.63.129.16", true},
		{"::127.0.0.1", true},
		{"::ffff:0:127.0.0.1", true},
		{"64:ff9b::127.0.0.1", true},
		{"64:ff9b::a9fe:a9fe", true},
		{"64:ff9b:1::a9fe:a9fe", true},
		{"2002:7f00:1::1", true},
		{"2002:a9fe:a9fe::", true},

		// Private networks are where an on-premises Jira stands.
		{"10.0.0.1", false},
		{"172.16.0.1", false},
		{"192.168.1.1", false},
		{"100.64.0.1", false},
		{"fd12:3456::1", false},
		{"93.184.216.34", false},
		{"2606:4700::1111", false},
		{"::ffff:10.0.0.1", false},
		{"64:ff9b::93.184.216.34", false},
		{"2002:0a00:0001::1", false},
		{"128.0.0.1", false},
		{"1.0.0.0", false},
	}
	guard := new(outgoing.Guard)
	for _, tt := range tests {
		ip := netip.MustParseAddr(tt.address)
		if got := outgoing.Local(ip); got != tt.local {
			t.Errorf("%s: local %v", tt.address, got)
		}
		if err := guard.Check(ip); errors.Is(err, outgoing.ErrAddress) != tt.local {
			t.Errorf("%s: %v", tt.address, err)
		}
	}
	if !outgoing.Local(netip.Addr{}) {
		t.Error("no address at all may be dialled")
	}
}

func TestAllow(t *testing.T) {
	tests := []struct {
		allow, address string
		allowed        bool
	}{
		{"127.0.0.0/8", "127.0.0.1", true},
		{"127.0.0.0/8", "::ffff:127.0.0.1", true},
		{"127.0.0.0/8", "64:ff9b::127.0.0.1", true},
		{"127.0.0.0/8", "::1", false},
		{"127.0.0.0/8", "169.254.169.254", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.9.9.9/8", "127.0.0.2", true},
		{"::ffff:127.0.0.0/104", "127.0.0.1", true},
		{"::ffff:127.0.0.1", "127.0.0.1", true},
		{"::1", "::1", true},
		{"::1", "127.0.0.1", false},
		{"64:ff9b::/96", "64:ff9b::127.0.0.1", true},
		{"64:ff9b::/96", "127.0.0.1", false},
		{"fe80::/10", "fe80::1%eth0", true},
		{"169.254.169.254", "169.254.169.254", true},
		{"169.254.169.254", "::ffff:169.254.169.254", true},
		{"0.0.0.0/0", "127.0.0.1", true},
		{"0.0.0.0/0", "::1", false},
		{"10.0.0.0/8", "127.0.0.1", false},
		{"10.0.0.0/8", "192.168.0.1", true}, // allowing one network forbids no other
	}
	for _, tt := range tests {
		allow, err := outgoing.Parse([]string{"192.0.2.0/24", tt.allow})
		if err != nil {
			t.Fatal(err)
		}
		if err := outgoing.New(allow).Check(netip.MustParseAddr(tt.address)); (err == nil) != tt.allowed {
			t.Errorf("with %s, %s: %v", tt.allow, tt.address, err)
		}
	}
}

// What is allowed is the guard's own: the caller's slice may change.
func TestAllowIsCopied(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	guard := outgoing.New(allow)
	allow[0] = netip.MustParsePrefix("127.0.0.0/8")
	if err := guard.Check(netip.MustParseAddr("127.0.0.1")); err == nil {
		t.Error("127.0.0.1 is allowed")
	}
}

func TestParse(t *testing.T) {
	got, err := outgoing.Parse([]string{"127.0.0.1/8", "10.1.2.3", "::1", "::ffff:192.0.2.7/120", "fe80::1%eth0"})
	want := []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::1/128"),
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := outgoing.Parse(nil); err != nil || len(got) != 0 {
		t.Errorf("nothing: %v, %v", got, err)
	}
	for _, text := range []string{"", "localhost", "127.0.0.0/33", "127.1", "10.0.0.0/8,::1", "2130706433", "10.0.0.0 - 10.0.0.9"} {
		if _, err := outgoing.Parse([]string{text}); err == nil || !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A host is an address, a name, or what nobody writes but to deceive.
func TestWritten(t *testing.T) {
	tests := []struct {
		host, address string
		err           error
	}{
		{"127.0.0.1", "127.0.0.1", nil},
		{"::1", "::1", nil},
		{"fe80::1%eth0", "fe80::1%eth0", nil},
		{"127。0。0。1", "127.0.0.1", nil}, // as net/http reads it (UTS #46)
		{"１６９.254.169.254", "169.254.169.254", nil},
		{"hooks.example", "", nil},
		{"hooks.example.", "", nil},
		{"web1", "", nil},
		{"1.example", "", nil},
		{"under_score.example", "", nil},
		{"bücher.example", "", nil},
		{"xn--bcher-kva.example", "", nil},
		{"0xdead.beef", "", nil},
		{"localhost", "", nil}, // judged by what it leads to
		{"", "", outgoing.ErrAddress},
		{"2130706433", "", outgoing.ErrForm},
		{"0x7f000001", "", outgoing.ErrForm},
		{"0X7F.1", "", outgoing.ErrForm},
		{"0x7f.1", "", outgoing.ErrForm},
		{"017700000001", "", outgoing.ErrForm},
		{"0177.0.0.01", "", outgoing.ErrForm},
		{"127.1", "", outgoing.ErrForm},
		{"127.0.0.1.", "", outgoing.ErrForm},
		{"127.0.0.0x1", "", outgoing.ErrForm},
		{"127.0.0.0x", "", outgoing.ErrForm},
		{"1.2.3.4.5", "", outgoing.ErrForm},
		{"256.0.0.1", "", outgoing.ErrForm},
		{"example.0", "", outgoing.ErrForm},
	}
	for _, tt := range tests {
		ip, err := outgoing.Written(tt.host)
		if got := ip.IsValid(); got != (tt.address != "") || got && ip.String() != tt.address || !errors.Is(err, tt.err) {
			t.Errorf("%q: %v, %v", tt.host, ip, err)
		}
	}
}
