// Package findingtest has a large fleet for tests of what a feed's update means for it.
package findingtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/platform/auth"
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

// Delta is a fleet of 10,000 nodes with 200 inventories of 600 components, matched
// against the feed of June 2026: under that of August 300,000 more occurrences are
// open on them.
type Delta struct {
	*finding.Service
	Fleet     *fleet.Service
	DB        *db.DB
	Knowledge *feed.Service
	June      *feed.Revision

	b     testing.TB
	store *feed.Store
}

// Install makes the feed of a day the present one.
func (f Delta) Install(day string) *feed.Revision {
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

// NewDelta returns the fleet in a database of its own, which has the tables of all
// rooms that are named. It needs the shared feeds.
func NewDelta(b testing.TB, now func() time.Time, migrations ...db.Migrations) Delta {
	b.Helper()
	dir := b.TempDir()
	d := dbtest.OpenSQLite(b, filepath.Join(dir, "patrol.db"), migrations...)
	store, err := feed.Open(filepath.Join(dir, "feed"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	rooms := fleet.NewService(d, auth.NewService(d, now), lease.NewSignals(), now)
	f := Delta{
		Service: finding.NewService(d, rooms, now), Fleet: rooms, DB: d, Knowledge: feed.NewService(store, d, feed.Settings{}, now), b: b, store: store,
	}
	sample, err := store.Current(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	f.June = f.Install("2026-06-01")
	// What August says is needed to choose components; June is installed again after.
	later, err := feed.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	august := Delta{b: b, store: later}.Install("2026-08-21")
	choose := newChoice(b, sample, f.June, august)
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
	if err := f.Rematch(b.Context(), f.Knowledge, f.June); err != nil {
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

func newChoice(b testing.TB, none, june, august *feed.Revision) *choice {
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
func changed(b testing.TB, before, after *feed.Revision) []feed.Package {
	changes, err := feed.Compare(before, after)
	if err != nil {
		b.Fatal(err)
	}
	return changes.Packages
}

func found(b testing.TB, rev *feed.Revision, c sbom.Component) (n int) {
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
