package simulate_test

import (
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
	"patrol/internal/schedule"
	"patrol/internal/simulate"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// counted finds what is counted wrongly.
var counted = map[string]string{
	"nodes":       `SELECT count(*) - 60 FROM node`,
	"inventories": `SELECT count(*) FROM inventory AS i WHERE 600 <> (SELECT count(*) FROM inventory_component WHERE inventory_id = i.id)`,
	"components": `SELECT count(*) FROM (SELECT i.component_id, count(*) FROM node AS n JOIN inventory_component AS i ON i.inventory_id = n.inventory_id GROUP BY i.component_id
		EXCEPT SELECT id, nodes FROM component) AS wrong`,
	"components in all": `SELECT sum(nodes) - (SELECT count(*) FROM node AS n JOIN inventory_component AS i ON i.inventory_id = n.inventory_id) FROM component`,
	"counts of nodes": `SELECT count(*) FROM (
		SELECT node_id, severity, count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'decided')
			FROM occurrence WHERE state <> 'resolved' GROUP BY node_id, severity
		EXCEPT SELECT node_id, severity, open, decided FROM node_count) AS wrong`,
	"counts of vulnerabilities": `SELECT count(*) FROM (
		SELECT vulnerability_id, count(DISTINCT node_id) FILTER (WHERE state = 'open'), count(DISTINCT node_id) FILTER (WHERE state = 'decided')
			FROM occurrence GROUP BY vulnerability_id
		EXCEPT SELECT vulnerability_id, nodes, decided FROM affected) AS wrong`,
	"counts of packages": `SELECT count(*) FROM (
		SELECT vulnerability_id, package, count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'decided'), count(*) FILTER (WHERE state = 'open' AND fixable = 1)
			FROM occurrence GROUP BY vulnerability_id, package
		EXCEPT SELECT vulnerability_id, package, open, decided, fixable FROM affected_package) AS wrong`,
	"since when":          `SELECT count(*) FROM node WHERE (inventory_id IS NULL) <> (inventory_since IS NULL)`,
	"decided occurrences": `SELECT count(*) FROM occurrence WHERE (state = 'decided') <> (decision_id IS NOT NULL)`,
}

// The rooms find in a fleet that was made what they would have written themselves.
func TestFill(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), func() time.Time { return noon }
		if err := (simulate.Fleet{Nodes: 60, Inventories: 7, Seed: 1, Now: noon}).Fill(ctx, d); err != nil {
			t.Fatal(err)
		}
		right := func() {
			t.Helper()
			for what, query := range counted {
				if n := dbtest.Count(t, d.Read(), query); n != 0 {
					t.Errorf("%s: %d are wrong", what, n)
				}
			}
		}
		right()
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM occurrence WHERE state = 'open'`); n < 60*120 || n > 60*180 {
			t.Errorf("%d occurrences are open; want about 150 a node", n)
		}
		nodes := fleet.NewService(d, auth.NewService(d, now), lease.NewSignals(), now)
		findings := finding.NewService(d, nodes, now)
		some, err := nodes.List(ctx, fleet.Query{LastScan: "ok"}, rest.Paging{Limit: 1})
		if err != nil || len(some.Items) != 1 {
			t.Fatal(err)
		}
		page, err := findings.List(ctx, finding.Query{Node: some.Items[0].ID}, rest.Paging{Limit: 50})
		if err != nil || len(page.Items) != 50 || len(page.Items[0].Component.Locations) == 0 {
			t.Errorf("%d findings, %v; want them with locations", len(page.Items), err)
		}
		found, err := nodes.Components(ctx, fleet.ComponentQuery{Name: "log4j"}, rest.Paging{Limit: 10})
		if err != nil || len(found.Items) == 0 {
			t.Errorf("log4j is nowhere: %v", err)
		}
		list, err := nodes.List(ctx, fleet.Query{Severity: "critical", Labels: []string{"env=production"}}, rest.Paging{Limit: 5})
		if err != nil || len(list.Items) != 5 || list.Items[0].LastScan == nil || list.Items[0].Counts.Critical == 0 {
			t.Errorf("nodes = %+v, %v", list, err)
		}
		// What was decided is what the room decides, if it is asked again.
		decisions, err := findings.Decisions(ctx, finding.DecisionQuery{}, rest.Paging{Limit: 200})
		if err != nil || len(decisions.Items) < 90 {
			t.Fatalf("%d decisions, %v", len(decisions.Items), err)
		}
		seen := map[string]int{}
		for _, was := range decisions.Items {
			kind := was.Status
			if was.Node != "" {
				kind = "one node"
			}
			if seen[kind]++; seen[kind] > 3 {
				continue
			}
			if err := findings.Revoke(ctx, was.ID); err != nil {
				t.Fatal(err)
			}
			is, err := findings.Decide(ctx, was.DecisionRequest, "ada")
			if err != nil || is.Occurrences != was.Occurrences {
				t.Errorf("decided again, %+v is about %d occurrences, %v", was, is.Occurrences, err)
			}
		}
		if len(seen) != 4 {
			t.Errorf("decisions are %v; want some of each kind", seen)
		}
		right()
		if n := dbtest.Count(t, d.Read(), `SELECT count(*) FROM occurrence WHERE state = 'decided'`); n < 60 || n > 60*10 {
			t.Errorf("%d occurrences are decided; want a few a node", n)
		}
	}, event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations)
}
