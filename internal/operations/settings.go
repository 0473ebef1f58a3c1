package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
)

// Settings are what an administrator decides for all consoles on a database.
type Settings struct {
	Retention Retention `json:"retention"`
	Decisions Decisions `json:"decisions"`
	// Due are the dates by which occurrences are to be resolved; they stay as they are
	// if they are left out.
	Due       *finding.Due `json:"due,omitempty" required:"false"`
	Automatic Automatic    `json:"automatic" required:"false"`
}

// Retention is for how many days something is kept; 0 is for ever.
type Retention struct {
	Events      int `json:"events_days" minimum:"0" maximum:"36500" doc:"Events: a reader that was away for longer has to begin anew. 0 keeps them for ever. Notifications and their deliveries are kept as long."`
	Occurrences int `json:"occurrences_days" minimum:"0" maximum:"36500" doc:"Occurrences, from when they were resolved. 0 keeps them for ever."`
	Scans       int `json:"scans_days" minimum:"0" maximum:"36500" doc:"Scans that have ended, but for the last of each node and its last complete one, with the runs and re-matches of that time and the SBOMs and results that none needs any more. 0 keeps them for ever."`
	Audit       int `json:"audit_days" minimum:"0" maximum:"36500" doc:"The audit log. 0 keeps it for ever."`
}

// Decisions are the settings of decisions.
type Decisions struct {
	Warn int `json:"warn_days" minimum:"0" maximum:"365" doc:"How many days before a decision expires an event tells of it. 0 tells nothing before."`
}

// Automatic names the kinds of node that are scanned without being asked for. A list
// that is left out stays as it is.
type Automatic struct {
	OnArrival []string `json:"on_arrival" required:"false" nullable:"false" enum:"host,container,image" uniqueItems:"true" doc:"Kinds of node that are scanned when they are first seen, or come back from retirement."`
	OnChange  []string `json:"on_change" required:"false" nullable:"false" enum:"host,container" uniqueItems:"true" doc:"Kinds of node that are scanned when their package databases change."`
}

// defaults hold until somebody sets something else. The audit log answers for what
// was done in the year before.
var defaults = Settings{Retention{Events: 90, Occurrences: 365, Scans: 90, Audit: 730}, Decisions{Warn: 7}, nil, everywhere}

// everywhere is where software runs. An image that a host only keeps costs much to
// read, and what runs of it is a container.
var everywhere = Automatic{OnArrival: []string{"host", "container"}, OnChange: []string{"host", "container"}}

// clone has arrays of its own: what is set is read into them.
func (a Automatic) clone() Automatic {
	return Automatic{OnArrival: slices.Clone(a.OnArrival), OnChange: slices.Clone(a.OnChange)}
}

const day = 24 * time.Hour

// The names of their rows.
const (
	retention = "retention"
	decisions = "decisions"
	due       = "due"
	automatic = "automatic"
)

// rows are where each part of the settings is kept.
func (s *Settings) rows() map[string]any {
	return map[string]any{retention: &s.Retention, decisions: &s.Decisions, due: &s.Due, automatic: &s.Automatic}
}

// Settings returns what is set.
func (s *Service) Settings(ctx context.Context) (Settings, error) { return read(ctx, s.db.Read()) }

func read(ctx context.Context, q db.Querier) (Settings, error) {
	settings := defaults
	settings.Automatic = everywhere.clone()
	days := finding.DefaultDue
	settings.Due = &days
	for name, part := range settings.rows() {
		if err := readPart(ctx, q, name, part); err != nil {
			return settings, err
		}
	}
	return settings, nil
}

// readPart leaves the part as it is where nothing was set.
func readPart(ctx context.Context, q db.Querier, name string, part any) error {
	row := q.QueryRowContext(ctx, `SELECT value FROM setting WHERE name = $1`, name)
	_, err := db.One(row, func(scan db.Scan) (struct{}, error) { return struct{}{}, scan(db.JSON{Into: part}) })
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return fmt.Errorf("read the settings: %w", err)
	}
	return nil
}

// ReadAutomatic returns which kinds of node are scanned without being asked for.
func ReadAutomatic(ctx context.Context, q db.Querier) (Automatic, error) {
	a := everywhere.clone()
	return a, readPart(ctx, q, automatic, &a)
}

// Set replaces the settings.
func (s *Service) Set(ctx context.Context, settings Settings) (Settings, error) {
	asked := settings
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := read(ctx, tx)
		if err != nil {
			return err
		}
		settings = asked
		if settings.Due == nil {
			settings.Due = before.Due
		}
		if settings.Automatic.OnArrival == nil {
			settings.Automatic.OnArrival = before.Automatic.OnArrival
		}
		if settings.Automatic.OnChange == nil {
			settings.Automatic.OnChange = before.Automatic.OnChange
		}
		for name, part := range settings.rows() {
			value, err := db.ToJSON(part)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
			if err != nil {
				return fmt.Errorf("write the settings: %w", err)
			}
		}
		err = audit.Record(ctx, tx, s.now(), "settings.changed", audit.Subject{Kind: "settings"}, before, settings)
		if err != nil {
			return err
		}
		return event.Append(ctx, tx, s.now(), "settings.changed", retention, settings)
	})
	return settings, err
}

// WarnOfDecisions returns how long before its end a decision is warned of; 0 is
// never.
func (s *Service) WarnOfDecisions(ctx context.Context) (time.Duration, error) {
	settings, err := s.Settings(ctx)
	return time.Duration(settings.Decisions.Warn) * day, err
}

// Due returns within how many days occurrences are to be resolved.
func (s *Service) Due(ctx context.Context) (finding.Due, error) {
	settings, err := s.Settings(ctx)
	return *settings.Due, err
}

// KeepEvents returns for how long events are kept; 0 is for ever.
func (s *Service) KeepEvents(ctx context.Context) (time.Duration, error) {
	settings, err := s.Settings(ctx)
	return time.Duration(settings.Retention.Events) * day, err
}
