package fleet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
)

func (h house) install(node string, components ...sbom.Component) {
	h.t.Helper()
	document := h.lookup(h.put(&sbom.Document{Components: components}))
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error { return h.Installed(h.t.Context(), tx, node, document) })
}

// components reads all pages: "name version nodes".
func (h house) components(q fleet.ComponentQuery, limit int) []fleet.InstalledComponent {
	h.t.Helper()
	all := []fleet.InstalledComponent{}
	for cursor := ""; ; {
		page, err := h.Components(h.t.Context(), q, rest.Paging{Limit: limit, Cursor: cursor})
		if err != nil || page.Items == nil {
			h.t.Fatal(page, err)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

func (h house) nodesOf(component int64, limit int) []string {
	h.t.Helper()
	names := []string{}
	for cursor := ""; ; {
		page, err := h.ComponentNodes(h.t.Context(), component, rest.Paging{Limit: limit, Cursor: cursor})
		if err != nil || page.Items == nil {
			h.t.Fatal(page, err)
		}
		for _, n := range page.Items {
			names = append(names, n.Name)
		}
		if cursor = page.Next; cursor == "" {
			return names
		}
	}
}

func maven(name, version string) sbom.Component {
	return sbom.Component{Ecosystem: "Maven", Name: name, Version: version}
}

func TestWhereIsLog4j(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		core, api := "org.apache.logging.log4j:log4j-core", "org.apache.logging.log4j:log4j-api"
		nodes := []string{}
		for i := range 4 {
			nodes = append(nodes, h.register(fmt.Sprintf("web-%d", i)).Node)
		}
		debian := sbom.Component{Ecosystem: "Debian:12", Name: "liblog4j2-java", Version: "2.17.1-1"}
		h.install(nodes[0], maven(core, "2.14.1"), maven(api, "2.14.1"))
		h.install(nodes[1], maven(core, "2.14.1"), debian)
		h.install(nodes[2], maven(core, "2.17.0"), maven("Log4J.Extras_100%", "1"))
		h.install(nodes[3], maven("com.example:none", "2.14.1"))
		for q, want := range map[fleet.ComponentQuery][]string{
			{Name: "log4j"}: {
				"liblog4j2-java 2.17.1-1 1", "Log4J.Extras_100% 1 1", api + " 2.14.1 1", core + " 2.14.1 2", core + " 2.17.0 1",
			},
			{Name: "LOG4J", Ecosystem: "Debian:12"}:                     {"liblog4j2-java 2.17.1-1 1"},
			{Name: "log4j", Version: "2.14.1"}:                          {api + " 2.14.1 1", core + " 2.14.1 2"},
			{Name: core, Match: "exact"}:                                {core + " 2.14.1 2", core + " 2.17.0 1"},
			{Name: core, Match: "exact", Version: "2.17.0"}:             {core + " 2.17.0 1"},
			{Name: "log4j", Match: "prefix"}:                            {"Log4J.Extras_100% 1 1"},
			{Name: "s_100%"}:                                            {"Log4J.Extras_100% 1 1"},
			{Name: "s_1__%"}:                                            {},
			{Name: "log5j"}:                                             {},
			{Name: "log4j", Version: "2.17.1-1", Ecosystem: "Maven"}:    {},
			{Name: "log4j-core", Ecosystem: "Maven", Version: "2.17.0"}: {core + " 2.17.0 1"},
		} {
			for _, limit := range []int{1, 2, 100} {
				got := []string{}
				for _, c := range h.components(q, limit) {
					got = append(got, fmt.Sprint(c.Name, " ", c.Version, " ", c.Nodes))
				}
				if !slices.Equal(got, want) {
					t.Errorf("%+v by %d: %q; want %q", q, limit, got, want)
				}
			}
		}
		old := h.components(fleet.ComponentQuery{Name: core, Match: "exact"}, 10)[0]
		if got := h.nodesOf(old.ID, 1); !slices.Equal(got, []string{"web-0", "web-1"}) {
			t.Errorf("nodes with %+v: %q", old, got)
		}
		// What is patched is not there any more.
		h.install(nodes[0], maven(core, "2.17.0"))
		h.install(nodes[1], maven(core, "2.17.0"))
		if all := h.components(fleet.ComponentQuery{Name: core}, 10); len(all) != 1 || all[0].Nodes != 3 {
			t.Errorf("after the patch: %+v", all)
		}
		if got := h.nodesOf(old.ID, 10); len(got) != 0 {
			t.Errorf("after the patch: %q", got)
		}
		_, err := h.ComponentNodes(t.Context(), 1<<40, rest.Paging{Limit: 1})
		wantProblem(t, err, problem.KindNotFound)
	})
}

// Whatever comes and goes, the number of nodes is that which a count gives.
func TestNodesOfComponentsAreRight(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		chance := rand.New(rand.NewPCG(7, 1))
		nodes := []string{}
		for i := range 5 {
			nodes = append(nodes, h.register(fmt.Sprintf("web-%d", i)).Node)
		}
		for range 40 {
			node := nodes[chance.IntN(len(nodes))]
			if chance.IntN(6) == 0 {
				dbtest.Write(t, h.db, func(tx *db.Tx) error { return h.Uninstalled(t.Context(), tx, node) })
			} else {
				components := []sbom.Component{}
				for i := range 8 {
					if chance.IntN(2) == 0 {
						components = append(components, maven(fmt.Sprintf("name-%d", i), fmt.Sprint(chance.IntN(2))))
					}
				}
				h.install(node, components...)
			}
			wrong := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM component AS c WHERE nodes <> (SELECT count(*) FROM node AS n
				JOIN inventory_component AS i ON i.inventory_id = n.inventory_id WHERE i.component_id = c.id)`)
			if wrong != 0 {
				t.Fatalf("%d components have a wrong number of nodes", wrong)
			}
		}
		for _, c := range h.components(fleet.ComponentQuery{}, 100) {
			if got := h.nodesOf(c.ID, 2); len(got) != c.Nodes {
				t.Errorf("%+v: on %q", c, got)
			}
		}
	})
}
