package dbtest

import (
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
)

// way is one to PostgreSQL's socket that can be cut.
type way struct {
	to   string
	from net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

// CutPostgres leads to a PostgreSQL schema of the test's own, over a way that cut
// breaks: what is connected loses its connection, and nobody connects any more.
func CutPostgres(t testing.TB) (address string, cut func()) {
	t.Helper()
	database, err := url.Parse(PostgresURL(t))
	if err != nil {
		t.Fatal(err)
	}
	const socket = ".s.PGSQL.5432"
	query, dir := database.Query(), t.TempDir()
	w := &way{to: filepath.Join(query.Get("host"), socket)}
	if w.from, err = net.Listen("unix", filepath.Join(dir, socket)); err != nil {
		t.Fatal(err)
	}
	go w.accept()
	t.Cleanup(w.cut)
	query.Set("host", dir)
	database.RawQuery = query.Encode()
	return database.String(), w.cut
}

func (w *way) accept() {
	for {
		near, err := w.from.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("unix", w.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, near, far)
		w.mu.Unlock()
		go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
		go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	}
}

func (w *way) cut() {
	_ = w.from.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close()
	}
}
