package outgoing_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"patrol/internal/platform/outgoing"
)

// permitted stands for an address elsewhere: tests allow it, and no other of this
// machine.
const permitted = "127.0.0.2"

// guard allows what is permitted.
func guard(t *testing.T) *outgoing.Guard {
	t.Helper()
	allow, err := outgoing.Parse([]string{permitted})
	if err != nil {
		t.Fatal(err)
	}
	return outgoing.New(allow)
}

// server counts who comes.
type server struct {
	*httptest.Server
	port  string
	calls atomic.Int32
	conns atomic.Int32
}

// serve listens at an address; port may be "0".
func serve(t *testing.T, host, port string, answer http.HandlerFunc) *server {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		t.Fatal(err)
	}
	s := new(server)
	_, s.port, _ = net.SplitHostPort(listener.Addr().String())
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		if answer != nil {
			answer(w, r)
		}
	}))
	_ = s.Listener.Close()
	s.Listener = listener
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// names is a DNS server whose answers change.
type names struct {
	conn net.PacketConn

	mu      sync.Mutex
	answers map[string][][]netip.Addr // of a name, one after the other; the last one stays
	asked   map[string]int
}

// serveNames starts a server; those are the answers to questions for addresses of
// IPv4. There are none of IPv6.
func serveNames(t *testing.T, answers map[string][][]netip.Addr) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{conn: conn, answers: answers, asked: map[string]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			if answer, err := n.answer(buffer[:size]); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return n
}

func (n *names) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	q := m.Questions[0]
	n.mu.Lock()
	defer n.mu.Unlock()
	name := q.Name.String()
	turns, known := n.answers[name]
	switch {
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		turn := turns[min(n.asked[name], len(turns)-1)]
		n.asked[name]++
		for _, ip := range turn {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
				Body:   &dnsmessage.AResource{A: ip.As4()},
			})
		}
	}
	return m.Pack()
}

// resolver asks the server.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", n.conn.LocalAddr().String())
	}}
}
