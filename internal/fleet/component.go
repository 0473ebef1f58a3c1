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

	key componentKey
}

// ComponentQuery says which components a list holds: "where is log4j?"
type ComponentQuery struct {
	Name      string `query:"name" maxLength:"200" doc:"What to look for in names; upper and lower case are alike."`
	Match     string `query:"match" enum:"contains,prefix,exact" default:"contains" doc:"Where in the name."`
	Ecosystem string `query:"ecosystem" doc:"With its release, such as Debian:12 or Maven."`
	Version   string `query:"version" doc:"Exactly this version, of components whose names are asked for."`
}

// componentKey is the sort key of a page's last component.
type componentKey struct {
	Folded        string `json:"f"` // the name in lower case
	Ecosystem     string `json:"e"`
	Name          string `json:"n"`
	Version       string `json:"v"`
	SourceName    string `json:"s"`
	SourceVersion string `json:"t"`
}

// Components lists components that nodes have now, by name.
func (s *Service) Components(ctx context.Context, q ComponentQuery, p rest.Paging) (rest.Page[InstalledComponent], error) {
	var key componentKey
	if err := p.Decode(&key); err != nil {
		return rest.Page[InstalledComponent]{}, err
	}
	if q.Version != "" && q.Name == "" {
		return rest.Page[InstalledComponent]{}, problem.Invalid("name", "is empty: say of which component version %s is meant, or a part of its name", q.Version)
	}
	scope, err := s.Scope(ctx)
	if err != nil {
		return rest.Page[InstalledComponent]{}, err
	}
	query, args := q.statement(scope, key, p.Limit+1)
	rows, err := s.db.Read().QueryContext(ctx, query, args...)
	items, err := db.All(rows, err, func(scan db.Scan) (c InstalledComponent, err error) {
		err = scan(&c.ID, &c.Ecosystem, &c.Name, &c.Version, &c.PURL, &c.Nodes, &c.key.Folded, &c.key.SourceName, &c.key.SourceVersion)
		c.key.Ecosystem, c.key.Name, c.key.Version = c.Ecosystem, c.Name, c.Version
		return c, err
	})
	if err != nil {
		return rest.Page[InstalledComponent]{}, fmt.Errorf("list components: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(c InstalledComponent) any { return c.key })
}

// statement is the list after a component. Names are few, so a part of one is
// looked for among them, in order, and the components of those that have it follow.
func (q ComponentQuery) statement(scope Scope, after componentKey, limit int) (query string, args []any) {
	args = []any{after.Folded, after.Ecosystem, after.Name, after.Version, after.SourceName, after.SourceVersion}
	add := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	where := []string{
		`c.ecosystem = known.ecosystem`, `c.name = known.name`,
		`(known.folded, known.ecosystem, known.name) >= ($1, $2, $3)`,
		`(known.folded, known.ecosystem, known.name, c.version, c.source_name, c.source_version) > ($1, $2, $3, $4, $5, $6)`,
	}
	from, nodes := `component_name AS known CROSS JOIN component AS c`, `c.nodes`
	if scope.Column == All {
		where = append(where, `c.nodes > 0`)
	} else {
		nodes, from = `theirs.nodes`, from+` JOIN `+installedOn(add(scope.Column))+` AS theirs ON theirs.id = c.id`
	}
	if wanted := fold(q.Name); wanted != "" {
		switch q.Match {
		case "exact":
			where = append(where, `known.folded = `+add(wanted))
		case "prefix":
			where = append(where, `known.folded >= `+add(wanted), `known.folded < `+add(db.AfterPrefix(wanted)))
		default:
			where = append(where, `known.folded LIKE `+add("%"+likeEscaper.Replace(wanted)+"%")+` ESCAPE '!'`)
		}
	}
	if q.Ecosystem != "" {
		where = append(where, `known.ecosystem = `+add(q.Ecosystem))
	}
	if q.Version != "" {
		where = append(where, `c.version = `+add(q.Version))
	}
	return `SELECT c.id, c.ecosystem, c.name, c.version, c.purl, ` + nodes + `, known.folded, c.source_name, c.source_version
		FROM ` + from + ` WHERE ` + strings.Join(where, " AND ") + `
		ORDER BY known.folded, known.ecosystem, known.name, c.version, c.source_name, c.source_version LIMIT ` + add(limit), args
}

// installedOn counts on how many of the nodes that a parameter lists each component
// is: the number that is kept is that of all nodes. Nodes that are alike count
// together.
func installedOn(parameter string) string {
	return `(SELECT i.component_id AS id, CAST(sum(n.nodes) AS BIGINT) AS nodes
		FROM (SELECT inventory_id, count(*) AS nodes FROM node WHERE inventory_id IS NOT NULL
			AND id ` + db.Among(parameter) + ` GROUP BY inventory_id) AS n
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
	var isCommon int
	err = s.db.Read().QueryRowContext(ctx, `SELECT common FROM component WHERE id = $1`, id).Scan(&isCommon)
	if errors.Is(err, sql.ErrNoRows) {
		return rest.Page[NodeName]{}, problem.NotFound("component", fmt.Sprint(id))
	}
	if err != nil {
		return rest.Page[NodeName]{}, fmt.Errorf("find component %d: %w", id, err)
	}
	query := `SELECT n.id, n.name, n.kind FROM component_inventory AS i CROSS JOIN node AS n
		WHERE i.component_id = $1 AND n.inventory_id = i.inventory_id AND n.id > $2 ORDER BY n.id LIMIT $3`
	if isCommon == 1 {
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
		WHERE n.id `+db.Among(`$4`)+` AND n.id > $2
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
