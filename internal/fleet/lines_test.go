package fleet_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/lease"
	"patrol/internal/wire"
)

// switchboard is a console that does nothing but wake agents.
type switchboard struct {
	*fleet.Service
	t       *testing.T
	signals *lease.Signals
	client  *http.Client
	url     string
	end     context.CancelFunc // ends Run
	ended   chan struct{}      // closed when it has
}

// connect serves with TLS on a listener of its own, or on the one that is given.
func connect(t *testing.T, http2 bool, on *pipes) *switchboard {
	signals := lease.NewSignals()
	// Nothing is looked for in the database before the silent are.
	s := fleet.NewService(nil, nil, signals, time.Now)
	mux := http.NewServeMux()
	s.Wire(mux)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent := access.Principal{Kind: "agent", Node: r.URL.Query().Get("node")}
		mux.ServeHTTP(w, r.WithContext(access.With(r.Context(), agent)))
	}))
	server.EnableHTTP2 = http2
	if on != nil {
		_ = server.Listener.Close()
		server.Listener = on
	}
	server.StartTLS()
	b := &switchboard{Service: s, t: t, signals: signals, client: server.Client(), url: server.URL, ended: make(chan struct{})}
	if on != nil {
		b.client.Transport.(*http.Transport).DialContext = on.dial
	}
	var ctx context.Context
	ctx, b.end = context.WithCancel(t.Context())
	go func() {
		defer close(b.ended)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		b.end()
		<-b.ended
		b.client.CloseIdleConnections()
		server.CloseClientConnections()
		server.Close()
	})
	b.until("lines are taken", func() bool { return fleet.TakesLines(s) })
	return b
}

// until waits for what nobody tells of.
func (b *switchboard) until(what string, holds func() bool) {
	b.t.Helper()
	for began := time.Now(); !holds(); runtime.Gosched() {
		if time.Since(began) > time.Minute {
			b.t.Fatalf("a minute has passed before %s", what)
		}
	}
}

func (b *switchboard) wake(node string) { b.signals.Wake(fleet.CommandTopic(node)) }

// listener is an agent with its stream open.
type listener struct {
	*http.Response
	t    *testing.T
	text *bufio.Reader
}

// listen opens a stream, and reads that what was asked before is to be claimed.
func (b *switchboard) listen(node string) listener {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"/wire/v1/stream?node="+node, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("the stream answers %d, %v", resp.StatusCode, resp.Header)
	}
	l := listener{resp, b.t, bufio.NewReader(resp.Body)}
	l.hear("event: wake")
	return l
}

// hear reads one message, which must be that one.
func (l listener) hear(want string) {
	l.t.Helper()
	line, err := l.text.ReadString('\n')
	if err != nil || line != want+"\n" {
		l.t.Fatalf("heard %q, %v; want %s", line, err, want)
	}
	if line, err = l.text.ReadString('\n'); err != nil || line != "\n" {
		l.t.Fatalf("after %s: %q, %v; want an empty line", want, line, err)
	}
}

// Agents that listen on HTTP/1.1 are woken each by its own topic; who went away is
// noticed, and the end is one in order.
func TestLines(t *testing.T) {
	b := connect(t, false, nil)
	if n := b.Listening(); n != 0 {
		t.Errorf("%d listen before anybody does", n)
	}
	web, db, gone := b.listen("web"), b.listen("db"), b.listen("gone")
	if n := b.Listening(); n != 3 || web.Proto != "HTTP/1.1" || web.TLS == nil || !web.Close {
		t.Errorf("%d listen, by %s", n, web.Proto)
	}
	for range 3 {
		b.wake("web")
		web.hear("event: wake")
	}
	b.wake("nobody")
	b.wake("db")
	db.hear("event: wake")
	_ = gone.Body.Close()
	// The first write is to where nobody is: that comes back, and the next one fails.
	b.until("who went away is cut", func() bool { b.wake("gone"); return b.Listening() == 2 })
	b.wake("web")
	web.hear("event: wake")
	b.end()
	for name, l := range map[string]listener{"web": web, "db": db} {
		if rest, err := io.ReadAll(l.text); err != nil || len(rest) != 0 {
			t.Errorf("%s reads %q, %v at the end; want its end alone", name, rest, err)
		}
	}
	<-b.ended
	if n := b.Listening(); n != 0 {
		t.Errorf("%d listen after the end", n)
	}
	b.wake("web") // is nobody any more
}

// A node may have two agents for a while: a new connection comes before the loss of
// the old one is noticed.
func TestLinesOfOneNode(t *testing.T) {
	b := connect(t, false, nil)
	one, other := b.listen("web"), b.listen("web")
	b.wake("web")
	one.hear("event: wake")
	other.hear("event: wake")
}

// Many agents come, are woken and go at the same time.
func TestLinesAtOnce(t *testing.T) {
	b := connect(t, false, nil)
	var agents sync.WaitGroup
	for range 50 {
		agents.Go(func() {
			// A line that a busy machine holds up is cut, and its agent listens again.
			heard := ""
			for attempt := 0; attempt < 10 && heard != "event: wake\n"; attempt++ {
				l := b.listen("web")
				b.wake("web")
				heard, _ = l.text.ReadString('\n')
				_ = l.Body.Close()
			}
			if heard != "event: wake\n" {
				t.Errorf("heard %q", heard)
			}
		})
	}
	agents.Wait()
	b.until("all are cut", func() bool { b.wake("web"); return b.Listening() == 0 })
}

// What balancers speak cannot be taken over.
func TestStreamOnHTTP2(t *testing.T) {
	b := connect(t, true, nil)
	web, db := b.listen("web"), b.listen("db")
	if n := b.Listening(); n != 2 || web.ProtoMajor != 2 {
		t.Errorf("%d listen, by %s", n, web.Proto)
	}
	b.wake("web")
	web.hear("event: wake")
	b.wake("db")
	db.hear("event: wake")
	_ = web.Body.Close()
	b.until("who went away is noticed", func() bool { return b.Listening() == 1 })
	b.wake("db")
	db.hear("event: wake")
}

// Only agents may listen.
func TestStreamIsForAgents(t *testing.T) {
	mux := http.NewServeMux()
	fleet.NewService(nil, nil, lease.NewSignals(), time.Now).Wire(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/wire/v1/stream", nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("anybody is answered %d", w.Code)
	}
}

// pipes is a network without time of its own and without buffers: what is written is
// what the other side reads.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// An agent that nothing is asked of hears often enough that its console is there.
func TestPings(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := connect(t, http2, newPipes())
				l := b.listen("web")
				if l.Proto != name {
					t.Errorf("speaks %s", l.Proto)
				}
				began := time.Now()
				for i := range 4 {
					l.hear(": ping")
					if took, most := time.Since(began), time.Duration(i+1)*wire.PingInterval; took > most {
						t.Errorf("ping %d after %v; want %v", i, took, most)
					}
				}
				b.wake("web")
				l.hear("event: wake")
			})
		})
	}
}

// Who went away is cut by the next ping, if by nothing else.
func TestLinesCutByPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := connect(t, false, newPipes())
		gone, stays := b.listen("gone"), b.listen("stays")
		_ = gone.Body.Close()
		stays.hear(": ping")
		synctest.Wait()
		if n := b.Listening(); n != 1 {
			t.Errorf("%d listen after one of two went away", n)
		}
	})
}
