package fleet_test

import (
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

func TestScope(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web, other := h.register("web-1").Node, h.register("db-1").Node
		ctx := access.With(t.Context(), access.Principal{Kind: "user", Role: access.Viewer, Scope: `node.name.startsWith("web")`})
		names := func() (names []string) {
			page, err := h.List(ctx, fleet.Query{}, rest.Paging{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range page.Items {
				names = append(names, n.Name)
			}
			return names
		}
		if got := names(); len(got) != 1 || got[0] != "web-1" {
			t.Errorf("the list shows %q", got)
		}
		if _, err := h.Get(ctx, web); err != nil {
			t.Error(err)
		}
		_, err := h.Get(ctx, other)
		wantProblem(t, err, problem.KindNotFound)
		if page, err := h.List(t.Context(), fleet.Query{}, rest.Paging{Limit: 10}); err != nil || len(page.Items) != 2 {
			t.Errorf("without a scope: %d nodes, %v", len(page.Items), err)
		}
		// A node that comes is seen within seconds.
		h.register("web-2")
		h.clock.Advance(5 * time.Second)
		if got := names(); len(got) != 2 {
			t.Errorf("the list shows %q", got)
		}
		// A selector that fails on some node shows nothing, rather than everything.
		broken := access.With(t.Context(), access.Principal{Kind: "user", Role: access.Viewer, Scope: `1/(size(node.name)-size(node.name)) == 1`})
		_, err = h.List(broken, fleet.Query{}, rest.Paging{Limit: 10})
		wantProblem(t, err, problem.KindInvalid)
	})
}
