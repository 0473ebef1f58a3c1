package auth

import (
	"context"
	"fmt"
	"strings"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// Team is what some viewers and operators see: the nodes that its selector means.
// Administrators see everything, whatever team they are in.
type Team struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Selector  string    `json:"selector"`
	Users     int       `json:"users" doc:"How many are in it."`
	Tokens    int       `json:"tokens" doc:"How many are in it."`
	CreatedAt time.Time `json:"created_at"`
}

func (t Team) subject() audit.Subject { return audit.Subject{Kind: "team", ID: t.ID, Name: t.Name} }

// TeamName is how a user speaks of a team.
type TeamName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// NewTeam says what a team is.
type NewTeam struct {
	Name     string `json:"name" minLength:"1" maxLength:"200"`
	Selector string `json:"selector" minLength:"1" maxLength:"10000" doc:"CEL over node, such as node.labels.team == \"web\"."`
}

// TeamChange is an edit of a team; what is nil stays.
type TeamChange struct {
	Name     *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Selector *string `json:"selector,omitempty" minLength:"1" maxLength:"10000"`
}

// CheckSelectors has the selectors of teams checked when they are saved; the
// platform knows no expressions.
func (s *Service) CheckSelectors(check func(expression string) error) { s.checkSelector = check }

func (s *Service) checkTeam(n NewTeam) error {
	if strings.TrimSpace(n.Name) == "" {
		return problem.Invalid("name", "is empty")
	}
	if s.checkSelector == nil {
		return nil
	}
	if err := s.checkSelector(n.Selector); err != nil {
		return problem.Invalid("selector", "%v", err)
	}
	return nil
}

// CreateTeam adds a team.
func (s *Service) CreateTeam(ctx context.Context, n NewTeam) (t Team, err error) {
	if err := s.checkTeam(n); err != nil {
		return Team{}, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		id := db.NewID()
		done, err := tx.ExecContext(ctx, `INSERT INTO team (id, name, selector, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING`,
			id, n.Name, n.Selector, s.now().UnixMicro())
		if err != nil {
			return fmt.Errorf("create team %q: %w", n.Name, err)
		}
		if rows, err := done.RowsAffected(); err != nil {
			return err
		} else if rows == 0 {
			return problem.Conflict("there is a team named %q already", n.Name)
		}
		if t, err = findTeam(ctx, tx, id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "team.created", t.subject(), nil, t)
	})
	return t, err
}

// EditTeam changes a team; what its users see changes within seconds.
func (s *Service) EditTeam(ctx context.Context, id string, c TeamChange) (after Team, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := findTeam(ctx, tx, id)
		if err != nil {
			return err
		}
		n := NewTeam{before.Name, before.Selector}
		if c.Name != nil {
			n.Name = *c.Name
		}
		if c.Selector != nil {
			n.Selector = *c.Selector
		}
		if err := s.checkTeam(n); err != nil {
			return err
		}
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM team WHERE name = $1 AND id <> $2`, n.Name, id).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return problem.Conflict("there is a team named %q already", n.Name)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE team SET name = $2, selector = $3 WHERE id = $1`, id, n.Name, n.Selector); err != nil {
			return fmt.Errorf("edit team %s: %w", id, err)
		}
		tx.Wake(access.Changed)
		if after, err = findTeam(ctx, tx, id); err != nil || after == before {
			return err
		}
		return audit.Record(ctx, tx, s.now(), "team.edited", before.subject(), before, after)
	})
	return after, err
}

// DeleteTeam removes a team that no user and no token is in: they would see
// everything.
func (s *Service) DeleteTeam(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := findTeam(ctx, tx, id)
		if err != nil {
			return err
		}
		if before.Users+before.Tokens > 0 {
			return problem.Conflict("%d users and %d tokens are in this team and would see everything: give the users another and revoke the tokens first", before.Users, before.Tokens)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM team WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete team %s: %w", id, err)
		}
		return audit.Record(ctx, tx, s.now(), "team.deleted", before.subject(), before, nil)
	})
}

// Teams lists teams by name.
func (s *Service) Teams(ctx context.Context, p rest.Paging) (rest.Page[Team], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Team]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectTeams+` WHERE name > $1 ORDER BY name LIMIT $2`, after, p.Limit+1)
	items, err := db.All(rows, err, readTeam)
	if err != nil {
		return rest.Page[Team]{}, fmt.Errorf("list teams: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(t Team) any { return t.Name })
}

// Team returns one team.
func (s *Service) Team(ctx context.Context, id string) (Team, error) {
	return findTeam(ctx, s.db.Read(), id)
}

// TeamSelector returns the selector of the team of a name; db.ErrNotFound if there is
// none.
func (s *Service) TeamSelector(ctx context.Context, q db.Querier, name string) (string, error) {
	return db.One(q.QueryRowContext(ctx, `SELECT selector FROM team WHERE name = $1`, name), db.Value[string])
}

const selectTeams = `SELECT id, name, selector, (SELECT count(*) FROM account WHERE team_id = team.id),
	(SELECT count(*) FROM credential_team WHERE team_id = team.id), created_at FROM team`

func readTeam(scan db.Scan) (t Team, err error) {
	return t, scan(&t.ID, &t.Name, &t.Selector, &t.Users, &t.Tokens, db.Time{Time: &t.CreatedAt})
}

func findTeam(ctx context.Context, q db.Querier, id string) (Team, error) {
	found, err := db.One(q.QueryRowContext(ctx, selectTeams+` WHERE id = $1`, id), readTeam)
	if err == db.ErrNotFound {
		return found, problem.NotFound("team", id)
	}
	return found, err
}

// place puts a user into a team, or into none if it is "".
func place(ctx context.Context, tx *db.Tx, user, team string) error {
	if team != "" {
		if _, err := findTeam(ctx, tx, team); err != nil {
			return problem.Invalid("team", "there is no team %q", team)
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE account SET team_id = NULLIF($2, '') WHERE id = $1`, user, team)
	if err != nil {
		return fmt.Errorf("put user %s into team %s: %w", user, team, err)
	}
	return nil
}
