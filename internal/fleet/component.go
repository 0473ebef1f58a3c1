package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// InstalledComponent is a package at a version in an ecosystem that some node has now.
type InstalledComponent struct {
	ID        int64  `json:"id"`
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	PURL      string `json:"purl"`
	Nodes     int    `json:"nodes" doc:"How many nodes have it."`

	folded string
}

// ComponentQuery says which components a list holds: "where is log4j?"
type ComponentQuery struct {
	Name      string `query:"name" maxLength:"200" doc:"What to look for in names; upper and lower case are alike."`
	Match     string `query:"match" enum:"contains,prefix,exact" default:"contains" doc:"Where in the name."`
	Ecosystem string `query:"ecosystem" doc:"With its release, such as Debian:12 or Maven."`
	Version   string `query:"version" doc:"Exactly this version."`
}

// componentKey is the sort key of a page's last component.
type componentKey struct {
	Name      string `json:"n"` // in lower case
	Ecosystem string `json:"e"`
	ID        int64  `json:"i"`
}

// Components lists components that nodes have now, by name.
func (s *Service) Components(ctx context.Context, q ComponentQuery, p rest.Paging) (rest.Page[InstalledComponent], error) {
	var key componentKey
	if err := p.Decode(&key); err != nil {
		return rest.Page[InstalledComponent]{}, err
	}
	scope, err := s.Scope(ctx)
	if err != nil {
		return rest.Page[InstalledComponent]{}, err
	}
	args := []any{key.Name, key.Ecosystem, key.ID}
	add := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	// An index of an expression has no type, so what is compared with it may have
	// none either: lower(known.name) is known.name.
	// Names are few, so a part of one is looked for among them, in order, and the
	// components of those that have it follow. A version leads to few components at
	// once.
	from, name, ecosystem := `component_name AS known CROSS JOIN component AS c`, `known.name`, `known.ecosystem`
	where := []string{`lower(c.name) = lower(known.name)`, `c.ecosystem = known.ecosystem`}
	if q.Version != "" {
		from, name, ecosystem = `component AS c`, `lower(c.name)`, `c.ecosystem`
		where = []string{`c.version = ` + add(q.Version)}
	}
	nodes := `c.nodes`
	if scope.Column == All {
		where = append(where, `c.nodes > 0`)
	} else {
		nodes, from = `theirs.nodes`, from+` JOIN `+installedOn(add(scope.Column))+` AS theirs ON theirs.id = c.id`
	}
	where = append(where, `(`+name+`, `+ecosystem+`, c.id) > ($1, $2, CAST($3 AS BIGINT))`, name+` >= $1`)
	if wanted := fold(q.Name); wanted != "" {
		switch q.Match {
		case "exact":
			where = append(where, name+` = `+add(wanted))
		case "prefix":
			where = append(where, name+` >= `+add(wanted), name+` < `+add(db.AfterPrefix(wanted)))
		default:
			where = append(where, name+` LIKE `+add("%"+likeEscaper.Replace(wanted)+"%")+` ESCAPE '!'`)
		}
	}
	if q.Ecosystem != "" {
		where = append(where, ecosystem+` = `+add(q.Ecosystem))
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT c.id, c.ecosystem, c.name, c.version, c.purl, `+nodes+`, `+name+` FROM `+from+`
		WHERE `+strings.Join(where, " AND ")+` ORDER BY `+name+`, `+ecosystem+`, c.id LIMIT `+add(p.Limit+1), args...)
	items, err := db.All(rows, err, func(scan db.Scan) (c InstalledComponent, err error) {
		return c, scan(&c.ID, &c.Ecosystem, &c.Name, &c.Version, &c.PURL, &c.Nodes, &c.folded)
	})
	if err != nil {
		return rest.Page[InstalledComponent]{}, fmt.Errorf("list components: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(c InstalledComponent) any { return componentKey{c.folded, c.Ecosystem, c.ID} })
}

// installedOn counts on how many of the nodes that a parameter lists each component
// is: the number that is kept is that of all nodes. Nodes that are alike count
// together.
func installedOn(parameter string) string {
	return `(SELECT i.component_id AS id, CAST(sum(n.nodes) AS BIGINT) AS nodes
		FROM (SELECT inventory_id, count(*) AS nodes FROM node WHERE inventory_id IS NOT NULL
			AND id IN (SELECT value->>0 FROM json_each(` + parameter + `) AS j) GROUP BY inventory_id) AS n
		JOIN inventory_component AS i ON i.inventory_id = n.inventory_id GROUP BY i.component_id)`
}

// fold makes A to Z small, as both databases' lower does for names.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// likeEscaper makes text mean itself in LIKE.
var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// ComponentNodes lists the nodes that have a component now, in the order in which
// they were first seen.
func (s *Service) ComponentNodes(ctx context.Context, id int64, p rest.Paging) (rest.Page[NodeName], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[NodeName]{}, err
	}
	scope, err := s.Scope(ctx)
	if err != nil {
		return rest.Page[NodeName]{}, err
	}
	if scope.Column != All {
		return s.seenComponentNodes(ctx, id, scope, after, p)
	}
	var have, all int
	err = s.db.Read().QueryRowContext(ctx, `SELECT nodes, (SELECT count(*) FROM node) FROM component WHERE id = $1`, id).Scan(&have, &all)
	if errors.Is(err, sql.ErrNoRows) {
		return rest.Page[NodeName]{}, problem.NotFound("component", fmt.Sprint(id))
	}
	if err != nil {
		return rest.Page[NodeName]{}, fmt.Errorf("find component %d: %w", id, err)
	}
	// What many nodes have is soon found on the next nodes; what few have, through
	// the inventories that hold it.
	query := `SELECT n.id, n.name, n.kind FROM inventory_component AS i CROSS JOIN node AS n
		WHERE i.component_id = $1 AND n.inventory_id = i.inventory_id AND n.id > $2 ORDER BY n.id LIMIT $3`
	if have*20 > all {
		// A single value cannot be turned into a join of all who have it.
		query = `SELECT n.id, n.name, n.kind FROM node AS n
			WHERE (SELECT i.component_id FROM inventory_component AS i WHERE i.inventory_id = n.inventory_id AND i.component_id = $1) = $1
			  AND n.id > $2 ORDER BY n.id LIMIT $3`
	}
	return s.namesOf(ctx, p, query, id, after, p.Limit+1)
}

// seenComponentNodes is ComponentNodes for who sees a part. A component that none of
// theirs has is not there for them.
func (s *Service) seenComponentNodes(ctx context.Context, id int64, scope Scope, after string, p rest.Paging) (rest.Page[NodeName], error) {
	page, err := s.namesOf(ctx, p, `SELECT n.id, n.name, n.kind FROM node AS n
		WHERE n.id IN (SELECT value->>0 FROM json_each($4) AS j) AND n.id > $2
		  AND EXISTS (SELECT 1 FROM inventory_component AS i WHERE i.inventory_id = n.inventory_id AND i.component_id = $1)
		ORDER BY n.id LIMIT $3`, id, after, p.Limit+1, scope.Column)
	if err == nil && len(page.Items) == 0 && p.Cursor == "" {
		err = problem.NotFound("component", fmt.Sprint(id))
	}
	return page, err
}

// namesOf returns a page of the nodes that a query selects.
func (s *Service) namesOf(ctx context.Context, p rest.Paging, query string, args ...any) (rest.Page[NodeName], error) {
	rows, err := s.db.Read().QueryContext(ctx, query, args...)
	items, err := db.All(rows, err, func(scan db.Scan) (n NodeName, err error) { return n, scan(&n.ID, &n.Name, &n.Kind) })
	if err != nil {
		return rest.Page[NodeName]{}, fmt.Errorf("list nodes of component %v: %w", args[0], err)
	}
	return rest.NewPage(items, p.Limit, func(n NodeName) any { return n.ID })
}
