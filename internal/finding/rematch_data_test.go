//go:build shareddata

package finding_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/lease"
	"patrol/internal/sbom"
)

const (
	manyNodes       = 10_000
	manyInventories = 200
	manyComponents  = 600
	manyAffected    = 15
	openedPerNode   = 30
)

// BenchmarkRematch has 10,000 nodes with 200 inventories of 600 components matched
// against the feed of August 2026, when they had that of June: 300,000 occurrences
// open.
func BenchmarkRematch(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		f := newManyNodes(b)
		august := f.install("2026-08-21")
		b.StartTimer()
		start := time.Now()
		components, err := f.Differing(b.Context(), f.june, august)
		if err != nil {
			b.Fatal(err)
		}
		matching := time.Since(start)
		b.StopTimer()
		b.StartTimer()
		start = time.Now()
		before := cpu(b)
		if err := f.Rematch(b.Context(), f.knowledge, august); err != nil {
			b.Fatal(err)
		}
		took := time.Since(start)
		worked := cpu(b) - before
		opened := dbtest.Count(b, f.db.Read(), `SELECT opened + resolved FROM rematch WHERE revision = '`+august.ID()+`'`)
		b.ReportMetric(float64(matching.Milliseconds()), "ms-matching")
		b.ReportMetric(float64(components), "components-that-differ")
		b.ReportMetric(float64(opened), "occurrences")
		b.ReportMetric(took.Seconds(), "s-in-all")
		b.ReportMetric(worked.Seconds(), "cpu-s-in-all")
		b.ReportMetric(float64(opened)/took.Seconds(), "occurrences/s-in-all")
	}
}

type largeFleet struct {
	*finding.Service
	b         *testing.B
	db        *db.DB
	store     *feed.Store
	knowledge *feed.Service
	june      *feed.Revision
}

func (f largeFleet) install(day string) *feed.Revision {
	f.b.Helper()
	shared := os.Getenv("PATROL_SHARED")
	if shared == "" {
		shared = "../../../shared"
	}
	dir := filepath.Join(shared, "feeds", day)
	if _, err := f.store.Update(f.b.Context(), feed.Options{URL: dir, Ecosystems: []string{"AlmaLinux", "Go", "crates.io"}}); err != nil {
		f.b.Fatal(err)
	}
	rev, err := f.store.Current(f.b.Context())
	if err != nil {
		f.b.Fatal(err)
	}
	return rev
}

func newManyNodes(b *testing.B) largeFleet {
	b.Helper()
	dir := b.TempDir()
	d := dbtest.OpenSQLite(b, filepath.Join(dir, "patrol.db"), append(migrations, feed.Migrations)...)
	store, err := feed.Open(filepath.Join(dir, "feed"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	clock := clocktest.At(noon)
	rooms := fleet.NewService(d, auth.NewService(d, clock.Now), lease.NewSignals(), clock.Now)
	f := largeFleet{finding.NewService(d, rooms, clock.Now), b, d, store, feed.NewService(store, d, feed.Settings{}, clock.Now), nil}
	sample, err := store.Current(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	f.june = f.install("2026-06-01")
	// What August says is needed to choose components; June is installed again after.
	later, err := feed.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	august := largeFleet{b: b, store: later}.install("2026-08-21")
	choose := newChoice(b, sample, f.june, august)
	inventories := make([][2]int64, manyInventories)
	for i := range inventories {
		doc := &sbom.Document{Components: choose.components()}
		doc.Normalize()
		encoded, err := doc.Encode()
		if err != nil {
			b.Fatal(err)
		}
		digest := sbom.Digest(encoded)
		if err := rooms.Put(b.Context(), digest, encoded); err != nil {
			b.Fatal(err)
		}
		kept, _, err := rooms.Lookup(b.Context(), digest)
		if err != nil {
			b.Fatal(err)
		}
		inventories[i] = [2]int64{kept.ID, kept.Inventory.ID}
	}
	_ = later.Close()
	rows := make([][3]any, manyNodes)
	for i := range rows {
		rows[i] = [3]any{db.NewID(), inventories[i%manyInventories][0], inventories[i%manyInventories][1]}
	}
	list, err := db.ToJSON(rows)
	if err != nil {
		b.Fatal(err)
	}
	dbtest.Write(b, d, func(tx *db.Tx) error {
		for _, statement := range []string{
			`INSERT INTO node (id, enrolment_key, kind, name, machine_id, distribution, architecture, kernel, agent, labels, first_seen, last_seen, sbom_id, inventory_id)
				SELECT value->>0, value->>0, 'host', 'host-' || key, '', '{}', '', '', '', '{}', 0, 0, value->>1, value->>2 FROM json_each($1) AS j`,
			`INSERT INTO result (id, digest, uncovered, unread) SELECT 1, 'nothing', '[]', '[]' WHERE $1 <> ''`,
			`INSERT INTO node_result (node_id, result_id) SELECT value->>0, 1 FROM json_each($1) AS j`,
			`INSERT INTO node_number (node_id) SELECT value->>0 FROM json_each($1) AS j`,
		} {
			if _, err := tx.ExecContext(b.Context(), statement, list); err != nil {
				return err
			}
		}
		return nil
	})
	if err := f.Rematch(b.Context(), f.knowledge, f.june); err != nil {
		b.Fatal(err)
	}
	b.Log("open under June:", dbtest.Count(b, d.Read(), `SELECT count(*) FROM occurrence`))
	return f
}

// choice picks components of which August says more than June, and others.
type choice struct {
	*rand.Rand
	gains []gaining
	// affected are so before and after, others never.
	affected, others []sbom.Component
}

type gaining struct {
	sbom.Component
	more int
}

func newChoice(b *testing.B, none, june, august *feed.Revision) *choice {
	c := &choice{Rand: rand.New(rand.NewPCG(1, 2))}
	dirty := map[feed.Package]bool{}
	for _, p := range changed(b, june, august) {
		dirty[p] = true
	}
	for _, p := range changed(b, none, august) {
		if p.Ecosystem != "Go" && p.Ecosystem != "crates.io" && match.Base(p.Ecosystem) != "AlmaLinux" {
			continue
		}
		component := sbom.Component{Ecosystem: p.Ecosystem, Name: p.Name, Version: "0.0.1"}
		if match.Base(p.Ecosystem) == "AlmaLinux" {
			component.Version = "0:0.0.1-1"
		}
		more := found(b, august, component) - found(b, june, component)
		if dirty[p] && more > 0 && more <= 5 {
			c.gains = append(c.gains, gaining{component, more})
			continue
		}
		if n := found(b, june, component); !dirty[p] && n > 0 && n < 3 {
			c.affected = append(c.affected, component)
		}
		// Most of what is installed is not affected.
		if component.Version = "99999.0.0"; match.Base(p.Ecosystem) == "AlmaLinux" {
			component.Version = "99999:1-1"
		}
		if found(b, august, component) == 0 {
			c.others = append(c.others, component)
		}
	}
	b.Logf("%d packages gain, %d others", len(c.gains), len(c.others))
	return c
}

// changed are the packages of which two revisions say different things.
func changed(b *testing.B, before, after *feed.Revision) []feed.Package {
	changes, err := feed.Compare(before, after)
	if err != nil {
		b.Fatal(err)
	}
	return changes.Packages
}

func found(b *testing.B, rev *feed.Revision, c sbom.Component) (n int) {
	matched, err := match.Inventory(rev, []sbom.Key{c.Key()})
	if err != nil {
		b.Fatal(err)
	}
	return len(matched.Findings[c.Key()])
}

func (c *choice) components() []sbom.Component {
	chosen := []sbom.Component{}
	for more := 0; more < openedPerNode; {
		g := c.gains[c.IntN(len(c.gains))]
		if more+g.more > openedPerNode {
			continue
		}
		more += g.more
		chosen = append(chosen, g.Component)
	}
	for range manyAffected {
		chosen = append(chosen, c.affected[c.IntN(len(c.affected))])
	}
	for len(chosen) < manyComponents {
		chosen = append(chosen, c.others[c.IntN(len(c.others))])
	}
	for i := range chosen {
		chosen[i].Locations = []string{fmt.Sprint("app/", i)}
	}
	return chosen
}

// cpu is how long the process has worked: what others on the machine do is not in
// it.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
