package fleet_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
		wantProblem(t, err, problem.KindConflict)
	})
}

// How a selector fails tells a team nothing of the nodes of others.
func TestSelectorsTellNothingOfOthers(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.register("web-1")
		h.register("secret-db")
		member := func(scope string) context.Context {
			return access.With(t.Context(), access.Principal{Kind: "user", Role: access.Operator, Scope: scope})
		}
		for _, selector := range []string{`int(node.name) == 1`, `node.name == "secret-db" && 1/(size(node.name)-size(node.name)) == 1`} {
			_, err := h.Scope(member(selector))
			wantProblem(t, err, problem.KindConflict)
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "web-1")) {
				t.Errorf("%s: a member is told %q", selector, err)
			}
		}
		web := member(`node.name == "web-1"`)
		// A selector of theirs is not asked of others' nodes, so it cannot fail there.
		ids, err := h.SelectSeen(web, `node.name == "web-1" || 1/(size(node.name)-size(node.name)) == 1`)
		if err != nil || len(ids) != 1 {
			t.Errorf("SelectSeen = %q, %v", ids, err)
		}
		if ids, err := h.SelectSeen(web, `true`); err != nil || len(ids) != 1 {
			t.Errorf("SelectSeen = %q, %v", ids, err)
		}
		if _, err := h.SelectSeen(web, `int(node.name) == 1`); err == nil || !strings.Contains(err.Error(), "web-1") {
			t.Errorf("of their own node they are told %v", err)
		}
		if ids, err := h.SelectSeen(t.Context(), `true`); err != nil || len(ids) != 2 {
			t.Errorf("to who sees all SelectSeen = %q, %v", ids, err)
		}
	})
}

// What became of a node is seen by whoever saw it.
func TestTeamSeesItsRetiredNodes(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.register("web-1").Node
		if err := h.Retire(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		ctx := access.With(t.Context(), access.Principal{Kind: "user", Role: access.Viewer, Scope: `node.name == "web-1" && node.state == "retired"`})
		if n, err := h.Get(ctx, node); err != nil || n.State != fleet.Retired {
			t.Errorf("Get = %+v, %v", n, err)
		}
	})
}

func TestComponentsOfATeam(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		nodes := []string{}
		for _, name := range []string{"web-0", "web-1", "db-0"} {
			nodes = append(nodes, h.register(name).Node)
		}
		h.install(nodes[0], maven("core", "1"), maven("api", "1"))
		h.install(nodes[1], maven("core", "1"), maven("api", "1"))
		h.install(nodes[2], maven("core", "1"), maven("core", "2"), maven("secret", "1"))
		seen := func(selector string, q fleet.ComponentQuery) (all []string, ids []int64) {
			ctx := access.With(t.Context(), access.Principal{Kind: "user", Role: access.Viewer, Scope: selector})
			for cursor := ""; ; {
				page, err := h.Components(ctx, q, rest.Paging{Limit: 1, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range page.Items {
					all, ids = append(all, fmt.Sprint(c.Name, " ", c.Version, " ", c.Nodes)), append(ids, c.ID)
				}
				if cursor = page.Next; cursor == "" {
					return all, ids
				}
			}
		}
		const web = `node.name.startsWith("web")`
		for q, want := range map[fleet.ComponentQuery][]string{
			{}:                             {"api 1 2", "core 1 2"},
			{Name: "cor"}:                  {"core 1 2"},
			{Name: "core", Match: "exact"}: {"core 1 2"},
			{Name: "secret"}:               nil,
			{Name: "c", Version: "2"}:      nil,
			{Name: "o", Version: "1"}:      {"core 1 2"},
			{Name: "c", Version: "1", Ecosystem: "npm"}: nil,
		} {
			if got, _ := seen(web, q); !slices.Equal(got, want) {
				t.Errorf("%+v: %q; want %q", q, got, want)
			}
		}
		got, ids := seen("true", fleet.ComponentQuery{})
		if !slices.Equal(got, []string{"api 1 2", "core 1 3", "core 2 1", "secret 1 1"}) {
			t.Errorf("a team of all nodes is told %q", got)
		}
		ctx := access.With(t.Context(), access.Principal{Kind: "user", Role: access.Viewer, Scope: web})
		if page, err := h.ComponentNodes(ctx, ids[1], rest.Paging{Limit: 10}); err != nil || len(page.Items) != 2 || page.Items[1].Name != "web-1" {
			t.Errorf("nodes with core: %+v, %v", page, err)
		}
		_, err := h.ComponentNodes(ctx, ids[3], rest.Paging{Limit: 10})
		wantProblem(t, err, problem.KindNotFound)
	})
}
