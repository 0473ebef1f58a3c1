package feed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Options say what to install.
type Options struct {
	// URL is where the feed is published: an http or https URL, or a directory.
	URL string
	// Ecosystems are those to take; none means all that are published.
	Ecosystems []string
	// Client makes the requests; nil means one with sensible timeouts.
	Client *http.Client
	// Intelligence is where the other sources are published, for
	// [Store.UpdateIntelligence].
	Intelligence Addresses
	// AllowOlder accepts sources that are older than what is installed.
	AllowOlder bool

	// Patience is how long each source of intelligence may take; zero is for ever, as
	// long as it moves.
	Patience time.Duration

	// turn calls what installs intelligence while nobody else installs anything.
	turn     func(install func() (IntelligenceOutcome, error)) error
	together time.Duration // how long sources that have answered wait for others; zero is as usual
}

// Outcome is what a successful update did.
type Outcome struct {
	Revision string `json:"revision"`
	// Changed is false if the feed has what was already installed.
	Changed bool     `json:"changed"`
	Records int      `json:"records"`
	Sources []Source `json:"sources"`
	// Dropped are sources that the revision before had and this one has not:
	// what they covered is no longer assessed.
	Dropped []string `json:"dropped"`
	// Changes counts the records that came, changed and went; those of a first feed
	// are all new.
	Changes Changes `json:"changes"`
}

// Ecosystems lists what is published at the URL, as [Store.Update] would take it
// if none were named.
func Ecosystems(ctx context.Context, o Options) ([]string, error) {
	from, err := newOrigin(o.URL, o.Client)
	if err != nil {
		return nil, err
	}
	return from.ecosystems(ctx)
}

// Update compiles what is published at the URL and installs it. A feed that
// cannot be read as a whole, or of which a source is older than the installed
// one, changes nothing but the status. One update runs at a time: another one,
// of any process, waits for it.
func (s *Store) Update(ctx context.Context, o Options) (Outcome, error) {
	from, err := newOrigin(o.URL, o.Client)
	var outcome Outcome
	if err == nil {
		outcome, err = s.update(ctx, from, o)
	}
	if err != nil {
		return outcome, s.failed(o.URL, err)
	}
	return outcome, s.record(Attempt{At: time.Now().UTC(), URL: from.String()})
}

// failed records an attempt that came to nothing, and returns its error with
// what remains in place.
func (s *Store) failed(url string, err error) error {
	err = fmt.Errorf("feed update: %w; %s", err, s.remains())
	attempt := Attempt{At: time.Now().UTC(), Error: strings.Join(strings.Fields(err.Error()), " ")}
	if from, unclear := newOrigin(url, nil); unclear == nil {
		attempt.URL = from.String() // without a password
	}
	return errors.Join(err, s.record(attempt))
}

func (s *Store) update(ctx context.Context, from origin, o Options) (Outcome, error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	if err := s.clean(time.Now()); err != nil {
		return Outcome{}, err
	}
	archives, err := s.gather(ctx, from, o.Ecosystems)
	if err != nil {
		return Outcome{}, err
	}
	installed := s.installed()
	if s.compiled(archives, installed) {
		return Outcome{Revision: installed.Revision, Records: installed.Counts[recordBucket], Sources: installed.Sources, Dropped: []string{}}, nil
	}
	c, err := collect(ctx, archives, defaultLimits)
	if err != nil {
		return Outcome{}, err
	}
	if !o.AllowOlder && !installed.Sample {
		if err := notOlder(c.sources, installed.Sources); err != nil {
			return Outcome{}, err
		}
	}
	m := c.manifest(false)
	outcome := Outcome{
		Revision: m.Revision,
		Changed:  m.Revision != installed.Revision,
		Records:  m.Counts[recordBucket],
		Sources:  m.Sources,
		Dropped:  dropped(m, installed),
	}
	if !outcome.Changed {
		return outcome, s.noteCompiled(archives, m)
	}
	if err := s.write(c, m); err != nil {
		return Outcome{}, err
	}
	outcome.Changes = s.changes(installed, m)
	// The revision before stays for those who have just read its name.
	if err := s.prune(m.Revision, installed.Revision); err != nil {
		return Outcome{}, err
	}
	// The last moment to turn back: from here on the feed is installed.
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	if err := s.point(pointer{Revision: m.Revision, InstalledAt: time.Now().UTC()}); err != nil {
		return Outcome{}, err
	}
	return outcome, s.noteCompiled(archives, m)
}

// changes counts what differs between the installed revision and the one that takes
// its place. Of the sample nothing is kept: what follows it is all new, and so is what
// follows a revision that cannot be read.
func (s *Store) changes(installed, m manifest) Changes {
	all := Changes{New: m.Counts[recordBucket]}
	if installed.Revision == "" || installed.Sample {
		return all
	}
	before, err := openRevision(s.revisionPath(installed.Revision))
	if err != nil {
		return all
	}
	defer before.shut()
	after, err := openRevision(s.revisionPath(m.Revision))
	if err != nil {
		return all
	}
	defer after.shut()
	c, err := Compare(before, after)
	if err != nil {
		return all
	}
	return Changes{New: c.New, Changed: c.Changed, Gone: c.Gone} // the rest is large
}

// gather brings the archives here.
func (s *Store) gather(ctx context.Context, from origin, ecosystems []string) ([]archive, error) {
	ecosystems = withoutSubsets(ecosystems)
	for _, name := range ecosystems {
		if !ecosystemName.MatchString(name) {
			return nil, fmt.Errorf("%.80q is not the name of an ecosystem", name)
		}
	}
	if len(ecosystems) == 0 {
		var err error
		if ecosystems, err = from.ecosystems(ctx); err != nil {
			return nil, err
		}
	}
	return from.archives(ctx, ecosystems, s.path("mirror"))
}

// compilation says which archives the installed revision was made of, so that
// they are not compiled again to find that nothing has changed.
type compilation struct {
	Revision string `json:"revision"`
	Archives string `json:"archives"` // a digest of their ecosystems and sums
}

// digest is empty where the archives may have changed without notice.
func digest(archives []archive) string {
	h := sha256.New()
	for _, a := range archives {
		if a.sum == "" {
			return ""
		}
		fmt.Fprintf(h, "%q %q %s\n", a.ecosystem, a.url, a.sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Store) compiled(archives []archive, installed manifest) bool {
	last, err := s.readState()
	return err == nil && digest(archives) != "" && last.Compiled == compilation{installed.Revision, digest(archives)}
}

func (s *Store) noteCompiled(archives []archive, m manifest) error {
	return s.changeState(func(last *state) { last.Compiled = compilation{m.Revision, digest(archives)} })
}

// installed returns the manifest of the installed revision. One that cannot be
// read is as good as none: an update is the way out.
func (s *Store) installed() manifest {
	p, err := s.readPointer()
	if err != nil {
		return manifest{}
	}
	db, m, err := openIndex(s.revisionPath(p.Revision))
	if err != nil {
		return manifest{}
	}
	db.Close()
	return m
}

// notOlder compares the sources that both have.
func notOlder(offered, installed []Source) error {
	for _, o := range offered {
		i := slices.IndexFunc(installed, func(s Source) bool { return s.Name == o.Name })
		if i >= 0 && o.AsOf.Before(installed[i].AsOf) {
			return fmt.Errorf("source %s is older than the installed one: as of %s, installed as of %s",
				o.Name, day(o.AsOf), day(installed[i].AsOf))
		}
	}
	return nil
}

func day(t time.Time) string {
	if t.IsZero() {
		return "no date at all"
	}
	return t.UTC().Format(time.RFC3339)
}

func dropped(now, before manifest) []string {
	names := []string{}
	for _, b := range before.Sources {
		if !before.Sample && !slices.ContainsFunc(now.Sources, func(s Source) bool { return s.Name == b.Name }) {
			names = append(names, b.Name)
		}
	}
	return names
}

// remains says what a failed update has left in place.
func (s *Store) remains() string {
	p, err := s.readPointer()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is only the built-in sample"
	case err != nil:
		return "what is installed cannot be read"
	case p.Sample != "":
		return "the built-in sample stays"
	}
	return "revision " + p.Revision + " stays installed"
}
