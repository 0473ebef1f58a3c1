package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// The states of an integration.
const (
	Untried  = "untried" // nothing was sent to it yet
	Healthy  = "healthy"
	Failing  = "failing"
	Disabled = "disabled"
)

// Integration is a destination of notifications.
type Integration struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Enabled   bool     `json:"enabled"`
	PerMinute int      `json:"per_minute" doc:"How many deliveries in a minute at most, from each console; 0 for any number."`
	Settings  Settings `json:"settings" doc:"Without secrets."`
	Secrets   []string `json:"secrets" doc:"The secret fields that are set. Their values are never shown."`
	// State says how it does; FailingBecause is what the far side said, or what kept
	// it from being asked.
	State          string    `json:"state" enum:"untried,healthy,failing,disabled"`
	FailingSince   time.Time `json:"failing_since,omitzero"`
	FailingBecause string    `json:"failing_because,omitempty"`
	ResumesAt      time.Time `json:"resumes_at,omitzero" doc:"Nothing is sent before, because it failed again and again or asked for it."`
	DeliveredAt    time.Time `json:"delivered_at,omitzero" doc:"When something last arrived."`
	Pending        int       `json:"pending" doc:"Deliveries that wait."`
	Dead           int       `json:"dead" doc:"Deliveries that were given up."`
	CreatedAt      time.Time `json:"created_at"`

	sealed  string
	version int64
}

func (i Integration) subject() audit.Subject {
	return audit.Subject{Kind: "integration", ID: i.ID, Name: i.Name}
}

// NewIntegration says what an integration is.
type NewIntegration struct {
	Name      string   `json:"name" minLength:"1" maxLength:"200"`
	Kind      string   `json:"kind" minLength:"1"`
	Settings  Settings `json:"settings" doc:"Values of the kind's fields, secrets too: GET /api/v1/integrations/kinds lists them."`
	PerMinute int      `json:"per_minute,omitempty" minimum:"0" maximum:"1000000"`
	Disabled  bool     `json:"disabled,omitempty"`
}

// IntegrationChange is an edit; what is nil stays.
type IntegrationChange struct {
	Name      *string  `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Settings  Settings `json:"settings,omitempty" doc:"Only the fields that change; an empty value takes one away."`
	PerMinute *int     `json:"per_minute,omitempty" minimum:"0" maximum:"1000000"`
	Enabled   *bool    `json:"enabled,omitempty"`
}

// KindInfo is what there is to know of a kind before one is added.
type KindInfo struct {
	Name    string  `json:"name"`
	Title   string  `json:"title"`
	Tracks  bool    `json:"tracks" doc:"It keeps one thing for what a rule tells of, which is changed and closed later."`
	Records bool    `json:"records" doc:"It keeps every notification, and every finding of each."`
	Fields  []Field `json:"fields" nullable:"false"`
}

// Kinds lists the kinds of integration, as they are registered.
func (s *Service) Kinds() []KindInfo {
	infos := make([]KindInfo, len(s.options.Kinds))
	for i, k := range s.options.Kinds {
		infos[i] = KindInfo{k.Name, k.Title, k.Tracks, k.Records, k.Fields}
	}
	return infos
}

func (s *Service) kind(name string) (Kind, error) {
	k, ok := s.kinds[name]
	if !ok {
		return k, problem.Invalid("kind", "%q is none of %s", name, strings.Join(slices.Sorted(maps.Keys(s.kinds)), ", "))
	}
	return k, nil
}

// split takes settings apart into what may be shown and what may not.
func (k Kind) split(all Settings) (plain, secret Settings) {
	plain, secret = Settings{}, Settings{}
	for _, f := range k.Fields {
		switch value := strings.TrimSpace(all[f.Name]); { // a file ends with a line's end
		case value == "":
		case f.Secret:
			secret[f.Name] = value
		default:
			plain[f.Name] = value
		}
	}
	return plain, secret
}

// sealed is what the column of secrets holds. It says whose they are: a text that is
// moved to another row opens nothing there.
type sealed struct {
	Integration string   `json:"integration"`
	Secrets     Settings `json:"secrets"`
}

func (s *Service) seal(id string, secrets Settings) (string, error) {
	if len(secrets) == 0 {
		return "", nil
	}
	text, err := json.Marshal(sealed{id, secrets})
	if err != nil {
		return "", err
	}
	return s.options.Keeper.Seal(text)
}

func (s *Service) reveal(id, column string) (Settings, error) {
	if column == "" {
		return Settings{}, nil
	}
	text, err := s.options.Keeper.Reveal(column)
	if err != nil {
		return nil, err
	}
	var holds sealed
	if err := json.Unmarshal(text, &holds); err != nil {
		return nil, fmt.Errorf("secrets of integration %s: %w", id, err)
	}
	if holds.Integration != id {
		return nil, fmt.Errorf("the secrets of integration %s are those of another: set them anew", id)
	}
	return holds.Secrets, nil
}

// whole returns the settings of an integration with its secrets, and these alone.
func (s *Service) whole(i Integration) (all, hidden Settings, err error) {
	if hidden, err = s.reveal(i.ID, i.sealed); err != nil {
		return nil, nil, err
	}
	all = maps.Clone(i.Settings)
	maps.Copy(all, hidden)
	return all, hidden, nil
}

const integrationColumns = `i.id, i.name, i.kind, i.settings, i.secrets, i.secret_names, i.enabled, i.per_minute, i.created_at, i.version,
	i.failing_since, i.failing_because, i.delivered_at, i.resumes_at,
	(SELECT count(*) FROM delivery AS d WHERE d.integration_id = i.id AND d.state = 'pending'),
	(SELECT count(*) FROM delivery AS d WHERE d.integration_id = i.id AND d.state = 'dead')`

func (s *Service) scanIntegration(scan db.Scan) (i Integration, err error) {
	var enabled int
	var resumes time.Time
	err = scan(&i.ID, &i.Name, &i.Kind, db.JSON{Into: &i.Settings}, &i.sealed, db.JSON{Into: &i.Secrets}, &enabled, &i.PerMinute, db.Time{Time: &i.CreatedAt}, &i.version,
		db.Time{Time: &i.FailingSince}, &i.FailingBecause, db.Time{Time: &i.DeliveredAt}, db.Time{Time: &resumes}, &i.Pending, &i.Dead)
	i.Enabled = enabled == 1
	if resumes.After(s.now()) {
		i.ResumesAt = resumes
	}
	switch {
	case !i.Enabled:
		i.State = Disabled
	case !i.FailingSince.IsZero():
		i.State = Failing
	case i.DeliveredAt.IsZero():
		i.State = Untried
	default:
		i.State = Healthy
	}
	return i, err
}

// Integrations lists them by name.
func (s *Service) Integrations(ctx context.Context, p rest.Paging) (rest.Page[Integration], error) {
	var last string
	if err := p.Decode(&last); err != nil {
		return rest.Page[Integration]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+integrationColumns+` FROM integration AS i WHERE i.name > $1 ORDER BY i.name LIMIT $2`, last, p.Limit+1)
	found, err := db.All(rows, err, s.scanIntegration)
	if err != nil {
		return rest.Page[Integration]{}, fmt.Errorf("list integrations: %w", err)
	}
	return rest.NewPage(found, p.Limit, func(i Integration) any { return i.Name })
}

// Integration returns one by its id.
func (s *Service) Integration(ctx context.Context, id string) (Integration, error) {
	return s.integration(ctx, s.db.Read(), id)
}

func (s *Service) integration(ctx context.Context, q db.Querier, id string) (Integration, error) {
	i, err := db.One(q.QueryRowContext(ctx, `SELECT `+integrationColumns+` FROM integration AS i WHERE i.id = $1`, id), s.scanIntegration)
	if errors.Is(err, db.ErrNotFound) {
		return i, problem.NotFound("integration", id)
	}
	return i, err
}
