package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
)

// Query says which nodes a list holds; empty fields hold for all.
type Query struct {
	Kind     string   `query:"kind" enum:"host,container,image,cluster"`
	State    string   `query:"state" enum:"active,inactive,retired,all" doc:"Without it, all but the retired."`
	Labels   []string `query:"label,explode" maxItems:"10" doc:"A label such as env=production; of several, all."`
	Name     string   `query:"q" maxLength:"200" doc:"What the name begins with."`
	Severity string   `query:"severity" enum:"malicious,critical,high,medium,low,unknown" doc:"Has an open occurrence of this severity."`
	LastScan string   `query:"last_scan" enum:"never,failed,ok" doc:"never: what is installed on it was never collected. failed and ok: how the last one that ended did."`
	// ScannedBefore is for finding what was forgotten, so it means those too that
	// were never scanned.
	ScannedBefore time.Time `query:"scanned_before" doc:"Has no complete scan since this moment."`
}

// List returns nodes in the order in which they were first seen.
func (s *Service) List(ctx context.Context, q Query, p rest.Paging) (rest.Page[Node], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[Node]{}, err
	}
	scope, err := s.Scope(ctx)
	if err != nil {
		return rest.Page[Node]{}, err
	}
	chosen, err := s.choose(q, scope, after)
	if err != nil {
		return rest.Page[Node]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectNodes+` WHERE n.id IN (SELECT id FROM (`+chosen.query(p.Limit+1)+`) AS chosen) ORDER BY n.id`, chosen.args...)
	items, err := db.All(rows, err, s.readNode)
	if err != nil {
		return rest.Page[Node]{}, fmt.Errorf("list nodes: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(n Node) any { return n.ID })
}

// choice is a selection of ids of nodes, in their order, that begins with what is
// likely to leave the fewest and reads no row of what lists show.
type choice struct {
	from, where []string
	args        []any
}

func (c *choice) add(value any) string {
	c.args = append(c.args, value)
	return fmt.Sprintf("$%d", len(c.args))
}

// id is the column by which tables so far are one row a node; it names the first.
func (c *choice) id() string {
	alias := c.from[0][strings.LastIndexByte(c.from[0], ' ')+1:]
	if alias == "n" {
		return "n.id"
	}
	return alias + ".node_id"
}

// join adds a table that has a row for each node that is meant.
func (c *choice) join(table, alias string) {
	c.from = append(c.from, table+" AS "+alias)
	if len(c.from) > 1 {
		column := alias + ".node_id"
		if alias == "n" {
			column = "n.id"
		}
		c.where = append(c.where, column+" = "+c.id())
	}
}

// query joins the tables in their order: CROSS JOIN keeps SQLite to it.
func (c *choice) query(limit int) string {
	return `SELECT ` + c.id() + ` AS id FROM ` + strings.Join(c.from, " CROSS JOIN ") +
		` WHERE ` + strings.Join(c.where, " AND ") + ` ORDER BY ` + c.id() + ` LIMIT ` + c.add(limit)
}

// isAlive is when a node was last seen, if it can be: an upload is always there, a
// container is for as long as its host is, and one that ended never.
const isAlive = `CASE WHEN n.present = 0 THEN 0 WHEN n.uploaded = 1 THEN 9223372036854775807
	WHEN n.host_id IS NULL THEN n.last_seen ELSE (SELECT host.last_seen FROM node AS host WHERE host.id = n.host_id) END`

func (s *Service) choose(q Query, scope Scope, after string) (*choice, error) {
	c := &choice{}
	switch q.LastScan {
	case "failed":
		c.join("node_scan", "scanned")
		c.where = append(c.where, `scanned.state = 'failed'`)
	case "ok":
		c.join("node_scan", "scanned")
		c.where = append(c.where, `scanned.state = 'complete'`)
	}
	if !q.ScannedBefore.IsZero() {
		c.join(`(SELECT id AS node_id FROM node WHERE inventory_id IS NULL
			UNION SELECT node_id FROM node_scan WHERE completed_at < `+c.add(q.ScannedBefore.UnixMicro())+`)`, "late")
	}
	for i, label := range q.Labels {
		key, value, err := splitLabel(label)
		if err != nil {
			return nil, err
		}
		alias := fmt.Sprintf("label%d", i)
		c.join("node_label", alias)
		c.where = append(c.where, alias+`.key = `+c.add(key), alias+`.value = `+c.add(value))
	}
	if q.Severity != "" {
		c.join("node_count", "counted")
		c.where = append(c.where, `counted.open > 0`, `counted.severity = `+c.add(q.Severity))
	}
	c.join("node", "n")
	c.where = append(c.where, c.id()+` > `+c.add(after))
	if q.Kind != "" {
		c.where = append(c.where, `n.kind = `+c.add(q.Kind))
	}
	if q.Name != "" {
		c.where = append(c.where, `n.name >= `+c.add(q.Name), `n.name < `+c.add(db.AfterPrefix(q.Name)))
	}
	alive := s.now().Add(-3 * HeartbeatInterval).UnixMicro()
	switch q.State {
	case "all":
	case Retired:
		c.where = append(c.where, `n.retired_at IS NOT NULL`)
	case Active:
		c.where = append(c.where, `n.retired_at IS NULL`, isAlive+` >= `+c.add(alive))
	case Inactive:
		c.where = append(c.where, `n.retired_at IS NULL`, isAlive+` < `+c.add(alive))
	default:
		c.where = append(c.where, `n.retired_at IS NULL`)
	}
	if scope.Column != All {
		c.where = append(c.where, `n.id `+db.Among(c.add(scope.Column)))
	}
	if q.LastScan == "never" {
		c.where = append(c.where, `n.inventory_id IS NULL`)
	}
	return c, nil
}
