package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Status is what is installed, and how the last update went.
type Status struct {
	Revision    string    `json:"revision"`
	InstalledAt time.Time `json:"installed_at"`
	// Sample says that no feed was ever installed: its sources' AsOf tell how
	// old the built-in sample is.
	Sample  bool     `json:"sample"`
	Records int      `json:"records"`
	Sources []Source `json:"sources"`
	// LastAttempt is nil before the first update.
	LastAttempt *Attempt `json:"last_attempt,omitempty"`
	// LastSuccess is when an update last found the installed revision, new or
	// unchanged.
	LastSuccess time.Time `json:"last_success_at,omitzero"`
}

// Attempt is one update, good or bad.
type Attempt struct {
	At    time.Time `json:"at"`
	URL   string    `json:"url,omitempty"`   // without secrets
	Error string    `json:"error,omitempty"` // one line; empty if it was good
}

// state is the file state.json.
type state struct {
	LastAttempt *Attempt  `json:"last_attempt,omitempty"`
	LastSuccess time.Time `json:"last_success_at,omitzero"`
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
	status.Sources = []Source{}
	r, err := s.Current(ctx)
	if err != nil {
		return status, err
	}
	p, err := s.readPointer()
	if err != nil {
		return status, err
	}
	status.Revision, status.InstalledAt = r.ID(), p.InstalledAt
	status.Sample, status.Records, status.Sources = r.Sample(), r.Records(), r.Sources()
	return status, nil
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

// record keeps the attempt as the last one. A state that cannot be read is
// replaced: it holds nothing that another attempt does not say better.
func (s *Store) record(a Attempt) error {
	last, _ := s.readState()
	last.LastAttempt = &a
	if a.Error == "" {
		last.LastSuccess = a.At
	}
	data, err := json.Marshal(last)
	if err != nil {
		return err
	}
	if err := replaceFile(s.path("state.json"), append(data, '\n')); err != nil {
		return fmt.Errorf("feed: record the attempt: %w", err)
	}
	return nil
}
