package console

import (
	"context"
	"strings"
	"sync"

	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
)

// relay carries signals between the consoles of one database, so that what one
// does wakes those who wait at another.
type relay struct {
	db      *db.DB
	signals *lease.Signals
	// id tells this console's signals from others': it has heard its own already.
	id string

	mu      sync.Mutex
	pending map[string]struct{}
	some    chan struct{}
}

// newRelay joins the signals with the database.
func newRelay(d *db.DB, signals *lease.Signals) *relay {
	r := &relay{db: d, signals: signals, id: db.NewID() + " ", pending: make(map[string]struct{}), some: make(chan struct{}, 1)}
	d.OnWake(signals.Wake)
	if d.Dialect() == db.PostgreSQL {
		signals.Forward = r.forward
	}
	return r
}

// forward remembers a topic for run, which sends many at once.
func (r *relay) forward(topic string) {
	r.mu.Lock()
	r.pending[r.id+topic] = struct{}{}
	r.mu.Unlock()
	select {
	case r.some <- struct{}{}:
	default: // run will see this one, too
	}
}

// run sends and listens until the context ends.
func (r *relay) run(ctx context.Context) {
	var listening sync.WaitGroup
	defer listening.Wait()
	listening.Go(func() { r.db.Listen(ctx, r.heard) })
	failing := logs.Lasting{What: "other consoles could not be woken; they find work by looking for it"}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.some:
		}
		failing.Note(ctx, r.db.Notify(ctx, r.take()...))
	}
}

func (r *relay) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	topics := make([]string, 0, len(r.pending))
	for topic := range r.pending {
		topics = append(topics, topic)
	}
	clear(r.pending)
	return topics
}

// heard passes on what another console sent, and "" after a connection that broke.
func (r *relay) heard(message string) {
	if strings.HasPrefix(message, r.id) {
		return
	}
	_, topic, _ := strings.Cut(message, " ")
	r.signals.Hear(topic)
}
