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

// The rooms find in a fleet that was made what they would have written themselves.
func TestFill(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), func() time.Time { return noon }
		if err := (simulate.Fleet{Nodes: 60, Inventories: 7, Seed: 1, Now: noon}).Fill(ctx, d); err != nil {
			t.Fatal(err)
		}
		for what, query := range map[string]string{
			"nodes":       `SELECT count(*) - 60 FROM node`,
			"inventories": `SELECT count(*) FROM inventory AS i WHERE 600 <> (SELECT count(*) FROM inventory_component WHERE inventory_id = i.id)`,
			"components": `SELECT count(*) FROM component AS c WHERE nodes <> (SELECT count(*) FROM node AS n
				JOIN inventory_component AS i ON i.inventory_id = n.inventory_id WHERE i.component_id = c.id)`,
			"counts of nodes": `SELECT count(*) FROM node_count AS c WHERE open <> (SELECT count(*) FROM occurrence
				WHERE node_id = c.node_id AND severity = c.severity AND state = 'open')`,
			"counts of vulnerabilities": `SELECT count(*) FROM affected AS a WHERE nodes <> (SELECT count(DISTINCT node_id) FROM occurrence
				WHERE vulnerability_id = a.vulnerability_id AND state = 'open')`,
		} {
			if n := dbtest.Count(t, d.Read(), query); n != 0 {
				t.Errorf("%s: %d are wrong", what, n)
			}
		}
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
	}, event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations)
}
