package fleet_test

import (
	"maps"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/sbom"
)

// since is for how many hours after noon a node has had each of its components, by
// "name version".
func (h house) since(node string) map[string]int {
	h.t.Helper()
	rows, err := h.db.Read().QueryContext(h.t.Context(), `SELECT c.name || ' ' || c.version, COALESCE(s.since, n.inventory_since) FROM node AS n
		JOIN inventory_component AS i ON i.inventory_id = n.inventory_id JOIN component AS c ON c.id = i.component_id
		LEFT JOIN node_component AS s ON s.node_id = n.id AND s.component_id = c.id WHERE n.id = $1`, node)
	if err != nil {
		h.t.Fatal(err)
	}
	found := map[string]int{}
	err = db.Each(rows, func(scan db.Scan) error {
		var name string
		var at time.Time
		err := scan(&name, db.Time{Time: &at})
		found[name] = int(at.Sub(noon) / time.Hour)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return found
}

// Since when a node has what it has, each told by what was found on it hour by hour.
func TestSince(t *testing.T) {
	a, b, newer := maven("a", "1"), maven("b", "1"), maven("a", "2")
	type found []sbom.Component
	for name, test := range map[string]struct {
		hours []found // nil: the node is being retired
		want  map[string]int
		rows  int
	}{
		"the first inventory":               {[]found{{a, b}}, map[string]int{"a 1": 1, "b 1": 1}, 0},
		"the same again":                    {[]found{{a, b}, {a, b}, {a, b}}, map[string]int{"a 1": 1, "b 1": 1}, 0},
		"an upgrade":                        {[]found{{a, b}, {newer, b}, {newer, b}}, map[string]int{"a 2": 2, "b 1": 1}, 1},
		"one more, and another":             {[]found{{a}, {a, b}, {a, b, newer}}, map[string]int{"a 1": 1, "b 1": 2, "a 2": 3}, 2},
		"it goes":                           {[]found{{a}, {a, b}, {a}}, map[string]int{"a 1": 1}, 0},
		"it goes and comes back":            {[]found{{a, b}, {a}, {a, b}}, map[string]int{"a 1": 1, "b 1": 3}, 1},
		"what came goes and comes back":     {[]found{{a}, {a, b}, {a}, {a, b}}, map[string]int{"a 1": 1, "b 1": 4}, 1},
		"an upgrade is undone":              {[]found{{a, b}, {newer, b}, {a, b}}, map[string]int{"a 1": 3, "b 1": 1}, 1},
		"everything goes and comes back":    {[]found{{a, b}, {}, {a, b}}, map[string]int{"a 1": 3, "b 1": 3}, 2},
		"the first inventory was empty":     {[]found{{}, {a}}, map[string]int{"a 1": 2}, 1},
		"it is uninstalled":                 {[]found{{a}, {a, b}, nil}, map[string]int{}, 0},
		"it is uninstalled, and comes back": {[]found{{a}, {a, b}, nil, {a, b}, {a, newer, b}}, map[string]int{"a 1": 4, "b 1": 4, "a 2": 5}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				node, other := h.register("web-1").Node, h.register("web-2").Node
				h.install(other, a)
				h.install(other, a, b, newer)
				for _, components := range test.hours {
					h.clock.Advance(time.Hour)
					if components == nil {
						dbtest.Write(t, h.db, func(tx *db.Tx) error { return h.Uninstalled(t.Context(), tx, node) })
						continue
					}
					h.install(node, components...)
				}
				if got := h.since(node); !maps.Equal(got, test.want) {
					t.Errorf("since %v; want %v", got, test.want)
				}
				if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM node_component WHERE node_id = $1`, node); n != test.rows {
					t.Errorf("%d rows; want %d", n, test.rows)
				}
				if got, want := h.since(other), map[string]int{"a 1": 0, "b 1": 0, "a 2": 0}; !maps.Equal(got, want) {
					t.Errorf("the other node: since %v; want %v", got, want)
				}
			})
		})
	}
}

// A node that is deleted leaves no rows behind, and a component that is nowhere any
// more none that would be taken for one that comes.
func TestSinceOfWhatIsGone(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.register("web").Node
		h.install(node, maven("a", "1"))
		h.install(node, maven("a", "1"), maven("b", "1"))
		h.install(node, maven("a", "1"))
		h.clock.Advance(48 * time.Hour)
		if _, err := h.SweepDocuments(t.Context(), h.clock.Now()); err != nil {
			t.Fatal(err)
		}
		if n, err := h.SweepInventories(t.Context(), h.clock.Now()); err != nil || n != 1 {
			t.Fatalf("%d inventories swept, %v; want the one that nobody has", n, err)
		}
		h.install(node, maven("a", "1"), maven("b", "1"))
		if got, want := h.since(node), map[string]int{"a 1": 0, "b 1": 48}; !maps.Equal(got, want) {
			t.Errorf("since %v; want %v", got, want)
		}
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), `DELETE FROM node WHERE id = $1`, node)
			return err
		})
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM node_component`); n != 0 {
			t.Errorf("%d rows of a node that is deleted", n)
		}
	})
}

// A console of before kept no dates: its nodes get the best that is known.
func TestSinceOfBefore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error {
			for _, statement := range []string{
				`INSERT INTO inventory (id, digest, ecosystems, components) VALUES (1, '', '[]', 0)`,
				`INSERT INTO sbom (id, digest, inventory_id, created_at, document) VALUES (1, '', 1, 200, '')`,
				`INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen, revived_at, sbom_id)
					SELECT value->>0, value->>0, 'host', '', '', '{}', '', '', '', '{}', CAST(value->>1 AS BIGINT), 0, CAST(value->>2 AS BIGINT), CAST(value->>3 AS BIGINT) FROM json_each(
						'[["its document",100,null,1],["of another",300,null,1],["that came back",100,400,1],["since then",100,150,1],["never scanned",100,null,null]]') AS j`,
			} {
				if _, err := tx.ExecContext(t.Context(), statement); err != nil {
					return err
				}
			}
			return nil
		})
		if err := d.Migrate(t.Context(), fleet.Migrations); err != nil {
			t.Fatal(err)
		}
		got := dbtest.Text(t, d.Read(), `SELECT string_agg(id || ' ' || COALESCE(inventory_since, 0), ', ') FROM (SELECT id, inventory_since FROM node ORDER BY id) AS n`)
		if want := "its document 200, never scanned 0, of another 300, since then 200, that came back 400"; got != want {
			t.Errorf("since %s; want %s", got, want)
		}
	}, dbtest.Before(t, fleet.Migrations, "0004"))
}
