package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Status is what is installed, and how the last update went.
type Status struct {
	Revision    string    `json:"revision"`
	InstalledAt time.Time `json:"installed_at"`
	// Sample says that no feed was ever installed: its sources' AsOf tell how
	// old the built-in sample is.
	Sample  bool `json:"sample"`
	Records int  `json:"records"`
	// Intelligence is its revision; empty if none was ever installed.
	Intelligence string `json:"intelligence,omitempty"`
	// Sources are those of the revision, and the four of intelligence.
	Sources []SourceStatus `json:"sources"`
	// LastAttempt is the last one to update OSV; nil before the first.
	LastAttempt *Attempt `json:"last_attempt,omitempty"`
	// LastSuccess is when an update last found the installed revision, new or
	// unchanged.
	LastSuccess time.Time `json:"last_success_at,omitzero"`
}

// SourceStatus is what is installed of a source, and what became of it last.
type SourceStatus struct {
	Source
	State SourceState `json:"state" enum:"ok,off,failed,none"`
	// Error says in one line why the last attempt failed.
	Error string `json:"error,omitempty"`
	// AttemptedAt is when the last attempt was.
	AttemptedAt time.Time `json:"attempted_at,omitzero"`
	// Age is the time in seconds since AsOf; 0 if nothing is installed.
	Age int64 `json:"age_seconds"`
	// Switch is the flag that names the source's address; empty switches it off.
	Switch string `json:"switch"`
}

// SourceState is what became of a source when it was last to be updated.
type SourceState string

// The states of a source.
const (
	SourceOK     SourceState = "ok"
	SourceOff    SourceState = "off"    // it has no address
	SourceFailed SourceState = "failed" // what is installed of it, if anything, is older
	SourceNone   SourceState = "none"   // it was never asked
)

// Attempt is one update, good or bad.
type Attempt struct {
	At    time.Time `json:"at"`
	URL   string    `json:"url,omitempty"`   // without secrets
	Error string    `json:"error,omitempty"` // one line; empty if it was good
}

// state is the file state.json.
type state struct {
	LastAttempt *Attempt    `json:"last_attempt,omitempty"`
	LastSuccess time.Time   `json:"last_success_at,omitzero"`
	Compiled    compilation `json:"compiled,omitzero"`
	// Intelligence is what became of each of its sources.
	Intelligence map[string]sourceAttempt `json:"intelligence,omitempty"`
}

type sourceAttempt struct {
	At    time.Time   `json:"at"`
	State SourceState `json:"state"`
	Error string      `json:"error,omitempty"`
}

// Status returns what is known of the attempts also where it returns an error,
// because the installed revision cannot be read.
func (s *Store) Status(ctx context.Context) (Status, error) {
	var status Status
	last, err := s.readState()
	if err != nil {
		return status, err
	}
	status.LastAttempt, status.LastSuccess = last.LastAttempt, last.LastSuccess
	status.Sources = []SourceStatus{}
	r, err := s.Current(ctx)
	if err != nil {
		return status, err
	}
	p, err := s.readPointer()
	if err != nil {
		return status, err
	}
	status.Revision, status.InstalledAt = r.ID(), p.InstalledAt
	status.Sample, status.Records = r.Sample(), r.Records()
	known, err := s.Intelligence(ctx)
	if err != nil {
		return status, err
	}
	status.Intelligence = known.ID()
	status.Sources = append(statusOf(r.Sources(), last), statusOfIntelligence(known, last)...)
	now := time.Now()
	for i, source := range status.Sources {
		if !source.AsOf.IsZero() {
			status.Sources[i].Age = int64(now.Sub(source.AsOf).Seconds())
		}
	}
	return status, nil
}

// statusOf is that of the parts of OSV, which are brought up to date together.
func statusOf(sources []Source, last state) (all []SourceStatus) {
	for _, source := range sources {
		one := SourceStatus{Source: source, State: SourceNone, Switch: "--feed-url"}
		if a := last.LastAttempt; a != nil {
			one.State, one.AttemptedAt = SourceOK, a.At
			if a.Error != "" {
				one.State, one.Error = SourceFailed, a.Error
			}
		}
		all = append(all, one)
	}
	return all
}

// statusOfIntelligence names each of its sources, installed or not.
func statusOfIntelligence(known *Intelligence, last state) (all []SourceStatus) {
	installed := known.Sources()
	for _, s := range intelligenceSources {
		one := SourceStatus{Source: Source{Name: s.name}, State: SourceNone, Switch: "--" + s.name + "-url"}
		if i := slices.IndexFunc(installed, func(have Source) bool { return have.Name == s.name }); i >= 0 {
			one.Source, one.State = installed[i], SourceOK
		}
		if attempt, ok := last.Intelligence[s.name]; ok {
			one.State, one.Error, one.AttemptedAt = attempt.State, attempt.Error, attempt.At
		}
		all = append(all, one)
	}
	return all
}

// recordIntelligence keeps what became of the sources.
func (s *Store) recordIntelligence(results []sourceResult, now time.Time) error {
	return s.changeState(func(last *state) {
		if last.Intelligence == nil {
			last.Intelligence = make(map[string]sourceAttempt, len(results))
		}
		for _, r := range results {
			if r.stays {
				continue
			}
			attempt := sourceAttempt{At: now, State: SourceOK}
			switch {
			case r.off:
				attempt.State = SourceOff
			case r.err != nil:
				attempt.State, attempt.Error = SourceFailed, line(r.err)
			}
			last.Intelligence[r.source.name] = attempt
		}
	})
}

func (s *Store) readState() (last state, err error) {
	data, err := os.ReadFile(s.path("state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err != nil {
		return last, fmt.Errorf("feed: %w", err)
	}
	if err := json.Unmarshal(data, &last); err != nil {
		return last, fmt.Errorf("feed: %s: %w", s.path("state.json"), err)
	}
	return last, nil
}

// record keeps the attempt as the last one.
func (s *Store) record(a Attempt) error {
	return s.changeState(func(last *state) {
		last.LastAttempt = &a
		if a.Error == "" {
			last.LastSuccess = a.At
		}
	})
}

// noteSuccess keeps when another console has last found what is installed.
func (s *Store) noteSuccess(at time.Time) error {
	return s.changeState(func(last *state) {
		if at.After(last.LastSuccess) {
			last.LastSuccess = at.UTC()
		}
	})
}

// changeState rewrites state.json. One that cannot be read is replaced: it holds
// nothing that another attempt does not say better.
func (s *Store) changeState(change func(*state)) error {
	s.noting.Lock()
	defer s.noting.Unlock()
	last, _ := s.readState()
	change(&last)
	data, err := json.Marshal(last)
	if err != nil {
		return err
	}
	if err := replaceFile(s.path("state.json"), append(data, '\n')); err != nil {
		return fmt.Errorf("feed: record the attempt: %w", err)
	}
	return nil
}
