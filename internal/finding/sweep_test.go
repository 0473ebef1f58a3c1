package finding_test

import (
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
)

// What an inventory gave under a revision goes with the last scan that asked it; not
// while a scan of it is being matched.
func TestSweepForgetsRevisions(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		revisions := func() string {
			h.t.Helper()
			return dbtest.Text(t, h.db.Read(), `SELECT COALESCE(min(revision), '') || ' to ' || COALESCE(max(revision), '') || ', ' || count(*) FROM result_of`)
		}
		for _, rev := range []string{"r1", "r2", "r3"} {
			h.scan(node, revision{rev, known.advisories}, vulnerable)
		}
		h.sweep(24 * time.Hour)
		if got := revisions(); got != "r1 to r3, 3" {
			t.Errorf("while all scans are kept: %s", got)
		}
		// A document that is not yet a scan's: matching began, and goes on.
		h.match(h.put(vulnerable), revision{"r4", known.advisories})
		h.execute(`UPDATE scan SET state = 'matching' WHERE id = (SELECT max(id) FROM scan)`)
		h.sweep(0)
		if got := revisions(); got != "r1 to r4, 4" {
			t.Errorf("while a scan is matched: %s", got)
		}
		h.execute(`UPDATE scan SET state = 'complete' WHERE state = 'matching'`)
		h.sweep(0)
		if got := revisions(); got != "r3 to r3, 1" {
			t.Errorf("when the last scan alone is kept: %s", got)
		}
		if again := h.match(h.put(vulnerable), revision{"r1", known.advisories}); again != h.had[node].Result {
			t.Errorf("asked again, r1 gives %d; want %d", again, h.had[node].Result)
		}
		h.wantCounted("the sweep")
	})
}

// More inventories than one transaction removes go all the same.
func TestSweepManyInventories(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.scan(h.node("web-1"), known, vulnerable)
		h.execute(`INSERT INTO result_of (inventory_id, revision, engine, result_id)
			WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 1449)
			SELECT n.n, r.revision, '', (SELECT max(id) FROM result) FROM n CROSS JOIN (SELECT 'r1' AS revision UNION ALL SELECT 'r2') AS r`)
		h.sweep(0)
		if n := h.count(`SELECT count(*) FROM result_of`); n != 1 {
			t.Errorf("%d rows are left; want that of the scan", n)
		}
	})
}

// To remove results by id does not read the whole of the table that refers to them.
func TestResultsAreFoundByIndex(t *testing.T) {
	d := dbtest.OpenSQLite(t, t.TempDir()+"/patrol.db", migrations...)
	var step, unused int
	var plan string
	row := d.Read().QueryRowContext(t.Context(), `EXPLAIN QUERY PLAN SELECT 1 FROM result_of WHERE result_id IN (1, 2)`)
	if err := row.Scan(&step, &unused, &unused, &plan); err != nil || !strings.Contains(plan, "result_of_result") {
		t.Errorf("plan %q, %v; want it to use the index", plan, err)
	}
}

func (h house) execute(statement string, args ...any) {
	h.t.Helper()
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		_, err := tx.ExecContext(h.t.Context(), statement, args...)
		return err
	})
}
