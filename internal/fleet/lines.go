package fleet

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"patrol/internal/wire"
)

// lines are the streams of agents whose connections were taken over from the
// server. Agents say nothing on them, so nobody reads: one goroutine writes to all,
// and a line that takes nothing is cut.
type lines struct {
	mu   sync.Mutex
	open map[*line]struct{} // nil unless run runs
	// woken are those whose agents are to be woken next, and poked tells of them.
	woken map[*line]struct{}
	poked chan struct{}
}

type line struct {
	conn net.Conn
	stop func() // ends the waking
}

// patience is how long one line may hold up the others: what is written is a few
// bytes, so all that it can wait for is an agent that has long taken nothing.
const patience = 50 * time.Millisecond

func newLines() *lines {
	return &lines{woken: make(map[*line]struct{}), poked: make(chan struct{}, 1)}
}

// take takes over the connection of an answer and begins it; false if that cannot
// be done, and nothing was. listen begins the waking, which it does once by itself:
// what was asked before the agent listened is claimed now.
func (l *lines) take(w http.ResponseWriter, listen func(wake func()) (stop func())) bool {
	l.mu.Lock()
	running := l.open != nil
	l.mu.Unlock()
	if !running {
		return false
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return false
	}
	header := w.Header().Clone()
	header.Set("Transfer-Encoding", "chunked")
	header.Set("Connection", "close")
	var begin bytes.Buffer
	begin.WriteString("HTTP/1.1 200 OK\r\n")
	_ = header.Write(&begin) // to memory
	begin.WriteString("\r\n")
	one := &line{conn: conn}
	one.stop = listen(func() { l.wake(one) })
	if one.write(begin.Bytes()) != nil || !l.add(one) {
		one.stop()
		one.drop()
		return true
	}
	l.wake(one)
	return true
}

// add hands a line to run; false if that has ended.
func (l *lines) add(one *line) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return false
	}
	l.open[one] = struct{}{}
	return true
}

func (l *lines) wake(one *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.woken[one] = struct{}{}
	select {
	case l.poked <- struct{}{}:
	default: // run will see this one, too
	}
}

// count is how many agents listen here.
func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// run writes until the context ends, and then ends all lines.
func (l *lines) run(ctx context.Context) {
	l.mu.Lock()
	l.open = make(map[*line]struct{})
	l.mu.Unlock()
	ping := time.NewTicker(wire.PingInterval)
	defer ping.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, one := range l.end() {
				one.cut()
			}
			return
		case <-l.poked:
			l.say(l.called(), "event: wake\n\n")
		case <-ping.C:
			l.say(l.all(), ": ping\n\n")
		}
	}
}

// called returns the lines that are to be woken, if they are still there.
func (l *lines) called() (called []*line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for one := range l.woken {
		if _, still := l.open[one]; still {
			called = append(called, one)
		}
	}
	clear(l.woken)
	return called
}

func (l *lines) all() []*line {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.open))
}

// end lets no more be added, and returns those that are to be cut.
func (l *lines) end() []*line {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.open = nil }()
	return slices.Collect(maps.Keys(l.open))
}

// say writes a chunk (RFC 9112, section 7.1) to each line, and cuts those that do
// not take it.
func (l *lines) say(to []*line, text string) {
	chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", len(text), text)
	for _, one := range to {
		if one.write(chunk) == nil {
			continue
		}
		l.mu.Lock()
		delete(l.open, one)
		l.mu.Unlock()
		one.stop()
		one.drop()
	}
}

func (o *line) write(b []byte) error {
	if err := o.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := o.conn.Write(b)
	return err
}

// cut ends a line in order: the last chunk is empty.
func (o *line) cut() {
	o.stop()
	if o.write([]byte("0\r\n\r\n")) != nil {
		o.drop()
		return
	}
	_ = o.conn.Close()
}

// drop ends a line that takes nothing. To close its TLS would be to wait for seconds
// until it takes an alert.
func (o *line) drop() {
	if secured, ok := o.conn.(*tls.Conn); ok {
		_ = secured.NetConn().Close()
		return
	}
	_ = o.conn.Close()
}
