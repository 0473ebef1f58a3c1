package schedule_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// BenchmarkFire fires a thousand schedules that are due at one instant, each for ten
// of ten thousand nodes, and tells how late they are by a clock that goes on.
func BenchmarkFire(b *testing.B) {
	const schedules, nodes = 1000, 10_000
	for name, d := range map[string]func(*testing.B) *db.DB{"sqlite": openSQLite, "postgresql": openPostgres} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				d := d(b)
				h := newHouse(b, d, clocktest.At(noon))
				first := h.labelled("web-0", map[string]string{"group": "0"})
				err := d.Write(b.Context(), func(tx *db.Tx) error {
					_, err := tx.ExecContext(b.Context(), `INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen)
						SELECT n.id || '-' || j.value, n.id || '-' || j.value, kind, name || '-' || j.value, '', distribution, architecture, kernel, agent,
						'{"group":"' || (j.value % `+fmt.Sprint(schedules)+`) || '"}', first_seen, last_seen
						FROM node AS n, (WITH RECURSIVE c (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM c WHERE value < `+fmt.Sprint(nodes-1)+`) SELECT value FROM c) AS j WHERE n.id = '`+first+`'`)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
				for i := range schedules {
					def := hourly(fmt.Sprint(i))
					def.Enabled = false
					def.Selector = fmt.Sprintf(`node.kind == "host" && node.labels["group"] == "%d"`, i)
					if err := d.Write(b.Context(), func(tx *db.Tx) error { return h.Insert(b.Context(), tx, def, noon.Add(time.Hour)) }); err != nil {
						b.Fatal(err)
					}
				}
				due := noon.Add(time.Hour)
				began := time.Now()
				going := schedule.NewService(d, h.scans, h.fleet, fresh{}, h.signals, func() time.Time { return due.Add(time.Since(began)) })
				began = time.Now()
				b.StartTimer()
				if _, err := going.FireDue(b.Context()); err != nil {
					b.Fatal(err)
				}
				fired := time.Since(began)
				for {
					wait, err := going.Advance(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if wait > 0 {
						break
					}
				}
				b.StopTimer()
				late := []float64{}
				rows, err := d.Read().QueryContext(b.Context(), `SELECT fired_at - scheduled_for FROM run`)
				micros, err := db.All(rows, err, db.Value[int64])
				if err != nil {
					b.Fatal(err)
				}
				for _, n := range micros {
					late = append(late, float64(n)/1000)
				}
				slices.Sort(late)
				b.ReportMetric(late[len(late)*99/100], "p99-ms")
				b.ReportMetric(late[len(late)/2], "p50-ms")
				b.ReportMetric(fired.Seconds(), "fired-s")
				b.ReportMetric(time.Since(began).Seconds(), "all-s")
				b.ReportMetric(float64(len(late)), "runs")
				b.ReportMetric(float64(count(b, d, `SELECT count(*) FROM scan`)), "scans")
				b.StartTimer()
			}
		})
	}
}

func count(b *testing.B, d *db.DB, query string) (n int) {
	if err := d.Read().QueryRowContext(b.Context(), query).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

var rooms = []db.Migrations{event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations, schedule.Migrations}

func openSQLite(b *testing.B) *db.DB {
	d, err := db.Open(b.Context(), b.TempDir()+"/patrol.db")
	return migrated(b, d, err)
}

func openPostgres(b *testing.B) *db.DB {
	d, err := db.OpenPostgres(b.Context(), dbtest.PostgresURL(b))
	return migrated(b, d, err)
}

func migrated(b *testing.B, d *db.DB, err error) *db.DB {
	if err == nil {
		err = d.Migrate(b.Context(), rooms...)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return d
}
