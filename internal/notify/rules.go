package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

const ruleColumns = `r.id, r.definition, r.enabled, r.created_at, r.digest_at, r.error, r.error_at`

func scanRule(scan db.Scan) (r Rule, err error) {
	var enabled int
	err = scan(&r.ID, &r.definition, &enabled, db.Time{Time: &r.CreatedAt}, db.Time{Time: &r.DigestAt}, &r.Error, db.Time{Time: &r.ErrorAt})
	if err == nil {
		err = json.Unmarshal([]byte(r.definition), &r.RuleDefinition)
	}
	r.Enabled = enabled == 1
	r.RuleDefinition = r.complete()
	return r, err
}

// Rules lists the rules by name.
func (s *Service) Rules(ctx context.Context, p rest.Paging) (rest.Page[Rule], error) {
	var last string
	if err := p.Decode(&last); err != nil {
		return rest.Page[Rule]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT `+ruleColumns+` FROM rule AS r WHERE r.name > $1 ORDER BY r.name LIMIT $2`, last, p.Limit+1)
	rules, err := db.All(rows, err, scanRule)
	if err != nil {
		return rest.Page[Rule]{}, fmt.Errorf("list rules: %w", err)
	}
	return rest.NewPage(rules, p.Limit, func(r Rule) any { return r.Name })
}

// Rule returns a rule by its id.
func (s *Service) Rule(ctx context.Context, id string) (Rule, error) {
	return rule(ctx, s.db.Read(), id)
}

func rule(ctx context.Context, q db.Querier, id string) (Rule, error) {
	r, err := db.One(q.QueryRowContext(ctx, `SELECT `+ruleColumns+` FROM rule AS r WHERE r.id = $1`, id), scanRule)
	if errors.Is(err, db.ErrNotFound) {
		return r, problem.NotFound("rule", id)
	}
	return r, err
}

// CreateRule adds a rule, which tells of what happens from now on.
func (s *Service) CreateRule(ctx context.Context, d RuleDefinition) (Rule, error) {
	id := db.NewID()
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		c, err := s.checkRule(ctx, tx, d)
		if err != nil {
			return err
		}
		text, integrations, err := c.columns()
		if err != nil {
			return err
		}
		now := s.now()
		result, err := tx.ExecContext(ctx, `INSERT INTO rule (id, name, definition, integrations, enabled, created_at, seen, digest_at)
			SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), `+newest+`, CAST($7 AS BIGINT)
			WHERE TRUE ON CONFLICT (name) DO NOTHING`, id, c.Name, text, integrations, db.Bit(c.Enabled), now.UnixMicro(), db.Micros(c.nextDigest(now)))
		if err != nil {
			return fmt.Errorf("create rule %q: %w", c.Name, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, problem.Conflict("there is a rule named %q already", c.Name))
		}
		return s.recordRule(ctx, tx, "rule.created", nil, id)
	})
	return s.savedRule(ctx, id, err)
}

// columns are those of a definition.
func (c *checked) columns() (definition, integrations string, err error) {
	if definition, err = db.ToJSON(c.RuleDefinition); err != nil {
		return "", "", err
	}
	integrations, err = db.Column(c.Integrations)
	return definition, integrations, err
}

// newest is the number of the newest event.
const newest = `COALESCE((SELECT max(id) FROM event), (SELECT swept FROM event_sweep))`

// nextDigest is when the next one is due; zero for rules without.
func (c *checked) nextDigest(now time.Time) time.Time {
	if c.digest == nil || !c.Enabled {
		return time.Time{}
	}
	return c.digest.Next(now)
}

// checkRule checks a definition, and that what it names is there.
func (s *Service) checkRule(ctx context.Context, q db.Querier, d RuleDefinition) (checked, error) {
	c, err := d.complete().check()
	if err != nil {
		return c, err
	}
	for i, id := range c.Integrations {
		var there int
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM integration WHERE id = $1`, id).Scan(&there); err != nil {
			return c, err
		}
		if there == 0 {
			return c, problem.Invalid(fmt.Sprintf("integrations[%d]", i), "there is no integration %q", id)
		}
	}
	if c.Team != "" {
		_, err := s.options.Team(ctx, q, c.Team)
		if errors.Is(err, db.ErrNotFound) {
			return c, problem.Invalid("team", "there is no team named %q", c.Team)
		}
		return c, err
	}
	return c, nil
}

// EditRule replaces what a rule says. One that is enabled again does not tell of what
// happened meanwhile.
func (s *Service) EditRule(ctx context.Context, id string, d RuleDefinition) (Rule, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		old, err := rule(ctx, tx, id)
		if err != nil {
			return err
		}
		c, err := s.checkRule(ctx, tx, d)
		if err != nil {
			return err
		}
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM rule WHERE name = $1 AND id <> $2`, c.Name, id).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return problem.Conflict("there is a rule named %q already", c.Name)
		}
		text, integrations, err := c.columns()
		if err != nil {
			return err
		}
		digest := old.DigestAt
		if old.Digest != c.Digest || old.TimeZone != c.TimeZone || old.Enabled != c.Enabled {
			digest = c.nextDigest(s.now())
		}
		if old.Digest != "" && c.Digest == "" && c.Enabled {
			digest = s.now() // the last one tells what was gathered
		}
		_, err = tx.ExecContext(ctx, `UPDATE rule SET name = $2, definition = $3, integrations = $4, enabled = $5, digest_at = $6, error = '', error_at = NULL,
			seen = CASE WHEN CAST($7 AS BIGINT) = 1 THEN `+newest+` ELSE seen END WHERE id = $1`,
			id, c.Name, text, integrations, db.Bit(c.Enabled), db.Micros(digest), db.Bit(c.Enabled && !old.Enabled))
		if err != nil {
			return fmt.Errorf("edit rule %s: %w", id, err)
		}
		if c.Enabled != old.Enabled || c.GroupBy != old.GroupBy {
			// What was told under the old keys, or ended while nobody looked, is not known
			// any more: it begins anew.
			if _, err := tx.ExecContext(ctx, `DELETE FROM raised WHERE rule_id = $1`, id); err != nil {
				return err
			}
		}
		return s.recordRule(ctx, tx, "rule.edited", old, id)
	})
	return s.savedRule(ctx, id, err)
}

// savedRule returns a rule that was just saved, and says what is odd about it.
func (s *Service) savedRule(ctx context.Context, id string, err error) (Rule, error) {
	if err != nil {
		return Rule{}, err
	}
	s.signals.Wake(event.Topic)
	r, err := s.Rule(ctx, id)
	if err != nil {
		return r, err
	}
	r.Warning, err = s.odd(ctx, r)
	return r, err
}

// odd says what is odd about a rule.
func (s *Service) odd(ctx context.Context, r Rule) (string, error) {
	if r.Enabled && len(r.Integrations) == 0 {
		return "it names no integration, so it tells nobody", nil
	}
	c, err := r.check()
	if err != nil {
		return "", err
	}
	if c.condition.AsksFindings() && !c.readsFindings() {
		return "its condition asks about findings, of which its types have none: name a type such as occurrence.opened, or ask about event and node", nil
	}
	if r.GroupBy != ByVulnerability || !slices.ContainsFunc(r.Types, func(t string) bool { return matches(t, OccurrenceOpened) }) {
		return "", nil
	}
	for _, id := range r.Integrations {
		i, err := s.Integration(ctx, id)
		if err != nil {
			return "", err
		}
		if kind := s.kinds[i.Kind]; kind.Records {
			return fmt.Sprintf("%s keeps every finding, but of a vulnerability it is told of the worst 200, and of the end once none is left: for all of them group by scan, with resolved", i.Name), nil
		}
	}
	return "", nil
}

// DeleteRule removes a rule. What it had to deliver is delivered still; what it opened
// elsewhere stays open there.
func (s *Service) DeleteRule(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		old, err := rule(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM rule WHERE id = $1`, id); err != nil {
			return fmt.Errorf("delete rule %s: %w", id, err)
		}
		return audit.Record(ctx, tx, s.now(), "rule.deleted", old.subject(), old, nil)
	})
}

func (s *Service) recordRule(ctx context.Context, tx *db.Tx, action string, before any, id string) error {
	is, err := rule(ctx, tx, id)
	if err != nil {
		return err
	}
	return audit.Record(ctx, tx, s.now(), action, is.subject(), before, is)
}
