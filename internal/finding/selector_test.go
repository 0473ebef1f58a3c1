package finding_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
)

// counting is the fleet, which counts how often it is asked whom a selector means.
type counting struct {
	*fleet.Service
	all, one *int // of all nodes, of one
	asked    func()
}

func (c counting) Select(ctx context.Context, q db.Querier, expression string) ([]string, error) {
	*c.all++
	nodes, err := c.Service.Select(ctx, q, expression)
	c.asked()
	return nodes, err
}

func (c counting) Selects(ctx context.Context, q db.Querier, expression, node string) (bool, error) {
	*c.one++
	return c.Service.Selects(ctx, q, expression, node)
}

// counted is the house whose fleet counts.
func (h house) counted() (house, counting) {
	c := counting{h.fleet, new(int), new(int), func() {}}
	h.Service = finding.NewService(h.db, c, h.clock.Now)
	return h, c
}

// products is a statement about so many versions of a package.
func products(vulnerability string, count int) string {
	all := []string{}
	for i := range count {
		all = append(all, fmt.Sprintf(`"pkg:deb/debian/libssl3@3.0.%d-1"`, i))
	}
	return fmt.Sprintf(`{"vulnerability": %q, "products": [%s], "status": "not_affected", "impact_statement": "no"}`, vulnerability, strings.Join(all, ", "))
}

// A selector is asked once for all products of a document, and once for a scan,
// however many decisions have it.
func TestSelectorsAreAskedOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h, asked := h.counted()
		web1, web2 := h.node("web-1"), h.node("web-2")
		h.scan(web1, known, vulnerable)
		came := h.importVEX(vex(products(heartbleed.vulnerability, 250), products("CVE-2026-1", 20)), finding.VEXScope{Selector: `node.name == "web-1"`})
		if len(came.Created) != 270 || *asked.all != 2 {
			t.Errorf("%d decisions were taken, and all nodes were asked about %d times; want 270, and before and after", len(came.Created), *asked.all)
		}
		if got := len(h.occurrencesOf(finding.OccurrenceQuery{State: finding.Decided}, 10)); got != 1 {
			t.Errorf("%d occurrences are decided; want that of libssl3", got)
		}
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: finding.FalsePositive, Selector: `node.name == "web-2"`})
		for node, want := range map[string]int{web1: 270, web2: 1} {
			*asked.one = 0
			h.scan(node, known, vulnerable)
			if *asked.one != 2 {
				t.Errorf("a scan asked %d times; want each of two selectors once", *asked.one)
			}
			if n := h.count(`SELECT count(*) FROM decision_node WHERE node_id = '` + node + `'`); n != want {
				t.Errorf("%d decisions mean the node; want %d", n, want)
			}
		}
		h.wantCounted("the scans")
	})
}

// A node that changes while a document is imported is meant by all decisions of it,
// or by none.
func TestNodesChangeDuringAnImport(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.scan(node, known, vulnerable)
		_, asked := h.counted()
		asked.asked = func() {
			asked.asked = func() {}
			if _, err := h.fleet.SetLabels(t.Context(), node, fleet.LabelChange{Set: map[string]string{"env": "test"}}); err != nil {
				t.Fatal(err)
			}
		}
		h.Service = finding.NewService(h.db, &asked, h.clock.Now)
		came := h.importVEX(vex(products(heartbleed.vulnerability, 250)), finding.VEXScope{Selector: `node.labels.env == "test"`})
		if n := h.count(`SELECT count(*) FROM decision_node`); n != 250 || len(came.Created) != 250 || *asked.all > 6 {
			t.Errorf("%d of %d decisions mean the node, and %d times was asked about all", n, len(came.Created), *asked.all)
		}
		if got := h.occurrencesOf(finding.OccurrenceQuery{State: finding.Decided}, 10); len(got) != 1 || !slices.ContainsFunc(came.Created, func(a finding.Assertion) bool { return a.Decision == got[0].DecisionID }) {
			t.Errorf("decided: %+v", got)
		}
		h.wantCounted("the import")
	})
}
