package fleet_test

import (
	"crypto/tls"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"patrol/internal/fleet"
)

// An agent that takes nothing is cut, and does not hold up the others for long.
func TestLinesThatTakeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newPipes()
		b := connect(t, false, on)
		awake := b.listen("awake")
		stuck := b.stuck(on)
		b.until("both listen", func() bool { return b.Listening() == 2 })
		b.wake("stuck")
		synctest.Wait() // nobody reads what is being written
		began := time.Now()
		b.wake("awake")
		awake.hear("event: wake")
		if took := time.Since(began); took > fleet.Patience {
			t.Errorf("one that takes nothing held up another for %v; want at most %v", took, fleet.Patience)
		}
		synctest.Wait()
		if n := b.Listening(); n != 1 {
			t.Errorf("%d listen; want the other one alone", n)
		}
		_, _ = io.Copy(io.Discard, stuck) // ends
	})
}

// stuck is an agent that listens, and has read the head of its answer alone.
func (b *switchboard) stuck(on *pipes) *tls.Conn {
	b.t.Helper()
	plain, err := on.dial(b.t.Context(), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = plain.Close() })
	conn := tls.Client(plain, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is that of the test
	if _, err := io.WriteString(conn, "GET /wire/v1/stream?node=stuck HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		b.t.Fatal(err)
	}
	head := make([]byte, len("HTTP/1.1 200 OK"))
	if _, err := io.ReadFull(conn, head); err != nil || string(head) != "HTTP/1.1 200 OK" {
		b.t.Fatalf("%q, %v", head, err)
	}
	return conn
}
