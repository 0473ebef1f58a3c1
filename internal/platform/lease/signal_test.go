package lease_test

import (
	"context"
	"testing"
	"time"

	"patrol/internal/platform/lease"
)

// never is longer than any test: a loop that goes on was woken.
const never = time.Hour

// loop runs a step in a Loop of its own; each step is received from steps, and
// goes on once it was answered.
func loop(t *testing.T, s *lease.Signals) (steps chan struct{}, proceed chan time.Duration, ended chan struct{}, cancel context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	steps, proceed, ended = make(chan struct{}), make(chan time.Duration), make(chan struct{})
	go func() {
		defer close(ended)
		s.Loop(ctx, "topic", func(context.Context) time.Duration {
			steps <- struct{}{}
			return <-proceed
		})
	}()
	return steps, proceed, ended, cancel
}

func TestLoop(t *testing.T) {
	s := lease.NewSignals()
	steps, proceed, ended, cancel := loop(t, s)
	<-steps // at once
	// Woken in the middle of a step, twice: looked again, once.
	s.Wake("topic")
	s.Wake("topic")
	s.Wake("other")
	proceed <- never
	<-steps
	proceed <- 0
	<-steps // because the time of the step has passed
	proceed <- never
	s.Wake("topic") // while it waits
	<-steps
	proceed <- never
	cancel()
	<-ended
}

func TestLoopEndsWithItsContext(t *testing.T) {
	s := lease.NewSignals()
	steps, proceed, ended, cancel := loop(t, s)
	<-steps
	cancel()
	proceed <- never
	<-ended
	s.Wake("topic") // to nobody
}

func TestEvery(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	lease.Every(ctx, time.Nanosecond, func(context.Context) time.Duration {
		if steps++; steps == 3 {
			cancel()
			return never
		}
		return 0
	})
	if steps != 3 {
		t.Errorf("%d steps", steps)
	}
	lease.Every(ctx, never, func(context.Context) time.Duration {
		t.Error("a step after the context has ended")
		return never
	})
}

func TestWakeReachesEveryWaiterOfTheTopic(t *testing.T) {
	s := lease.NewSignals()
	first, stopFirst := s.Wait("topic")
	second, stopSecond := s.Wait("topic")
	other, stopOther := s.Wait("other")
	defer stopOther()
	s.Wake("topic")
	<-first
	<-second
	stopFirst()
	s.Wake("topic")
	<-second
	stopSecond()
	s.Wake("topic")
	select {
	case <-first:
		t.Error("woken after it stopped waiting")
	case <-second:
		t.Error("woken after it stopped waiting")
	case <-other:
		t.Error("woken by another topic")
	default:
	}
}
