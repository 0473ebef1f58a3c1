package lease

import (
	"context"
	"sync"
	"time"
)

// Signals wakes who waits for work, by topic. It only shortens waiting: every
// waiter also looks by itself now and then, so a lost signal costs time alone.
type Signals struct {
	// Forward, if set before anything is woken, is called with every topic that is
	// woken here, to tell other processes. It must not block.
	Forward func(topic string)

	mu      sync.Mutex
	waiters map[string]map[*waiter]struct{}
}

// waiter is called when its topic is woken.
type waiter struct{ wake func() }

// NewSignals returns Signals without waiters.
func NewSignals() *Signals {
	return &Signals{waiters: make(map[string]map[*waiter]struct{})}
}

// Wake wakes every waiter of the topic, here and where Forward leads.
func (s *Signals) Wake(topic string) {
	s.Hear(topic)
	if s.Forward != nil {
		s.Forward(topic)
	}
}

// Hear wakes the waiters in this process alone, because another one woke the
// topic; every waiter if topic is empty.
func (s *Signals) Hear(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if topic != "" {
		wake(s.waiters[topic])
		return
	}
	for _, waiters := range s.waiters {
		wake(waiters)
	}
}

func wake(waiters map[*waiter]struct{}) {
	for w := range waiters {
		w.wake()
	}
}

// Wait returns a channel that receives when the topic is woken, and what ends
// the waiting.
func (s *Signals) Wait(topic string) (woken <-chan struct{}, stop func()) {
	channel := make(chan struct{}, 1)
	return channel, s.Call(topic, func() {
		select {
		case channel <- struct{}{}:
		default: // it has not looked since it was last woken
		}
	})
}

// Call has f called when the topic is woken, and returns what ends that. f must
// neither block nor use the signals.
func (s *Signals) Call(topic string, f func()) (stop func()) {
	w := &waiter{f}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiters[topic] == nil {
		s.waiters[topic] = make(map[*waiter]struct{})
	}
	s.waiters[topic][w] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiters[topic], w)
		if len(s.waiters[topic]) == 0 {
			delete(s.waiters, topic)
		}
	}
}

// Loop calls step until the context ends: at once, when the topic is woken, and
// when the time that step returned has passed.
func (s *Signals) Loop(ctx context.Context, topic string, step func(context.Context) time.Duration) {
	woken, stop := s.Wait(topic)
	defer stop()
	loop(ctx, woken, 0, step)
}

// Every calls step until the context ends, where nobody wakes it: after a first time,
// and whenever the time that step returned has passed.
func Every(ctx context.Context, first time.Duration, step func(context.Context) time.Duration) {
	loop(ctx, nil, first, step)
}

func loop(ctx context.Context, woken <-chan struct{}, wait time.Duration, step func(context.Context) time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-timer.C:
		}
		timer.Reset(step(ctx))
	}
}
