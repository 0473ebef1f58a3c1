package scan

import (
	"testing"
	"time"
)

func TestArrivalsBeginOneAfterAnother(t *testing.T) {
	var p pace
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var last time.Time
	for i := range 10_000 {
		at := p.slot(now)
		if i < arrivalBurst && !at.Equal(now) {
			t.Fatalf("number %d waits until %v", i, at)
		}
		if i > arrivalBurst && at.Sub(last) != arrivalPace {
			t.Fatalf("number %d begins %v after the one before", i, at.Sub(last))
		}
		last = at
	}
	if all := last.Sub(now); all > 4*time.Minute {
		t.Errorf("10,000 begin within %v", all)
	}
	// Once it is quiet, nobody waits.
	if later := last.Add(time.Hour); !p.slot(later).Equal(later) {
		t.Error("a host that arrives alone waits")
	}
	// Nor after a clock was set back.
	if before := now.Add(-24 * time.Hour); p.slot(before).After(before.Add(time.Second)) {
		t.Error("a host waits for a clock that was set back")
	}
}
