package fleet_test

import (
	"slices"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// labelled makes a node of that name with labels.
func (h house) labelled(name string, labels map[string]string) string {
	h.t.Helper()
	id := h.register(name).Node
	f := facts(name)
	f.Labels = labels
	if _, err := h.Heartbeat(h.t.Context(), id, f); err != nil {
		h.t.Fatal(err)
	}
	return id
}

func (h house) execute(statement string, args ...any) {
	h.t.Helper()
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		_, err := tx.ExecContext(h.t.Context(), statement, args...)
		return err
	})
}

func TestQuestionsAboutNodes(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web1 := h.labelled("web-1", map[string]string{"env": "production", "team": "shop"})
		web2 := h.labelled("web-2", map[string]string{"env": "production", "team": "search"})
		db1 := h.labelled("db_1", map[string]string{"env": "staging", "team": "shop"})
		h.labelled("Zürich", nil)
		h.install(web1)
		h.install(web2)
		scanned := func(node, state string, completed any) {
			h.execute(`INSERT INTO node_scan (node_id, state, completed_at) VALUES ($1, $2, CAST($3 AS BIGINT))`, node, state, completed)
		}
		scanned(web1, "complete", noon.UnixMicro())
		scanned(web2, "failed", noon.Add(-time.Hour).UnixMicro())
		scanned(db1, "failed", nil)
		counted := func(node, severity string, open int) {
			h.execute(`INSERT INTO node_count (node_id, severity, open, decided) VALUES ($1, $2, $3, 1)`, node, severity, open)
		}
		counted(web1, "critical", 2)
		counted(web2, "critical", 0)
		counted(db1, "critical", 1)
		counted(db1, "low", 4)
		for _, c := range []struct {
			q    fleet.Query
			want []string
		}{
			{fleet.Query{Labels: []string{"env=production"}}, []string{"web-1", "web-2"}},
			{fleet.Query{Labels: []string{"env=production", "team=shop"}}, []string{"web-1"}},
			{fleet.Query{Labels: []string{"env="}}, []string{}},
			{fleet.Query{Name: "web-"}, []string{"web-1", "web-2"}},
			{fleet.Query{Name: "db_"}, []string{"db_1"}},
			{fleet.Query{Name: "Zü"}, []string{"Zürich"}},
			{fleet.Query{Name: "%"}, []string{}},
			{fleet.Query{Severity: "critical"}, []string{"web-1", "db_1"}},
			{fleet.Query{Severity: "critical", Labels: []string{"team=shop"}, Name: "web"}, []string{"web-1"}},
			{fleet.Query{LastScan: "never"}, []string{"db_1", "Zürich"}},
			{fleet.Query{LastScan: "failed"}, []string{"web-2", "db_1"}},
			{fleet.Query{LastScan: "ok"}, []string{"web-1"}},
			{fleet.Query{LastScan: "failed", Severity: "low"}, []string{"db_1"}},
			{fleet.Query{LastScan: "never", Kind: fleet.Host, State: fleet.Active}, []string{"db_1", "Zürich"}},
			{fleet.Query{ScannedBefore: noon}, []string{"web-2", "db_1", "Zürich"}},
			{fleet.Query{ScannedBefore: noon.Add(time.Second), LastScan: "ok"}, []string{"web-1"}},
		} {
			for _, limit := range []int{1, 100} {
				if got := h.list(c.q, limit); !slices.Equal(got, c.want) {
					t.Errorf("%+v by %d: %q; want %q", c.q, limit, got, c.want)
				}
			}
		}
		if n := h.node(db1); n.Counts != (fleet.Counts{Critical: 1, Low: 4}) || n.Decided != 2 {
			t.Errorf("counts = %+v, %d decided", n.Counts, n.Decided)
		}
		_, err := h.List(t.Context(), fleet.Query{Labels: []string{"env"}}, rest.Paging{Limit: 1})
		wantProblem(t, err, problem.KindInvalid)
		h.labelled("web-1", map[string]string{"env": "staging"})
		if got := h.list(fleet.Query{Labels: []string{"env=staging"}}, 10); !slices.Equal(got, []string{"web-1", "db_1"}) {
			t.Errorf("after a change of labels: %q", got)
		}
	})
}
