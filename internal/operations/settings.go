package operations

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
)

// Settings are what an administrator decides for all consoles on a database.
type Settings struct {
	Retention Retention `json:"retention"`
}

// Retention is for how many days something is kept; 0 is for ever.
type Retention struct {
	Events int `json:"events_days" minimum:"0" maximum:"36500" doc:"Events: a reader that was away for longer has to begin anew. 0 keeps them for ever."`
}

// defaults hold until somebody sets something else.
var defaults = Settings{Retention: Retention{Events: 90}}

const day = 24 * time.Hour

// retention is the name of its row.
const retention = "retention"

// Settings returns what is set.
func (s *Service) Settings(ctx context.Context) (Settings, error) {
	return find(ctx, s.db.Read())
}

func find(ctx context.Context, q db.Querier) (Settings, error) {
	settings := defaults
	row := q.QueryRowContext(ctx, `SELECT value FROM setting WHERE name = $1`, retention)
	_, err := db.One(row, func(scan db.Scan) (struct{}, error) { return struct{}{}, scan(db.JSON{Into: &settings.Retention}) })
	if err != nil && err != db.ErrNotFound {
		return settings, fmt.Errorf("read the settings: %w", err)
	}
	return settings, nil
}

// Set replaces the settings.
func (s *Service) Set(ctx context.Context, settings Settings) (Settings, error) {
	value, err := db.ToJSON(settings.Retention)
	if err != nil {
		return settings, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := find(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, retention, value)
		if err != nil {
			return fmt.Errorf("write the settings: %w", err)
		}
		if err := audit.Record(ctx, tx, s.now(), "settings.changed", audit.Subject{Kind: "settings"}, before, settings); err != nil {
			return err
		}
		return event.Append(ctx, tx, s.now(), "settings.changed", retention, settings)
	})
	return settings, err
}

// KeepEvents returns for how long events are kept; 0 is for ever.
func (s *Service) KeepEvents(ctx context.Context) (time.Duration, error) {
	settings, err := s.Settings(ctx)
	return time.Duration(settings.Retention.Events) * day, err
}
