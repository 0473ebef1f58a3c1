package console

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"patrol/internal/platform/event"
	"patrol/internal/platform/rest"
	"patrol/internal/platform/tlscert"
)

// drain is how long requests under way may take once the console is told to end.
const drain = 10 * time.Second

func (c *Console) serve(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.options.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w; choose another address with --listen", err)
	}
	scheme, fingerprint := "http", ""
	if !c.options.PlainHTTP && (!loopback(listener.Addr()) || c.options.TLSCert != "") {
		certificate, err := c.certificate()
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		listener = tls.NewListener(listener, &tls.Config{
			GetCertificate: certificate.Certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		})
		scheme, fingerprint = "https", certificate.Fingerprint()
	}
	url := fmt.Sprintf("%s://%s", scheme, listener.Addr())
	requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	server := &http.Server{
		Handler:           draining(ctx, c.handler(scheme == "https" || c.options.PlainHTTP)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          log.New(serverLog{}, "", 0),
	}
	if _, err := fmt.Fprintf(c.options.Out, "Patrol console on %s\n", url); err != nil {
		return errors.Join(err, listener.Close())
	}
	if fingerprint != "" {
		_, _ = fmt.Fprintf(c.options.Out, "Agents pin it with --fingerprint %s\n", fingerprint)
	}
	if c.options.Ready != nil {
		c.options.Ready(url)
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ended <- c.drain(server)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", url, err)
	}
	return <-ended
}

// drain lets what is under way finish, after those who balance load had time to
// see that the console is not ready any more.
func (c *Console) drain(server *http.Server) error {
	c.operations.Drain()
	if c.options.DrainDelay > 0 {
		slog.Info("console drains", "delay", c.options.DrainDelay)
		time.Sleep(c.options.DrainDelay)
	}
	deadline, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := server.Shutdown(deadline)
	if errors.Is(err, context.DeadlineExceeded) {
		slog.Warn("requests that took too long are broken off")
		err = server.Close()
	}
	return err
}

// lasts tells of requests that are streams.
func lasts(r *http.Request) bool {
	return r.URL.Path == event.StreamPath || r.URL.Path == "/wire/v1/stream"
}

// draining ends streams with ctx, so that their readers reconnect elsewhere, and
// gives out no more work. All else goes on.
func draining(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream := lasts(r)
		if ctx.Err() != nil && (stream || r.URL.Path == "/wire/v1/commands/claim") {
			rest.WriteProblem(w, http.StatusServiceUnavailable, "this console is about to end: ask again, another one or the next will answer")
			return
		}
		if stream {
			streaming, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			r = r.WithContext(streaming)
		}
		next.ServeHTTP(w, r)
	})
}

// certificate is that of --tls-cert, or one that the console makes itself; either is
// loaded again when its files are replaced.
func (c *Console) certificate() (*tlscert.Reloading, error) {
	if c.options.TLSCert != "" {
		certificate, err := tlscert.Reload(c.options.TLSCert, c.options.TLSKey, time.Now)
		if err != nil {
			return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		return certificate, nil
	}
	dir := filepath.Join(c.options.DataDir, "tls")
	if _, err := tlscert.SelfSigned(dir, time.Now()); err != nil {
		return nil, err
	}
	return tlscert.Reload(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), time.Now)
}

func loopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// serverLog takes what the server says besides its answers. Clients that break
// off a handshake are the weather; all else is a fault.
type serverLog struct{}

func (serverLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.Contains(line, []byte("TLS handshake error")) {
		level = slog.LevelDebug
	}
	slog.Log(context.Background(), level, "server", "message", string(bytes.TrimSpace(line)))
	return len(line), nil
}
