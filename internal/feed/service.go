package feed

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
)

// DefaultURL is where OSV publishes.
const DefaultURL = "https://osv-vulnerabilities.storage.googleapis.com"

// Service keeps the console's feed up to date.
type Service struct {
	store    *Store
	db       *db.DB
	settings Settings
	now      func() time.Time

	mu    sync.Mutex
	asked map[string]time.Time // ecosystem → when it was last asked for
}

// Settings say where the feed comes from, and how often.
type Settings struct {
	URL      string
	Interval time.Duration
	// Installed returns the ecosystems that the fleet's inventory holds.
	Installed func(context.Context) ([]string, error)
}

// NewService returns the service over an open store.
func NewService(store *Store, d *db.DB, settings Settings, now func() time.Time) *Service {
	return &Service{store: store, db: d, settings: settings, now: now, asked: make(map[string]time.Time)}
}

// Run updates the feed at once and then at every interval, until the context
// ends. The intervals are spread by a tenth, so that consoles do not come all
// together.
func (s *Service) Run(ctx context.Context) {
	for {
		if _, err := s.Update(ctx, nil); err != nil && ctx.Err() == nil {
			slog.Error("feed not updated", "error", err)
		}
		wait := s.settings.Interval + rand.N(s.settings.Interval/10+1)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// For returns the revision to match these ecosystems against. A console that
// takes from a URL only what its inventory holds fetches first what it has never
// been asked for; where that fails, what is installed must do.
func (s *Service) For(ctx context.Context, ecosystems []string) (*Revision, error) {
	revision, err := s.store.Current(ctx)
	if err != nil || !isURL(s.settings.URL) {
		return revision, err
	}
	missing := s.missing(revision, ecosystems)
	if len(missing) == 0 {
		return revision, nil
	}
	if _, err := s.Update(ctx, missing); err != nil && ctx.Err() == nil {
		slog.Error("feed not updated for ecosystems that are new here", "ecosystems", missing, "error", err)
	}
	return s.store.Current(ctx)
}

// missing returns the ecosystems that no source holds and that have not been
// asked for within an interval, and notes that they are asked for now.
func (s *Service) missing(revision *Revision, ecosystems []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	missing := []string{}
	for _, ecosystem := range ecosystems {
		name := match.Base(ecosystem)
		held := !revision.Sample() && slices.ContainsFunc(revision.Sources(), func(have Source) bool { return have.Ecosystem() == name })
		if held || s.now().Sub(s.asked[name]) < s.settings.Interval || slices.Contains(missing, name) {
			continue
		}
		s.asked[name] = s.now()
		missing = append(missing, name)
	}
	return missing
}

// Update brings the feed up to date: the whole of a directory; from a URL the
// ecosystems that are installed somewhere, and those named. It writes an event
// unless nothing changed.
func (s *Service) Update(ctx context.Context, named []string) (Outcome, error) {
	options := Options{URL: s.settings.URL}
	if isURL(options.URL) {
		wanted, err := s.wanted(ctx, named)
		if err != nil || len(wanted) == 0 {
			return Outcome{}, err
		}
		options.Ecosystems = wanted
	}
	outcome, err := s.store.Update(ctx, options)
	if err == nil && !outcome.Changed {
		return outcome, nil
	}
	kind, data := "feed.updated", any(outcome)
	if err != nil {
		kind, data = "feed.update_failed", map[string]string{"error": err.Error()}
	} else {
		slog.Info("feed updated", "revision", outcome.Revision, "records", outcome.Records)
	}
	logged := s.db.Write(ctx, func(tx *db.Tx) error {
		return event.Append(ctx, tx, s.now(), kind, outcome.Revision, data)
	})
	return outcome, errors.Join(err, logged)
}

// wanted returns what is both wanted and published. Asking for what is not
// published would fail the whole update.
func (s *Service) wanted(ctx context.Context, named []string) ([]string, error) {
	installed, err := s.settings.Installed(ctx)
	if err != nil {
		return nil, err
	}
	want := map[string]bool{}
	for _, ecosystem := range append(installed, named...) {
		want[match.Base(ecosystem)] = true
	}
	if len(want) == 0 {
		return nil, nil
	}
	published, err := Ecosystems(ctx, Options{URL: s.settings.URL})
	if err != nil {
		return nil, s.store.failed(s.settings.URL, err)
	}
	return slices.DeleteFunc(published, func(name string) bool { return !want[name] }), nil
}

// Overview is the state of the feed as the API shows it.
type Overview struct {
	Status
	// AsOf is the newest date of any source: how old the knowledge is.
	AsOf time.Time `json:"as_of,omitzero"`
}

// Overview returns the state of the feed.
func (s *Service) Overview(ctx context.Context) (Overview, error) {
	status, err := s.store.Status(ctx)
	return Overview{status, status.AsOf()}, err
}

// AsOf is the newest date of any source; zero if there is none.
func (s Status) AsOf() time.Time {
	var newest time.Time
	for _, source := range s.Sources {
		if source.AsOf.After(newest) {
			newest = source.AsOf
		}
	}
	return newest
}

// updateProblem tells the caller of an update why it failed: the feed is far
// away, and that is no fault of the console's.
func updateProblem(err error) error {
	if err == nil {
		return nil
	}
	return problem.Conflict("%s", strings.Join(strings.Fields(err.Error()), " "))
}

func isURL(address string) bool {
	return strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://")
}
