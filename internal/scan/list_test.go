package scan_test

import (
	"fmt"
	"slices"
	"testing"

	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
)

func TestList(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		nodes, ids := []string{}, []string{}
		for i := range 5 {
			nodes = append(nodes, h.node(fmt.Sprintf("web-%d", i)))
			ids = append(ids, h.start(nodes[i]))
		}
		if _, err := h.Cancel(t.Context(), ids[0]); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, h.start(nodes[0]))
		newest := slices.Clone(ids)
		slices.Reverse(newest)
		for q, want := range map[scan.Query][]string{
			{}:                                      newest,
			{Node: nodes[0]}:                        {ids[5], ids[0]},
			{State: scan.Cancelled}:                 {ids[0]},
			{State: scan.Complete}:                  {},
			{State: scan.Queued}:                    newest[:5],
			{Node: nodes[0], State: scan.Cancelled}: {ids[0]},
			{Run: "no such run"}:                    {},
			{IDs: ids[1] + "," + ids[0] + ",no such scan"}:   {ids[1], ids[0]},
			{IDs: ids[1] + "," + ids[0], State: scan.Queued}: {ids[1]},
		} {
			for _, limit := range []int{1, 2, 100} {
				got := []string{}
				for cursor := ""; ; {
					page, err := h.List(t.Context(), q, rest.Paging{Limit: limit, Cursor: cursor})
					if err != nil || page.Items == nil {
						t.Fatal(page, err)
					}
					for _, s := range page.Items {
						got = append(got, s.ID)
					}
					if cursor = page.Next; cursor == "" {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%+v in pages of %d: %q; want %q", q, limit, got, want)
				}
			}
		}
		_, err := h.Get(t.Context(), "no such scan")
		wantProblem(t, err, problem.KindNotFound)
	})
}
