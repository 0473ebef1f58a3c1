package scan_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/report"
	"patrol/internal/scan"
)

// written writes an export.
func (h house) written(e scan.Export, err error) string {
	h.t.Helper()
	var out bytes.Buffer
	if err == nil {
		err = e.Write(h.t.Context(), &out)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return out.String()
}

func TestExport(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		web := h.node("=web")
		first := h.complete(web, affected)
		h.clock.Advance(time.Hour)
		h.rematch(h.clock.Now(), "feed", "complete", 5, 1)
		h.clock.Advance(time.Hour)
		h.complete(web, mended)
		failed := h.start(web)
		if _, err := h.Cancel(t.Context(), failed); err != nil {
			t.Fatal(err)
		}
		n := h.get(first).Opened

		lines, err := csv.NewReader(strings.NewReader(h.written(h.ExportReport(t.Context(), scan.ReportQuery{}, "csv")))).ReadAll()
		if err != nil || len(lines) != 5 || lines[4][4] != "'=web" || lines[3][4] != "all nodes" {
			t.Errorf("csv = %q, %v", lines, err)
		}
		var items struct{ Items []scan.ReportEntry }
		if err := json.Unmarshal([]byte(h.written(h.ExportReport(t.Context(), scan.ReportQuery{Kind: scan.KindScan}, "json"))), &items); err != nil || len(items.Items) != 3 {
			t.Errorf("json = %+v, %v", items, err)
		}
		for format, begins := range map[string]string{"xlsx": "PK", "pdf": "%PDF"} {
			if text := h.written(h.ExportReport(t.Context(), scan.ReportQuery{}, format)); !strings.HasPrefix(text, begins) {
				t.Errorf("%s begins %.20q", format, text)
			}
			if text := h.written(h.ExportScan(t.Context(), first, format)); !strings.HasPrefix(text, begins) {
				t.Errorf("%s of a scan begins %.20q", format, text)
			}
		}
		var log struct {
			Runs []struct {
				AutomationDetails struct{ ID string }
				Results           []struct{ RuleID string }
			}
		}
		if err := json.Unmarshal([]byte(h.written(h.ExportReport(t.Context(), scan.ReportQuery{}, "sarif"))), &log); err != nil || len(log.Runs) != 2 ||
			len(log.Runs[0].Results) != 0 || len(log.Runs[1].Results) != n || log.Runs[1].AutomationDetails.ID != "patrol/=web/"+first {
			t.Errorf("sarif = %+v, %v", log, err)
		}
		var told report.Report
		if err := json.Unmarshal([]byte(h.written(h.ExportScan(t.Context(), first, "json"))), &told); err != nil || len(told.Findings) != n || told.Target != "=web" || told.Feed.Revision == "" {
			t.Errorf("json of a scan = %+v, %v", told, err)
		}
		lines, err = csv.NewReader(strings.NewReader(h.written(h.ExportScan(t.Context(), first, "csv")))).ReadAll()
		if err != nil || len(lines) != n+1 {
			t.Errorf("csv of a scan = %q, %v", lines, err)
		}
		_, err = h.ExportScan(t.Context(), failed, "csv")
		wantProblem(t, err, problem.KindConflict)
		_, err = h.ExportScan(t.Context(), "none", "csv")
		wantProblem(t, err, problem.KindNotFound)
		for range scan.SARIFRuns {
			h.clock.Advance(time.Minute)
			h.complete(web, mended)
		}
		_, err = h.ExportReport(t.Context(), scan.ReportQuery{}, "sarif")
		wantProblem(t, err, problem.KindInvalid)
		h.written(h.ExportReport(t.Context(), scan.ReportQuery{To: h.clock.Now().Add(-10 * time.Minute)}, "sarif"))
	})
}

// What does not fit into a document is refused before it is begun: each component of a
// package is a line, though the package is counted once.
func TestExportThatDoesNotFit(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.complete(h.node("web"), affected)
		h.written(h.ExportScan(t.Context(), id, "pdf"))
		more, err := db.ToJSON(make([]int, report.PDFRows))
		if err != nil {
			t.Fatal(err)
		}
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO finding (component_id, vulnerability_id, ecosystem, package, fixed, advisories)
				SELECT -1 - CAST(key AS BIGINT), f.vulnerability_id, f.ecosystem, f.package, f.fixed, f.advisories
				FROM json_each($1) AS j, (SELECT * FROM finding ORDER BY id LIMIT 1) AS f`, more)
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(t.Context(), `INSERT INTO result_finding (result_id, finding_id)
				SELECT s.result_id, f.id FROM scan AS s JOIN finding AS f ON f.component_id < 0 WHERE s.id = $1`, id)
			return err
		})
		_, err = h.ExportScan(t.Context(), id, "pdf")
		wantProblem(t, err, problem.KindInvalid)
		if _, err := h.ExportScan(t.Context(), id, "xlsx"); err != nil {
			t.Error(err)
		}
	})
}
