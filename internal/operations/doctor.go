package operations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"patrol/internal/platform/db"
)

// Diagnosis is what a look at a console found.
type Diagnosis struct {
	// At is the console's clock.
	At       time.Time `json:"at"`
	Findings []Symptom `json:"findings"`
}

// Broken tells whether anything has to be mended.
func (d Diagnosis) Broken() bool {
	for _, s := range d.Findings {
		if s.State == Broken {
			return true
		}
	}
	return false
}

// Symptom is how one thing is, and what to do about it.
type Symptom struct {
	Name   string       `json:"name"`
	State  SymptomState `json:"state" enum:"ok,warning,broken,unknown"`
	Detail string       `json:"detail"`
	// Advice says what to do; empty if nothing is to be done.
	Advice string `json:"advice,omitempty"`
}

// SymptomState is how bad it is.
type SymptomState string

// The states of a symptom.
const (
	Fine    SymptomState = "ok"
	Warning SymptomState = "warning"
	Broken  SymptomState = "broken"
	// Unknown is what could not be looked at, and need not be wrong.
	Unknown SymptomState = "unknown"
)

// Where a look becomes a warning, or worse.
const (
	littleSpace = 2 << 30
	noSpace     = 256 << 20
	oldFeed     = 3 * day
	uselessFeed = 30 * day
	clockDrift  = 30 * time.Second
	wrongClock  = 5 * time.Minute
)

// Examine looks at all that a console stands on.
func (s *Service) Examine(ctx context.Context) Diagnosis {
	return Diagnosis{At: s.now().UTC(), Findings: []Symptom{
		s.examineDisk(), s.examineDatabase(ctx), s.examineFeed(ctx), s.examineAgents(ctx), s.examineSecrets(ctx), s.examineClock(ctx),
	}}
}

func (s *Service) examineDisk() Symptom {
	out := Symptom{Name: "disk"}
	free, inodes, err := space(s.options.DataDir)
	if err != nil {
		out.State, out.Detail = Broken, fmt.Sprintf("%s: %v", s.options.DataDir, err)
		out.Advice = "see that the data directory is there and readable"
		return out
	}
	out.Detail = fmt.Sprintf("%d MiB are free on the disk of %s", free>>20, s.options.DataDir)
	if inodes < 1000 {
		free, out.Detail = 0, fmt.Sprintf("%d inodes are free on the disk of %s", inodes, s.options.DataDir)
	}
	switch {
	case free < noSpace:
		out.State, out.Advice = Broken, "free some space or enlarge the disk: the console turns read-only when it is full"
	case free < littleSpace:
		out.State, out.Advice = Warning, "make room: an update of the feed alone may need 1 GiB"
	default:
		out.State = Fine
	}
	return out
}

func (s *Service) examineDatabase(ctx context.Context) Symptom {
	out := Symptom{Name: "database", State: Broken}
	if err := s.db.ReadOnly(); err != nil {
		out.Detail, out.Advice = err.Error(), "free some space on the disk of the database; the console goes on by itself"
		return out
	}
	if s.db.Dialect() == db.PostgreSQL {
		var now time.Time
		if err := s.db.Read().QueryRowContext(ctx, `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`).Scan(db.Time{Time: &now}); err != nil {
			out.Detail, out.Advice = "PostgreSQL does not answer: "+err.Error(), "see that it runs, and that --database-url leads to it"
			return out
		}
		out.State, out.Detail = Fine, "PostgreSQL answers"
		if drift := s.now().Sub(now).Abs(); drift > clockDrift {
			out.State, out.Detail = Warning, fmt.Sprintf("the clocks of PostgreSQL and of the console differ by %s", drift.Round(time.Second))
			out.Advice = "have both machines keep time by NTP"
		}
		return out
	}
	problems, err := s.integrity(ctx)
	switch {
	case err != nil:
		out.Detail, out.Advice = "the database cannot be read: "+err.Error(), "restore the last backup into an empty directory: patrol restore"
	case problems != "":
		out.Detail, out.Advice = "the database is damaged: "+problems, "stop the console, keep its directory, and restore the last backup into an empty one: patrol restore"
	default:
		out.State, out.Detail = Fine, "SQLite finds no damage"
	}
	return out
}

// integrity returns the first problems that SQLite finds; "" if there is none.
func (s *Service) integrity(ctx context.Context) (string, error) {
	rows, err := s.db.Read().QueryContext(ctx, `PRAGMA quick_check(5)`)
	lines, err := db.All(rows, err, db.Value[string])
	if err != nil || len(lines) == 1 && lines[0] == "ok" {
		return "", err
	}
	return strings.Join(lines, "; "), nil
}

func (s *Service) examineFeed(ctx context.Context) Symptom {
	out := Symptom{Name: "feed", State: Fine}
	overview, err := s.feed.Overview(ctx)
	if err != nil {
		out.State, out.Detail, out.Advice = Broken, err.Error(), "run patrol feed update"
		return out
	}
	age := s.now().Sub(overview.AsOf)
	out.Detail = fmt.Sprintf("%d advisories, %.0f hours old", overview.Records, age.Hours())
	failed := ""
	if a := overview.LastAttempt; a != nil && a.Error != "" {
		failed = "; the last update failed: " + a.Error
	}
	const advice = "see that the console reaches --feed-url; without a network carry a bundle: patrol feed export and import"
	switch {
	case overview.Sample:
		out.State, out.Detail, out.Advice = Broken, "only the built-in sample is installed, which knows far too little"+failed, advice
	case age > uselessFeed:
		out.State, out.Detail, out.Advice = Broken, out.Detail+failed, advice
	case overview.Stale:
		out.State, out.Detail, out.Advice = Warning, out.Detail+"; stale since "+overview.Since.Format(time.RFC3339)+": "+overview.Because, advice
	case age > oldFeed || failed != "":
		out.State, out.Detail, out.Advice = Warning, out.Detail+failed, advice
	}
	return out
}

func (s *Service) examineAgents(ctx context.Context) Symptom {
	out := Symptom{Name: "agents"}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT name, last_seen FROM node AS n
		WHERE EXISTS (SELECT 1 FROM credential AS c WHERE c.node_id = n.id AND c.kind = 'agent') ORDER BY last_seen`)
	if err != nil {
		out.State, out.Detail = Unknown, "agents cannot be listed: "+err.Error()
		return out
	}
	agents, silent, names := 0, 0, []string{}
	err = db.Each(rows, func(scan db.Scan) error {
		var name string
		var seen time.Time
		err := scan(&name, db.Time{Time: &seen})
		agents++
		if seen.Before(s.alive()) {
			if silent++; len(names) < 10 {
				names = append(names, fmt.Sprintf("%s (%s)", name, seen.Format(time.RFC3339)))
			}
		}
		return err
	})
	switch {
	case err != nil:
		out.State, out.Detail = Unknown, "agents cannot be listed: "+err.Error()
	case agents == 0:
		out.State, out.Detail = Warning, "no agent has registered"
		out.Advice = "make a token (patrol tokens create --kind enrolment) and start patrol agent on a machine"
	case silent > 0:
		out.State, out.Detail = Warning, fmt.Sprintf("%d of %d agents are silent, the longest first: %s", silent, agents, strings.Join(names, ", "))
		out.Advice = "on those machines: is patrol agent running, and does it reach the console? Its log says"
	default:
		out.State, out.Detail = Fine, fmt.Sprintf("all %d agents are heard", agents)
	}
	return out
}

// examineSecrets looks whether the key is there that sealed them: it is in no backup.
func (s *Service) examineSecrets(ctx context.Context) Symptom {
	out := Symptom{Name: "secrets", State: Fine, Detail: "the secrets of all integrations can be opened"}
	unopened, err := s.options.Unopened(ctx)
	switch {
	case err != nil:
		out.State, out.Detail = Unknown, "secrets cannot be looked at: "+err.Error()
	case len(unopened) > 0:
		out.State, out.Detail = Broken, fmt.Sprintf("nothing is sent to %d integrations, since their secrets cannot be opened: %s", len(unopened), strings.Join(unopened, "; "))
		out.Advice = SecretsAdvice
	}
	return out
}

// SecretsAdvice says what to do about secrets that cannot be opened.
const SecretsAdvice = "put back the key that sealed them, secrets.key in --data-dir or PATROL_SECRETS_KEY, the same for all consoles of a database, and restart; if it is lost, add these integrations anew"

// examineClock compares the clock with that of who publishes the feed: a wrong one
// makes schedules fire and sessions end at the wrong time.
func (s *Service) examineClock(ctx context.Context) Symptom {
	out := Symptom{Name: "clock", State: Unknown}
	theirs, err := dateOf(ctx, s.options.FeedURL)
	if err != nil {
		out.Detail = "there is nothing to compare the clock with: " + err.Error()
		return out
	}
	return judgeClock(s.now().Sub(theirs), "the publisher of the feed")
}

func judgeClock(drift time.Duration, than string) Symptom {
	out := Symptom{Name: "clock", State: Fine, Detail: fmt.Sprintf("differs by %s from the clock of %s", drift.Abs().Round(time.Second), than)}
	switch {
	case drift.Abs() > wrongClock:
		out.State, out.Advice = Broken, "set the clock, and have the machine keep time by NTP"
	case drift.Abs() > clockDrift:
		out.State, out.Advice = Warning, "have the machine keep time by NTP"
	}
	return out
}

// dateOf asks a web server for the time (RFC 9110, section 6.6.1).
func dateOf(ctx context.Context, address string) (time.Time, error) {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" {
		return time.Time{}, errors.New("--feed-url is no web site")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return time.Time{}, errors.New("--feed-url is no web site")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s cannot be reached", at.Host)
	}
	defer func() { _ = resp.Body.Close() }()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("%s tells no date", at.Host)
	}
	return date, nil
}

// CompareClocks judges the clock of a console by that of who asked it.
func CompareClocks(d Diagnosis, here time.Time) Symptom {
	out := judgeClock(d.At.Sub(here), "this machine")
	out.Name = "clock of the console"
	return out
}
