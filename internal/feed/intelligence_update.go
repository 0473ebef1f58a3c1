package feed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// IntelligenceOutcome is what an update of the intelligence did.
type IntelligenceOutcome struct {
	Revision string `json:"revision"`
	// Changed is false if every source has what was already installed.
	Changed bool     `json:"changed"`
	Sources []Source `json:"sources"`
	// Failed are the sources that could not be brought up to date; what was
	// installed of them stays.
	Failed []SourceError `json:"failed"`
}

// SourceError is why a source could not be brought up to date.
type SourceError struct {
	Name  string `json:"name"`
	Error string `json:"error"` // one line
}

// UpdateIntelligence brings each source of intelligence up to date that has an
// address, and leaves out what has none. The sources do not depend on one
// another: of one that cannot be reached, or read as a whole, or that is older
// than what is installed of it, the old state stays; one that is slow is installed
// after the others. The error is the store's own.
func (s *Store) UpdateIntelligence(ctx context.Context, o Options) (IntelligenceOutcome, error) {
	outcome, err := s.updateIntelligence(ctx, o)
	if err != nil {
		return outcome, fmt.Errorf("intelligence update: %w; what is installed stays", err)
	}
	return outcome, nil
}

func (s *Store) updateIntelligence(ctx context.Context, o Options) (outcome IntelligenceOutcome, err error) {
	if o.turn == nil {
		o.turn = func(install func() (IntelligenceOutcome, error)) error {
			_, err := install()
			return err
		}
	}
	for range attempts {
		outcome, err = s.tryIntelligence(ctx, o)
		if !errors.Is(err, errOvertaken) {
			break
		}
	}
	return outcome, err
}

// attempts is how often what other processes install meanwhile is taken into account.
const attempts = 3

// errOvertaken says that what was fetched is news of something else than what is
// installed by now.
var errOvertaken = errors.New("another process installed another revision meanwhile")

// tryIntelligence fetches without the lock, for that may take long, and OSV is not to
// wait for it.
func (s *Store) tryIntelligence(ctx context.Context, o Options) (outcome IntelligenceOutcome, err error) {
	scratch, err := os.MkdirTemp(s.dir, temporaryPrefix)
	if err != nil {
		return outcome, err
	}
	defer os.RemoveAll(scratch)
	now := time.Now().UTC()
	u := intelligenceUpdate{scratch: scratch, installed: s.intelligenceManifest(), allowOlder: o.AllowOlder}
	outcome.Failed = []SourceError{}
	err = fetchAll(ctx, fetcher{newWeb(o.Client), scratch}, o, u.installed, now, func(came []sourceResult) error {
		return o.turn(func() (one IntelligenceOutcome, err error) {
			one, err = s.installFetched(ctx, &u, came, now)
			outcome = outcome.with(one)
			return one, err
		})
	})
	return outcome, err
}

// with adds what was installed later.
func (o IntelligenceOutcome) with(later IntelligenceOutcome) IntelligenceOutcome {
	later.Changed = o.Changed || later.Changed
	later.Failed = append(slices.Clip(o.Failed), later.Failed...)
	return later
}

// installFetched compiles what is new in what came, and installs it.
func (s *Store) installFetched(ctx context.Context, u *intelligenceUpdate, came []sourceResult, now time.Time) (outcome IntelligenceOutcome, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return outcome, err
	}
	defer unlock()
	before, installed := s.installedIntelligence()
	if before != nil {
		defer before.Close()
	}
	if installed.Revision != u.installed.Revision {
		return outcome, errOvertaken
	}
	u.before, u.results = before, resultsOf(came)
	m := installed
	if u.changes() {
		if m, err = u.compile(ctx, s); err != nil {
			return outcome, err
		}
	}
	outcome = IntelligenceOutcome{Revision: m.Revision, Changed: m.Revision != installed.Revision, Sources: m.sources(), Failed: []SourceError{}}
	u.installed = m
	for _, r := range u.results {
		if r.err != nil {
			outcome.Failed = append(outcome.Failed, SourceError{r.source.name, line(r.err)})
		}
	}
	return outcome, s.recordIntelligence(u.results, now)
}

// line is an error as one line.
func line(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// resultsOf returns what became of each source, in their order: those that are not
// among them stay as they are installed.
func resultsOf(came []sourceResult) []sourceResult {
	all := make([]sourceResult, len(intelligenceSources))
	for i, s := range intelligenceSources {
		all[i] = sourceResult{source: s, stays: true}
		if at := slices.IndexFunc(came, func(r sourceResult) bool { return r.source.name == s.name }); at >= 0 {
			all[i] = came[at]
		}
	}
	return all
}

// intelligenceUpdate is an update under way.
type intelligenceUpdate struct {
	scratch    string
	before     *bolt.DB // nil if nothing is installed
	installed  intelligenceManifest
	allowOlder bool
	results    []sourceResult
}

// sourceResult is what became of one source.
type sourceResult struct {
	source source
	stays  bool // it is not there yet, or was installed before
	off    bool
	parts  []fetched
	err    error
}

// changed tells whether the source has something else than what is installed.
func (r sourceResult) changed(have parts) bool {
	switch {
	case r.stays:
		return false
	case r.off:
		return len(have) > 0
	}
	return r.err == nil && (len(r.parts) != len(have) || slices.ContainsFunc(r.parts, func(f fetched) bool { return f.file != "" }))
}

func (u *intelligenceUpdate) changes() bool {
	return slices.ContainsFunc(u.results, func(r sourceResult) bool { return r.changed(u.installed.of(r.source.name)) })
}

// compile writes the new state and installs it.
func (u *intelligenceUpdate) compile(ctx context.Context, s *Store) (m intelligenceManifest, err error) {
	path := filepath.Join(u.scratch, "intelligence.db")
	w, err := newFileWriter(path)
	if err != nil {
		return m, err
	}
	for i := range u.results {
		if err := u.compileSource(ctx, w, &u.results[i]); err != nil {
			return m, errors.Join(err, w.db.Close())
		}
	}
	m, err = w.finish()
	if err := errors.Join(err, w.db.Close(), ctx.Err()); err != nil {
		return m, err
	}
	return m, s.installIntelligence(path, m, u.installed.Revision)
}

// compileSource writes what is new of the source, or what is installed of it.
func (u *intelligenceUpdate) compileSource(ctx context.Context, w *fileWriter, r *sourceResult) error {
	have := u.installed.of(r.source.name)
	if r.off {
		return nil
	}
	if r.err == nil && !r.stays {
		written := parts{}
		for _, f := range r.parts {
			p := f.part
			if f.file == "" {
				if err := w.copy(ctx, u.before, f.name, p); err != nil {
					return err
				}
			} else if p, r.err = w.decode(ctx, r.source, f); r.err != nil {
				break
			}
			written[f.name] = p
		}
		if r.err == nil && !u.allowOlder {
			r.err = older(r.source.name, written, have)
		}
		if r.err == nil {
			return nil
		}
		for _, f := range r.parts {
			if err := w.drop(f.name); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for name, p := range have {
		if err := w.copy(ctx, u.before, name, p); err != nil {
			return err
		}
	}
	return nil
}

// older compares what is written with what is installed, as a whole and part by
// part; only a delta begins anew with every baseline.
func older(source string, written, have parts) error {
	offered, installed := []Source{written.source(source)}, []Source{}
	if len(have) > 0 {
		installed = append(installed, have.source(source))
	}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		if was, ok := have[name]; ok && name != source && name != cveDelta {
			offered = append(offered, Source{Name: name, AsOf: written[name].AsOf})
			installed = append(installed, Source{Name: name, AsOf: was.AsOf})
		}
	}
	return notOlder(offered, installed)
}

// installIntelligence makes a complete file the installed one.
func (s *Store) installIntelligence(path string, m intelligenceManifest, before string) error {
	if err := os.Rename(path, s.intelligencePath(m.Revision)); err != nil {
		return err
	}
	if err := syncDir(s.path("intelligence")); err != nil {
		return err
	}
	if err := prune(s.path("intelligence"), m.Revision, before); err != nil {
		return err
	}
	return point(s.intelligencePointer(), pointer{Revision: m.Revision, InstalledAt: time.Now().UTC()})
}
