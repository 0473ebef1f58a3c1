package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/secret"
)

// CreateIntegration adds an integration. Nothing is sent yet.
func (s *Service) CreateIntegration(ctx context.Context, n NewIntegration) (Integration, error) {
	s.sealing.RLock()
	defer s.sealing.RUnlock()
	if strings.TrimSpace(n.Name) == "" {
		return Integration{}, problem.Invalid("name", "is empty")
	}
	kind, err := s.kind(n.Kind)
	if err == nil {
		_, err = kind.Prepare(n.Settings, s.options.Guard)
	}
	if err != nil {
		return Integration{}, err
	}
	id := db.NewID()
	row, err := s.row(id, kind, n.Settings)
	if err != nil {
		return Integration{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO integration (id, name, kind, settings, secrets, secret_names, enabled, per_minute, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO NOTHING`,
			id, n.Name, n.Kind, row.settings, row.sealed, row.names, db.Bit(!n.Disabled), n.PerMinute, s.now().UnixMicro())
		if err != nil {
			return fmt.Errorf("create integration %q: %w", n.Name, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, problem.Conflict("there is an integration of that name already"))
		}
		return s.recordIntegration(ctx, tx, "integration.created", nil, id)
	})
	if err != nil {
		return Integration{}, err
	}
	return s.Integration(ctx, id)
}

// settingsRow are the columns of an integration's settings.
type settingsRow struct{ settings, sealed, names string }

func (s *Service) row(id string, kind Kind, all Settings) (row settingsRow, err error) {
	plain, hidden := kind.split(all)
	if row.settings, err = db.ToJSON(plain); err != nil {
		return row, err
	}
	if row.names, err = db.ToJSON(slices.Sorted(maps.Keys(hidden))); err != nil {
		return row, err
	}
	row.sealed, err = s.seal(id, hidden)
	if err != nil {
		err = fmt.Errorf("seal the secrets: %w", err)
	}
	return row, err
}

// places are fields that say where secrets are sent to.
var places = []string{"url", "api_url", "host", "port", "endpoint"}

// apply returns the settings after a change. A secret is bound to the place that it
// was given for: who names another must know it.
func (c IntegrationChange) apply(kind Kind, plain, hidden Settings) (Settings, error) {
	old := maps.Clone(plain)
	maps.Copy(old, hidden)
	all := maps.Clone(old)
	for name, value := range c.Settings {
		value = strings.TrimSpace(value)
		moved := slices.Contains(places, name) && old[name] != value
		for other := range hidden {
			if _, given := c.Settings[other]; moved && !given {
				return nil, Invalid(other, "is needed again, since %s changes", name)
			}
		}
		all[name] = value
	}
	return all, nil
}

// EditIntegration changes an integration, which is tried at once if it was failing.
func (s *Service) EditIntegration(ctx context.Context, id string, c IntegrationChange) (Integration, error) {
	s.sealing.RLock()
	defer s.sealing.RUnlock()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		old, err := s.integration(ctx, tx, id)
		if err != nil {
			return err
		}
		name, perMinute, enabled := old.Name, old.PerMinute, old.Enabled
		if c.PerMinute != nil {
			perMinute = *c.PerMinute
		}
		if c.Name != nil {
			name = *c.Name
		}
		if c.Enabled != nil {
			enabled = *c.Enabled
		}
		if strings.TrimSpace(name) == "" {
			return problem.Invalid("name", "is empty")
		}
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM integration WHERE name = $1 AND id <> $2`, name, id).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return problem.Conflict("there is an integration of that name already")
		}
		row, err := s.changed(old, c)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE integration SET name = $2, enabled = $3, per_minute = $4, settings = $5, secrets = $6, secret_names = $7,
			version = version + 1, resumes_at = 0, failures = 0 WHERE id = $1`, id, name, db.Bit(enabled), perMinute, row.settings, row.sealed, row.names)
		if err != nil {
			return fmt.Errorf("edit integration %s: %w", id, err)
		}
		if !enabled {
			if err := s.tellRemoved(ctx, tx, id); err != nil {
				return err
			}
		}
		tx.Wake(deliveryTopic)
		return s.recordIntegration(ctx, tx, "integration.edited", old, id)
	})
	if err != nil {
		return Integration{}, err
	}
	return s.Integration(ctx, id)
}

// changed returns the columns of settings after a change.
func (s *Service) changed(old Integration, c IntegrationChange) (settingsRow, error) {
	kind, err := s.kind(old.Kind)
	if err != nil {
		return settingsRow{}, err
	}
	if len(c.Settings) == 0 {
		settings, err := db.ToJSON(old.Settings)
		if err != nil {
			return settingsRow{}, err
		}
		names, err := db.ToJSON(old.Secrets)
		return settingsRow{settings, old.sealed, names}, err
	}
	hidden, err := s.reveal(old.ID, old.sealed)
	if err != nil {
		for _, name := range old.Secrets {
			if _, given := c.Settings[name]; !given {
				return settingsRow{}, Invalid(name, "is needed again: %v", err)
			}
		}
	}
	all, err := c.apply(kind, old.Settings, hidden)
	if err != nil {
		return settingsRow{}, err
	}
	if _, err := kind.Prepare(all, s.options.Guard); err != nil {
		return settingsRow{}, err
	}
	return s.row(old.ID, kind, all)
}

// DeleteIntegration removes an integration, what waits for it, and its log.
func (s *Service) DeleteIntegration(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		old, err := s.integration(ctx, tx, id)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `SELECT r.name FROM rule AS r WHERE EXISTS (SELECT 1 FROM json_each(r.integrations) AS j WHERE value->>0 = $1) ORDER BY r.name`, id)
		names, err := db.All(rows, err, db.Value[string])
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return problem.Conflict("rules tell it: %s; take it out of them first", strings.Join(names, ", "))
		}
		if err := s.tellRemoved(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM integration WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete integration %s: %w", id, err)
		}
		return audit.Record(ctx, tx, s.now(), "integration.deleted", old.subject(), old, nil)
	})
}

// tellRemoved ends what was told of an integration that could not deliver and is asked
// to no more.
func (s *Service) tellRemoved(ctx context.Context, tx *db.Tx, id string) error {
	var name string
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(max(name), '') FROM integration WHERE id = $1 AND told_failing = 1`, id).Scan(&name)
	if err != nil || name == "" {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE integration SET told_failing = 0 WHERE id = $1`, id); err != nil {
		return err
	}
	return event.Append(ctx, tx, s.now(), integrationRemoved, id, map[string]string{"name": name})
}

func (s *Service) recordIntegration(ctx context.Context, tx *db.Tx, action string, before any, id string) error {
	is, err := s.integration(ctx, tx, id)
	if err != nil {
		return err
	}
	return audit.Record(ctx, tx, s.now(), action, is.subject(), before, is)
}

// Trial is what came of a test.
type Trial struct {
	OK       bool   `json:"ok"`
	Error    string `json:"error,omitempty" doc:"What the far side said, or what kept it from being asked."`
	Request  string `json:"request" doc:"What was sent, without secrets."`
	Response string `json:"response"`
	Took     int64  `json:"took_ms"`
}

// Test sends a notification that says it is a test, and returns what the far side
// said. It is no delivery and changes no state.
func (s *Service) Test(ctx context.Context, id string) (Trial, error) {
	i, err := s.Integration(ctx, id)
	if err != nil {
		return Trial{}, err
	}
	all, _, err := s.whole(i)
	if err != nil {
		return Trial{}, problem.Conflict("%v", err)
	}
	return s.TestSettings(ctx, NewIntegration{Name: i.Name, Kind: i.Kind, Settings: all})
}

// TestSettings does so by settings that are not saved.
func (s *Service) TestSettings(ctx context.Context, n NewIntegration) (Trial, error) {
	kind, err := s.kind(n.Kind)
	if err != nil {
		return Trial{}, err
	}
	sender, err := kind.Prepare(n.Settings, s.options.Guard)
	if err != nil {
		return Trial{}, err
	}
	_, hidden := kind.split(n.Settings)
	o := s.try(ctx, s.patienceOf(n.Kind), sender, s.example(s.now()), slices.Collect(maps.Values(hidden)))
	return Trial{OK: o.err == nil, Error: o.because, Request: o.request, Response: o.response, Took: o.took.Milliseconds()}, nil
}

// example is what a test sends.
func (s *Service) example(now time.Time) Notification {
	id := db.NewID()
	return Notification{
		ID: id, Key: "test/" + id, Action: Told, Type: "test", Severity: "info", Title: "Test of Patrol", URL: s.publicURL, Time: now,
		Text: "If you can read this, notifications arrive here. There is nothing to do.", Facts: []Fact{{"Sent", now.UTC().Format(time.RFC3339)}}, Findings: []Finding{},
	}
}

// RotateKey seals all secrets by a new key, and drops the old one. Where the keys are
// given by the configuration, the new one is the first there.
func (s *Service) RotateKey(ctx context.Context) (sealed int, err error) {
	// What was sealed by the old key is stored before, or is sealed after.
	s.sealing.Lock()
	defer s.sealing.Unlock()
	keeper := s.options.Keeper
	err = keeper.Rotate()
	given := errors.Is(err, secret.ErrGiven)
	if err != nil && !given {
		return 0, err
	}
	// From here on everything can be read whatever happens: old keys stay until none
	// of the rows needs them.
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if sealed, err = s.sealAnew(ctx, tx); err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "secrets.rotated", audit.Subject{Kind: "secrets"}, nil, map[string]int{"sealed": sealed})
	})
	if err != nil || given {
		return sealed, err
	}
	return sealed, keeper.Forget()
}

// sealAnew seals what an old key sealed by the new one.
func (s *Service) sealAnew(ctx context.Context, tx *db.Tx) (n int, err error) {
	all, err := sealedRows(ctx, tx)
	if err != nil {
		return 0, err
	}
	for _, r := range all {
		if !s.options.Keeper.Stale(r.sealed) {
			continue
		}
		plain, err := s.options.Keeper.Reveal(r.sealed)
		if err != nil {
			return n, problem.Conflict("integration %s: %v", r.id, err)
		}
		again, err := s.options.Keeper.Seal(plain)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE integration SET secrets = $2 WHERE id = $1`, r.id, again)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
