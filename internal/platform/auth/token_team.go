package auth

import (
	"context"
	"fmt"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// joinTeams puts a token that is made into the teams that were named. Without any it
// is in that of the user who makes it: what confines a person confines what they
// leave behind, unless it is an administrator's, whom nothing does.
func joinTeams(ctx context.Context, tx *db.Tx, token string, n NewToken) error {
	teams := n.Teams
	if maker := access.From(ctx); len(teams) == 0 && maker.Kind == "user" && n.Kind != Enrolment && n.Role != access.Admin {
		rows, err := tx.QueryContext(ctx, `SELECT team_id FROM account WHERE id = $1 AND team_id IS NOT NULL`, maker.ID)
		if teams, err = db.All(rows, err, db.Value[string]); err != nil {
			return fmt.Errorf("find the team of user %s: %w", maker.ID, err)
		}
	}
	for _, team := range teams {
		if _, err := findTeam(ctx, tx, team); err != nil {
			return problem.Invalid("teams", "there is no team %q", team)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO credential_team (credential_id, team_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, token, team)
		if err != nil {
			return fmt.Errorf("put token %s into team %s: %w", token, team, err)
		}
	}
	return nil
}

// teamsOf returns the teams of tokens by the ids of these.
func teamsOf(ctx context.Context, q db.Querier, tokens []Token) (map[string][]TeamName, error) {
	ids := make([]string, len(tokens))
	for i, t := range tokens {
		ids[i] = t.ID
	}
	list, err := db.Column(ids)
	if err != nil {
		return nil, err
	}
	rows, err := q.QueryContext(ctx, `SELECT m.credential_id, t.id, t.name FROM credential_team AS m JOIN team AS t ON t.id = m.team_id
		WHERE m.credential_id `+db.Among(`$1`)+` ORDER BY t.name`, list)
	if err != nil {
		return nil, fmt.Errorf("read the teams of tokens: %w", err)
	}
	teams := make(map[string][]TeamName)
	return teams, db.Each(rows, func(scan db.Scan) error {
		var token string
		var team TeamName
		err := scan(&token, &team.ID, &team.Name)
		teams[token] = append(teams[token], team)
		return err
	})
}
