package operations

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"patrol/internal/platform/rest"
)

// Readiness is what /readyz answers: 200 if all is well, 503 if not.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

// Check is one thing that a console needs.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says what is wrong; anybody may read it.
	Detail string `json:"detail,omitempty"`
}

// checkTime is less than who asks will wait.
const checkTime = 2 * time.Second

// Ready tells whether the console can do its work, and why not.
func (s *Service) Ready(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r := Readiness{Ready: true}
	add := func(name, detail string, err error) {
		c := Check{Name: name, OK: err == nil}
		if err != nil {
			// The log says it in full: an address or a path is nobody's business.
			slog.DebugContext(ctx, "not ready", "check", name, "error", err)
			c.Detail, r.Ready = detail, false
		}
		r.Checks = append(r.Checks, c)
	}
	var one int
	add("database", "the database does not answer: see that it runs and can be reached",
		s.db.Read().QueryRowContext(ctx, `SELECT 1`).Scan(&one))
	add("disk", "the console cannot write and is read-only until it can: free some space on the disk of its database", s.db.ReadOnly())
	_, err := s.feed.Overview(ctx)
	add("feed", "the feed cannot be read: run patrol feed update", err)
	if s.draining.Load() {
		add("serving", "the console is about to end", context.Canceled)
	} else {
		add("serving", "", nil)
	}
	return r
}

// ServeReady answers /readyz.
func (s *Service) ServeReady(w http.ResponseWriter, r *http.Request) {
	ready := s.Ready(r.Context())
	status := http.StatusOK
	if !ready.Ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", rest.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(ready) // who asked is gone if this fails
}
