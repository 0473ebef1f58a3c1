package feed

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// together is how long sources that have answered wait for the others, so that what
// comes at about the same time is compiled once.
const together = 30 * time.Second

// fetchAll asks all sources at the same time, for they are far apart, and calls take
// with what came of them: of those that answer at about the same time together, and of
// one that is slow once it is there, so that it holds up no other. It ends when all
// were taken, or when taking fails.
func fetchAll(ctx context.Context, f fetcher, o Options, installed intelligenceManifest, now time.Time, take func([]sourceResult) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	came := make(chan sourceResult, len(intelligenceSources))
	for _, s := range intelligenceSources {
		running.Go(func() { came <- fetchSource(ctx, f, s, o, installed.of(s.name), now) })
	}
	wait := o.together
	if wait == 0 {
		wait = together
	}
	for left := len(intelligenceSources); left > 0; {
		batch := gathered(came, left, wait)
		if left -= len(batch); ctx.Err() != nil {
			return ctx.Err()
		}
		if err := take(batch); err != nil {
			return err
		}
	}
	return nil
}

// gathered returns the first result, and what comes within a time after it, up to n.
func gathered(came <-chan sourceResult, n int, wait time.Duration) []sourceResult {
	batch := []sourceResult{<-came}
	for late := time.After(wait); len(batch) < n; {
		select {
		case r := <-came:
			batch = append(batch, r)
		case <-late:
			return batch
		}
	}
	return batch
}

func fetchSource(ctx context.Context, f fetcher, s source, o Options, have parts, now time.Time) sourceResult {
	r := sourceResult{source: s}
	address := s.address(o.Intelligence)
	if r.off = address == ""; r.off {
		return r
	}
	if o.Patience > 0 {
		bound, cancel := context.WithTimeoutCause(ctx, o.Patience, fmt.Errorf("it was not there after %v", o.Patience))
		defer cancel()
		ctx = bound
	}
	at, err := newLocation(address)
	if err == nil {
		r.parts, err = s.fetch(ctx, f, at, have, now)
	}
	r.err = err
	return r
}
