package imagefs

import (
	"context"
	"sync"
)

// queue hands the entries of a layer from whoever indexes it to whoever applies
// it, in chunks. It has no bound of its own: a layer must be indexed to its end
// although those below it are not yet applied.
type queue struct {
	mu     sync.Mutex
	chunks [][]entry
	closed bool
	more   chan struct{} // has room for one: that something has changed
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

func (q *queue) push(chunk []entry) {
	if len(chunk) == 0 {
		return
	}
	q.mu.Lock()
	q.chunks = append(q.chunks, chunk)
	q.mu.Unlock()
	q.signal()
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// pop waits for the next chunk; nil after the last one.
func (q *queue) pop(ctx context.Context) ([]entry, error) {
	for {
		q.mu.Lock()
		if len(q.chunks) > 0 {
			chunk := q.chunks[0]
			q.chunks[0], q.chunks = nil, q.chunks[1:]
			q.mu.Unlock()
			return chunk, ctx.Err()
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil, ctx.Err()
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
