package scan_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// Scans of before the report are counted and filed when its tables are made.
func TestScansOfBeforeTheReport(t *testing.T) {
	old := fstest.MapFS{}
	err := fs.WalkDir(scan.Migrations.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() >= "0005" {
			return err
		}
		text, err := fs.ReadFile(scan.Migrations.Files, path)
		old[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil || len(old) != 4 {
		t.Fatal(len(old), err)
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		dbtest.Write(t, d, func(tx *db.Tx) error {
			for _, statement := range []string{
				`INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen)
					VALUES ('n', 'n', 'host', 'n', '', '{}', '', '', '', '{}', 1, 1)`,
				`INSERT INTO component (id, ecosystem, name, version, source_name, source_version, purl) VALUES (1, 'Debian:12', 'a', '1', '', '', ''), (2, 'Debian:12', 'b', '1', '', '', '')`,
				`INSERT INTO vulnerability (id, name, aliases, summary, severity, rank, cvss) VALUES (1, 'CVE-1', '[]', '', 'high', 3, '[]'), (2, 'CVE-2', '[]', '', 'low', 1, '[]')`,
				// The first vulnerability is in two components of one package.
				`INSERT INTO finding (id, component_id, vulnerability_id, ecosystem, package, fixed, advisories, severity, rank)
					VALUES (1, 1, 1, 'Debian', 'p', '[]', '[]', 'high', 3), (2, 2, 1, 'Debian', 'p', '[]', '[]', 'high', 3), (3, 2, 2, 'Debian', 'p', '[]', '[]', 'low', 1)`,
				`INSERT INTO result (id, digest, uncovered, unread) VALUES (1, 'some', '[]', '[]'), (2, 'none', '[]', '[]')`,
				`INSERT INTO result_finding (result_id, finding_id) VALUES (1, 1), (1, 2), (1, 3)`,
				`INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, finished_at, due_at, result_id, opened) VALUES
					('1', 'n', 'complete', 'upload', '', '', 1, 2, 1, 1, 2), ('2', 'n', 'complete', 'upload', '', '', 2, 3, 2, 1, 0),
					('3', 'n', 'complete', 'upload', '', '', 3, 4, 3, 2, 0), ('4', 'n', 'failed', 'upload', '', '', 4, 5, 4, NULL, 0), ('5', 'n', 'queued', 'upload', '', '', 5, NULL, 5, NULL, 0)`,
			} {
				if _, err := tx.ExecContext(t.Context(), statement); err != nil {
					return err
				}
			}
			return nil
		})
		if err := d.Migrate(t.Context(), scan.Migrations); err != nil {
			t.Fatal(err)
		}
		rows, err := d.Read().QueryContext(t.Context(), `SELECT s.id || ' ' || COALESCE(replace(s.found, ' ', ''), '-') || ' ' || s.worst || ' ' || s.unchanged || ' ' ||
			COALESCE(f.state || ' ' || f.node_kind || ' ' || f.worst || ' ' || f.changed, '-') FROM scan AS s LEFT JOIN scan_facet AS f ON f.id = s.facet_id ORDER BY s.id`)
		got, err := db.All(rows, err, db.Value[string])
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{
			`1 {"low":1,"high":1} 3 0 complete host 3 1`, `2 {"low":1,"high":1} 3 2 complete host 3 0`, `3 {} -1 0 complete host -1 0`, `4 - -1 0 failed host -1 0`, `5 - -1 0 -`,
		} {
			if other := `{"high":1,"low":1}`; got[i] != want && got[i] != want[:2]+other+want[20:] {
				t.Errorf("scan %s; want %s", got[i], want)
			}
		}
	}, event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, db.Migrations{Room: "scan", Files: old}, schedule.Migrations)
}
