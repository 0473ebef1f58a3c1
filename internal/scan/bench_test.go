package scan_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
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
)

// BenchmarkReport asks for pages of a report of a million scans of ten thousand nodes,
// and tells how long the slowest in a hundred takes.
func BenchmarkReport(b *testing.B) {
	const nodes, scans = 10_000, 1_000_000
	migrations := []db.Migrations{event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations}
	for name, open := range map[string]func() *db.DB{
		"sqlite":     func() *db.DB { return dbtest.OpenSQLite(b, filepath.Join(b.TempDir(), "patrol.db"), migrations...) },
		"postgresql": func() *db.DB { return dbtest.OpenPostgres(b, dbtest.PostgresURL(b), migrations...) },
	} {
		b.Run(name, func(b *testing.B) {
			d := open()
			fillReport(b, d, nodes, scans)
			b.ResetTimer()
			now := func() time.Time { return noon }
			f := fleet.NewService(d, auth.NewService(d, now), lease.NewSignals(), now)
			s := scan.NewService(d, f, finding.NewService(d, f, now), nil, lease.NewSignals(), now)
			for _, format := range []string{"csv", "json", "xlsx"} {
				b.Run("export as "+format, func(b *testing.B) { exportAll(b, s, format) })
			}
			for what, q := range map[string]scan.ReportQuery{
				"all": {}, "scans that failed": {Kind: scan.KindScan, State: scan.Failed}, "changed": {Changed: true}, "critical on images": {Worst: "critical", NodeKind: "image"},
				"cancelled by change": {State: scan.Cancelled, Trigger: "change"}, "a node": {Node: "node-77"}, "a node that failed": {Node: "node-77", State: scan.Failed},
				"a run": {Run: "run-3"}, "a schedule": {Schedule: "schedule-1"}, "a schedule that failed": {Schedule: "schedule-1", State: scan.Failed},
				"a week": {From: noon.Add(-200 * time.Hour), To: noon.Add(-100 * time.Hour)}, "re-matches": {Kind: scan.KindRematch},
			} {
				b.Run(what, func(b *testing.B) {
					took := []time.Duration{}
					cursor := ""
					for b.Loop() {
						began := time.Now()
						page, err := s.Report(b.Context(), q, rest.Paging{Limit: 100, Cursor: cursor})
						if err != nil {
							b.Fatal(err)
						}
						cursor = page.Next
						took = append(took, time.Since(began))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
				})
			}
		})
	}
}

// exportAll exports the whole report, all but the re-matches where they are too many,
// and tells how much memory is in use at most.
func exportAll(b *testing.B, s *scan.Service, format string) {
	for b.Loop() {
		e, err := s.ExportReport(b.Context(), scan.ReportQuery{Kind: scan.KindScan}, format)
		if err != nil {
			b.Fatal(err)
		}
		to := &measured{}
		if err := e.Write(b.Context(), to); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(to.bytes)/1e6, "MB-written")
		b.ReportMetric(float64(to.heap)/1e6, "MB-heap")
	}
}

// measured counts what is written, and looks at the heap now and then.
type measured struct {
	bytes, writes int
	heap          uint64
}

func (m *measured) Write(p []byte) (int, error) {
	m.bytes += len(p)
	if m.writes++; m.writes%5000 == 0 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		m.heap = max(m.heap, now.HeapInuse)
	}
	return len(p), nil
}

// fillReport writes scans as they are when they have ended, a minute apart in a run of
// each hundred thousand.
func fillReport(b *testing.B, d *db.DB, nodes, scans int) {
	b.Helper()
	count := func(n int) string {
		return fmt.Sprintf(`(WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c) AS c`, n)
	}
	const trigger = `CASE i % 5 WHEN 0 THEN 'schedule' WHEN 1 THEN 'on_demand' WHEN 2 THEN 'arrival' WHEN 3 THEN 'change' ELSE 'upload' END`
	statements := []string{
		`INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen)
			SELECT 'node-' || i, 'node-' || i, CASE i % 3 WHEN 0 THEN 'host' WHEN 1 THEN 'container' ELSE 'image' END, 'node-' || i, '', '{}', '', '', '', '{}', 1, 1 FROM ` + count(nodes),
		`INSERT INTO result (digest, uncovered, unread) SELECT 'digest-' || i, '[]', '[]' FROM ` + count(100),
		`INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, started_at, finished_at, due_at, result_id, revision, engine, found, worst, unchanged, opened)
			SELECT 'scan-' || i, 'node-' || (CAST(i AS BIGINT) * 7919 % ` + fmt.Sprint(nodes) + ` + 1), CASE WHEN i % 97 = 0 THEN 'failed' WHEN i % 1009 = 0 AND i % 5 <> 3 THEN 'cancelled' ELSE 'complete' END,
				` + trigger + `, CASE i % 5 WHEN 0 THEN 'schedule-' || (i % 3) ELSE '' END, CASE i % 5 WHEN 0 THEN 'run-' || (i / 100000) ELSE '' END,
				` + fmt.Sprint(noon.UnixMicro()) + ` - CAST(i AS BIGINT) * 1000000, 1, 2, 0, i % 100 + 1, 'r', '1', '{"high":12,"low":3}', i / 13 % 6, 15, CASE WHEN i % 50 = 0 THEN 2 ELSE 0 END FROM ` + count(scans),
		`UPDATE scan SET worst = -1, found = NULL, opened = 0, result_id = NULL WHERE state <> 'complete'`,
		`INSERT INTO scan_facet (cause, node_kind, state, worst, changed) SELECT DISTINCT s.cause, n.kind, s.state, s.worst, CASE WHEN s.opened > 0 THEN 1 ELSE 0 END
			FROM scan AS s JOIN node AS n ON n.id = s.node_id`,
		`UPDATE scan SET facet_id = f.id FROM scan_facet AS f, node AS n WHERE n.id = scan.node_id AND f.cause = scan.cause AND f.node_kind = n.kind
			AND f.state = scan.state AND f.worst = scan.worst AND f.changed = CASE WHEN scan.opened > 0 THEN 1 ELSE 0 END`,
		`INSERT INTO rematch (id, cause, state, revision_before, revision, engine, records_new, records_changed, records_gone,
			components, nodes, opened, resolved, unchanged, started_at, finished_at) SELECT 'rematch-' || i, 'feed', 'complete', 'a', 'b', '1', 1, 2, 3, 4, 5, 6, 7, 8, ` + fmt.Sprint(noon.UnixMicro()) + ` - CAST(i AS BIGINT) * 3600000000, 1 FROM ` + count(8760),
		`ANALYZE`,
	}
	if d.Dialect() == db.SQLite {
		statements = statements[:len(statements)-1] // a console never does
	}
	dbtest.Write(b, d, func(tx *db.Tx) error {
		for _, statement := range statements {
			if _, err := tx.ExecContext(b.Context(), statement); err != nil {
				return fmt.Errorf("%w in %.100s", err, statement)
			}
		}
		return nil
	})
}
