package finding_test

import (
	"strings"
	"testing"

	"patrol/internal/platform/db"

	"patrol/internal/platform/db/dbtest"
)

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
