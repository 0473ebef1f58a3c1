package console

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// handshakeTime is how long a client may take to agree on a key.
const handshakeTime = 10 * time.Second

// handshakes is a listener whose connections have their handshake behind them. A
// handshake needs a deep stack, which the goroutine that serves the connection would
// keep for as long as that lasts; so each has a goroutine of its own, for its time.
type handshakes struct {
	net.Listener
	config *tls.Config
	ready  chan net.Conn
	ended  chan struct{} // closed once no more are accepted, for the reason in err
	err    error
	ctx    context.Context
	cancel context.CancelFunc
	doing  sync.WaitGroup
}

// shakeHands accepts from a listener until it is closed.
func shakeHands(listener net.Listener, config *tls.Config) *handshakes {
	h := &handshakes{Listener: listener, config: config, ready: make(chan net.Conn), ended: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	go h.run()
	return h
}

func (h *handshakes) run() {
	defer close(h.ended)
	for {
		conn, err := h.Listener.Accept()
		var passing interface{ Temporary() bool } // as net/http asks: too many open files, above all
		switch {
		case err == nil:
			h.doing.Go(func() { h.shake(conn) })
		case errors.As(err, &passing) && passing.Temporary() && h.ctx.Err() == nil:
			slog.Warn("a connection was not accepted", "error", err)
			time.Sleep(100 * time.Millisecond)
		default:
			h.err = err
			return
		}
	}
}

func (h *handshakes) shake(conn net.Conn) {
	secure := tls.Server(conn, h.config)
	ctx, cancel := context.WithTimeout(h.ctx, handshakeTime)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		slog.Debug("TLS handshake failed", "from", conn.RemoteAddr(), "error", err) // clients that break off are the weather
		_ = conn.Close()
		return
	}
	select {
	case h.ready <- secure:
	case <-h.ctx.Done():
		_ = secure.Close()
	}
}

// Accept returns the next connection that is ready.
func (h *handshakes) Accept() (net.Conn, error) {
	select {
	case conn := <-h.ready:
		return conn, nil
	case <-h.ended:
		return nil, h.err
	}
}

// Close ends accepting, and the handshakes under way.
func (h *handshakes) Close() error {
	err := h.Listener.Close()
	h.cancel()
	<-h.ended
	h.doing.Wait()
	return err
}
