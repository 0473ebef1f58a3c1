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
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/trace"
)

// DefaultURL is where OSV publishes.
const DefaultURL = "https://osv-vulnerabilities.storage.googleapis.com"

// Service keeps the console's feed up to date.
type Service struct {
	store    *Store
	db       *db.DB
	settings Settings
	now      func() time.Time

	first sync.Once // the update that a console begins with

	mu    sync.Mutex
	asked map[string]time.Time // ecosystem → when it was last asked for
	// unneeded is when there was last nothing to ask for: nothing is installed anywhere.
	unneeded time.Time

	together time.Duration // see Options

	// wanting wakes Run for the intelligence alone: its sources are too large for
	// who asks to wait for them.
	wanting chan struct{}

	assessing  sync.Mutex
	assessed   string // revision of the intelligence that Reassess was last called with
	unassessed logs.Lasting
}

// Settings say where the feed comes from, and how often.
type Settings struct {
	URL          string
	Intelligence Addresses
	Interval     time.Duration
	// StaleAfter is how long after its last success the feed is stale; zero is
	// [DefaultStaleAfter], or three intervals if they are longer.
	StaleAfter time.Duration
	// Ecosystems are those to take from a URL: "all", a list, or "auto" or nothing
	// for those that the inventory holds.
	Ecosystems []string
	// Installed returns the ecosystems that the fleet's inventory holds.
	Installed func(context.Context) ([]string, error)
	// Shared is where consoles on one database hand each other what they have
	// compiled, and Signals is what they wake each other with; nil for a console by
	// itself.
	Shared  Shared
	Signals *lease.Signals
	// Reassess is called with each new state of the intelligence; nil for no one.
	Reassess func(context.Context, *Intelligence) error
}

// What may stand in place of a list of ecosystems.
const (
	AutoEcosystems = "auto" // what the inventory holds
	AllEcosystems  = "all"  // what is published
)

// NewService returns the service over an open store.
func NewService(store *Store, d *db.DB, settings Settings, now func() time.Time) *Service {
	return &Service{
		store: store, db: d, settings: settings, now: now, asked: make(map[string]time.Time), wanting: make(chan struct{}, 1),
		unassessed: logs.Lasting{What: "vulnerabilities not assessed anew; it will be tried again"},
	}
}

// Run updates the feed at once and then at every interval, until the context
// ends. The intervals are spread by a tenth, so that consoles do not come all
// together.
func (s *Service) Run(ctx context.Context) {
	var listening sync.WaitGroup
	listening.Go(func() { s.listen(ctx) })
	listening.Go(func() { s.keepJudging(ctx) })
	defer listening.Wait()
	s.reassess(ctx)
	listening.Go(func() { s.keepIntelligence(ctx) })
	s.begin(ctx)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-s.due():
		}
		_, _ = s.updateIfDue(ctx) // which logs, and keeps the failure for the status
	}
}

// due tells when an interval is over, more or less.
func (s *Service) due() <-chan time.Time {
	return time.After(s.settings.Interval + rand.N(s.settings.Interval/10+1))
}

// keepIntelligence updates the intelligence at once, at every interval, and whenever
// that is asked for, beside OSV: neither waits for the other's sources.
func (s *Service) keepIntelligence(ctx context.Context) {
	// Not what another console has asked for within an interval.
	recent := func(h handed) bool { return s.within(h.intelligenceChecked, s.settings.Interval) }
	for spared := recent; ctx.Err() == nil; {
		due := s.due() // from now: a slow source is not to put off the others next time
		if err := s.updateIntelligence(ctx, spared); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "intelligence not updated", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
			spared = recent
		case <-s.wanting:
			spared = never
		}
	}
}

// askForIntelligence has Run bring the other sources up to date, once more if it
// is doing so already.
func (s *Service) askForIntelligence() {
	select {
	case s.wanting <- struct{}{}:
	default:
	}
}

// For returns the revision to match these ecosystems against. A console that
// takes from a URL only what its inventory holds fetches first what it has never
// been asked for; where that fails, what is installed must do.
func (s *Service) For(ctx context.Context, ecosystems []string) (*Revision, error) {
	s.reassess(ctx)
	revision, err := s.store.Current(ctx)
	if err != nil {
		return nil, err
	}
	if !isURL(s.settings.URL) || !s.auto() {
		if !revision.Sample() {
			return revision, nil
		}
		s.begin(ctx) // so that the first scan of a console has its feed
		return s.store.Current(ctx)
	}
	missing := s.missing(revision, ecosystems)
	if len(missing) == 0 {
		return revision, nil
	}
	_, _ = s.Update(ctx, missing) // which logs, and keeps the failure for the status
	return s.store.Current(ctx)
}

// begin makes the first update, or waits for who makes it.
func (s *Service) begin(ctx context.Context) {
	s.first.Do(func() { _, _ = s.updateIfDue(ctx) }) // which logs, and keeps the failure for the status
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
		if held || s.within(s.asked[name], s.settings.Interval) || slices.Contains(missing, name) {
			continue
		}
		s.asked[name] = s.now()
		missing = append(missing, name)
	}
	return missing
}

// Update brings OSV up to date: the whole of a directory; from a URL what the
// settings name, or the ecosystems that are installed somewhere, and those named.
// It writes an event and a line in the log unless nothing changed.
func (s *Service) Update(ctx context.Context, named []string) (Outcome, error) {
	return s.updateUnless(ctx, named, never)
}

// updateIfDue does so unless another console has within an interval.
func (s *Service) updateIfDue(ctx context.Context) (Outcome, error) {
	return s.updateUnless(ctx, nil, func(h handed) bool { return s.within(h.osvChecked, s.settings.Interval) })
}

func (s *Service) updateUnless(ctx context.Context, named []string, spared func(handed) bool) (Outcome, error) {
	if ctx.Err() != nil {
		return Outcome{}, ctx.Err()
	}
	var outcome Outcome
	err := s.alone(ctx, func(h *handed) (err error) {
		if spared(*h) {
			return nil
		}
		h.osvChecked, h.osvError = s.now(), ""
		if outcome, err = s.update(ctx, named); err != nil {
			h.osvError = line(err)
		}
		return err
	})
	if ctx.Err() != nil {
		return outcome, err
	}
	if judged := s.judge(ctx); judged != nil {
		slog.WarnContext(ctx, "whether the feed is stale is not known", "error", judged)
	}
	if err == nil && !outcome.Changed {
		return outcome, nil
	}
	kind, data := "feed.updated", any(outcome)
	if err != nil {
		kind, data = "feed.update_failed", map[string]string{"error": err.Error()}
		slog.ErrorContext(ctx, "feed not updated", "error", err)
	} else {
		slog.InfoContext(ctx, "feed updated", "revision", outcome.Revision, "records", outcome.Records,
			"new", outcome.Changes.New, "changed", outcome.Changes.Changed, "gone", outcome.Changes.Gone)
	}
	logged := s.db.Write(ctx, func(tx *db.Tx) error {
		return event.AppendTo(ctx, tx, s.now(), event.Everybody, kind, outcome.Revision, data)
	})
	return outcome, errors.Join(err, logged)
}

func (s *Service) update(ctx context.Context, named []string) (_ Outcome, err error) {
	ctx, end := trace.Span(ctx, "update feed", &err)
	defer end()
	options := Options{URL: s.settings.URL}
	switch {
	case !s.auto():
		if !slices.Equal(s.settings.Ecosystems, []string{AllEcosystems}) {
			options.Ecosystems = s.settings.Ecosystems
		}
	case isURL(options.URL):
		wanted, err := s.wanted(ctx, named)
		if err != nil {
			return Outcome{}, err
		}
		if len(wanted) == 0 {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.unneeded = s.now()
			return Outcome{}, nil
		}
		options.Ecosystems = wanted
	}
	return s.store.Update(ctx, options)
}

// UpdateIntelligence brings the other sources up to date, and has the
// vulnerabilities assessed anew if that changed anything. Sources that failed are
// logged; what is installed of them stays.
func (s *Service) UpdateIntelligence(ctx context.Context) error {
	return s.updateIntelligence(ctx, never)
}

func never(handed) bool { return false }

func (s *Service) updateIntelligence(ctx context.Context, spared func(handed) bool) error {
	// One console fetches for all; while it installs, none installs anything else. What
	// counts is when it began, or a slow source would put off the others next time.
	began := s.now()
	install := func(install func() (IntelligenceOutcome, error)) error {
		var outcome IntelligenceOutcome
		err := s.alone(ctx, func(h *handed) (err error) {
			h.intelligenceChecked = began
			outcome, err = install()
			return err
		})
		if err != nil {
			return err
		}
		return s.tell(ctx, outcome)
	}
	return s.db.Alone(ctx, db.Intelligence, func() error {
		var h handed
		if s.settings.Shared != nil {
			var err error
			if h, err = s.receive(ctx); err != nil {
				return err
			}
		}
		if spared(h) {
			return nil
		}
		_, err := s.store.UpdateIntelligence(ctx, Options{
			Intelligence: s.settings.Intelligence, Patience: max(s.settings.Interval, leastPatience), turn: install, together: s.together,
		})
		return err
	})
}

// leastPatience is how long a source of intelligence may take at least, however short
// the interval is: some are hundreds of megabytes.
const leastPatience = time.Hour

// tell says what became of sources of the intelligence, and has the vulnerabilities
// assessed anew.
func (s *Service) tell(ctx context.Context, outcome IntelligenceOutcome) error {
	for _, failed := range outcome.Failed {
		slog.WarnContext(ctx, "source not updated", "source", failed.Name, "error", failed.Error)
	}
	s.reassess(ctx)
	if !outcome.Changed {
		return nil
	}
	slog.InfoContext(ctx, "intelligence updated", "revision", outcome.Revision)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return event.AppendTo(ctx, tx, s.now(), event.Everybody, "feed.intelligence_updated", outcome.Revision, outcome)
	})
}

// reassess hands on the installed intelligence if it is another one than last
// time: this process has installed it, or another one that uses the directory.
func (s *Service) reassess(ctx context.Context) {
	if s.settings.Reassess == nil {
		return
	}
	s.assessing.Lock()
	defer s.assessing.Unlock()
	known, err := s.store.Intelligence(ctx)
	if err == nil && known.ID() != s.assessed {
		if err = s.settings.Reassess(ctx, known); err == nil {
			s.assessed = known.ID()
		}
	}
	s.unassessed.Note(ctx, err)
}

// auto tells whether the inventory decides which ecosystems to take.
func (s *Service) auto() bool {
	e := s.settings.Ecosystems
	return len(e) == 0 || len(e) == 1 && e[0] == AutoEcosystems
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
	Freshness
}

// Overview returns the state of the feed.
func (s *Service) Overview(ctx context.Context) (Overview, error) {
	status, err := s.store.Status(ctx)
	if err != nil {
		return Overview{Status: status, AsOf: status.AsOf()}, err
	}
	fresh, err := s.freshness(ctx)
	return Overview{status, status.AsOf(), fresh}, err
}

// AsOf is the newest date of any part of OSV, which decides what is found; zero if
// there is none.
func (s Status) AsOf() time.Time {
	var newest time.Time
	for _, source := range s.Sources {
		if source.Ecosystem() != "" && source.AsOf.After(newest) {
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
