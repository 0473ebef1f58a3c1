package console

import (
	"context"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
)

// What one console does wakes who waits at another, for whatever.
func TestConsolesWakeEachOther(t *testing.T) {
	address := dbtest.PostgresURL(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var databases [2]*db.DB
	var signals [2]*lease.Signals
	for i := range databases {
		databases[i] = dbtest.OpenPostgres(t, address, event.Migrations)
		signals[i] = lease.NewSignals()
		r := newRelay(databases[i], signals[i])
		running.Go(func() { r.run(ctx) })
	}
	for _, topic := range []string{"command/n1", event.Topic} {
		for from := range signals {
			here, stopHere := signals[from].Wait(topic)
			there, stopThere := signals[1-from].Wait(topic)
			// Until the other listens, nobody hears: say it again.
			for heard := false; !heard; {
				dbtest.Write(t, databases[from], func(tx *db.Tx) error {
					tx.Wake(topic)
					return nil
				})
				<-here
				select {
				case <-there:
					heard = true
				case <-tick(t):
				}
			}
			stopHere()
			stopThere()
		}
	}
}

// tick is a moment, for what cannot be waited for.
func tick(t *testing.T) <-chan struct{} {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx.Done()
}
