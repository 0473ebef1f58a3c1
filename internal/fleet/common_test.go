package fleet_test

import (
	"fmt"
	"slices"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/sbom"
)

// idOf is the only component of that name.
func (h house) idOf(name string) int64 {
	h.t.Helper()
	return int64(dbtest.Count(h.t, h.db.Read(), `SELECT id FROM component WHERE name = $1`, name))
}

func (h house) isCommon(component int64) bool {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), `SELECT common FROM component WHERE id = $1`, component) == 1
}

// pointedTo is how many inventories are known to hold a component, without asking
// them.
func (h house) pointedTo(component int64) int {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM component_inventory WHERE component_id = $1`, component)
}

// only makes inventories that no node has and that hold these, each with something
// of its own.
func (h house) only(from, to int, components ...sbom.Component) {
	h.t.Helper()
	for i := from; i < to; i++ {
		h.put(&sbom.Document{Components: append(slices.Clone(components), maven(fmt.Sprintf("own-%04d", i), "1"))})
	}
}

// Where a component is does not depend on how it is looked for.
func TestComponentBecomesCommon(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		shared, few := maven("shared", "1"), maven("few", "1")
		nodes, want := []string{}, []string{}
		for i := range 7 {
			name := fmt.Sprintf("web-%d", i)
			nodes, want = append(nodes, h.register(name).Node), append(want, name)
			own := maven(fmt.Sprintf("of-%d", i/2), "1") // some nodes are alike
			h.install(nodes[i], shared, few, own)
		}
		h.install(h.register("other").Node, maven("another", "1"))
		const inventories = 4
		sharedID, fewID := h.idOf("shared"), h.idOf("few")
		same := func(when string) {
			t.Helper()
			for _, limit := range []int{1, 3, 100} {
				if got := h.nodesOf(sharedID, limit); !slices.Equal(got, want) {
					t.Errorf("%s, by %d: on %q; want %q", when, limit, got, want)
				}
				if got := h.nodesOf(fewID, limit); !slices.Equal(got, want) {
					t.Errorf("%s, by %d: the rare one is on %q; want %q", when, limit, got, want)
				}
			}
			if c := h.components(fleet.ComponentQuery{Name: "shared"}, 10); len(c) != 1 || c[0].Nodes != len(want) {
				t.Errorf("%s: %+v; want it on %d nodes", when, c, len(want))
			}
		}
		h.only(inventories, fleet.Common, shared)
		if h.isCommon(sharedID) || h.pointedTo(sharedID) != fleet.Common {
			t.Fatalf("in %d inventories it is common: %v, in %d", fleet.Common, h.isCommon(sharedID), h.pointedTo(sharedID))
		}
		same("rare")
		h.only(fleet.Common, fleet.Common+1, shared)
		if !h.isCommon(sharedID) || h.pointedTo(sharedID) != 0 {
			t.Fatalf("in one more it is common: %v, in %d", h.isCommon(sharedID), h.pointedTo(sharedID))
		}
		same("common")
		// It stays so: here, and for a console that remembers nothing of it.
		h.only(fleet.Common+1, fleet.Common+3, shared)
		h.Service = fleet.NewService(h.db, h.auth, nil, h.clock.Now)
		h.only(fleet.Common+3, fleet.Common+5, shared)
		if !h.isCommon(sharedID) || h.pointedTo(sharedID) != 0 || h.isCommon(fewID) || h.pointedTo(fewID) != inventories {
			t.Errorf("later: common %v in %d, the rare one %v in %d", h.isCommon(sharedID), h.pointedTo(sharedID), h.isCommon(fewID), h.pointedTo(fewID))
		}
		same("still common")
		// Who loses it is not among them, however it is looked for.
		h.install(nodes[0], few)
		if got := h.nodesOf(sharedID, 100); !slices.Equal(got, want[1:]) {
			t.Errorf("after the first lost it: on %q", got)
		}
		if got := h.nodesOf(fewID, 100); !slices.Equal(got, want) {
			t.Errorf("after the first lost another: on %q", got)
		}
	})
}
