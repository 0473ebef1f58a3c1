package fleet_test

import (
	"slices"
	"testing"
	"time"

	"patrol/internal/platform/db/dbtest"
)

// Inventories that are no more make nothing common, and leave nothing behind that
// would be taken for those that come.
func TestSweptInventoriesDoNotCount(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.register("web").Node
		const nobodys = 30
		shared := maven("shared", "1")
		h.install(node, shared)
		id := h.idOf("shared")
		h.only(0, nobodys, shared)
		h.clock.Advance(48 * time.Hour)
		if n, err := h.SweepDocuments(t.Context(), h.clock.Now()); err != nil || n != nobodys {
			t.Fatalf("%d documents removed, %v; want %d", n, err, nobodys)
		}
		if n, err := h.SweepInventories(t.Context(), h.clock.Now()); err != nil || n != nobodys {
			t.Fatalf("%d inventories removed, %v; want %d", n, err, nobodys)
		}
		dead := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM component_inventory AS c WHERE NOT EXISTS (SELECT 1 FROM inventory WHERE id = c.inventory_id)`)
		if dead != 0 || h.pointedTo(id) != 1 {
			t.Errorf("%d rows of component_inventory are of inventories that are gone; the component is in %d, want 1", dead, h.pointedTo(id))
		}
		h.install(h.register("db").Node, maven("something", "else"))
		if got := h.nodesOf(id, 10); !slices.Equal(got, []string{"web"}) {
			t.Errorf("the component is on %q; want web alone", got)
		}
	})
}
