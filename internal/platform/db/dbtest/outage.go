package dbtest

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Outage is a PostgreSQL server of a test's own, which can be gone for a while.
type Outage struct {
	// URL leads to an empty database.
	URL    string
	server *server
}

// StartPostgres starts a server that ends with the test.
func StartPostgres(t *testing.T) *Outage {
	t.Helper()
	s, err := startServer()
	if err != nil {
		t.Fatalf("start PostgreSQL for a test (make test installs it): %v", err)
	}
	t.Cleanup(func() { _ = s.stdin.Close() })
	return &Outage{s.url, s}
}

// Stop ends the server at once and all connections with it, as a crash does. It
// returns when nobody answers.
func (o *Outage) Stop(t *testing.T) {
	t.Helper()
	o.order(t, "stop")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(t.Context(), o.URL)
		if err != nil {
			return
		}
		_ = conn.Close(t.Context())
		<-tick.C
	}
}

// Start starts the server again over the same data.
func (o *Outage) Start(t *testing.T) {
	t.Helper()
	o.order(t, "start")
	_, dir, _ := strings.Cut(o.URL, "host=")
	if err := ready(o.URL, dir); err != nil {
		t.Fatalf("start PostgreSQL again: %v", err)
	}
}

func (o *Outage) order(t *testing.T, order string) {
	t.Helper()
	if _, err := io.WriteString(o.server.stdin, order+"\n"); err != nil {
		t.Fatalf("%s PostgreSQL: %v", order, err)
	}
}
