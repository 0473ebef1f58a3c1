// Package simulate makes a fleet of any size that nobody has: for demonstrations,
// and to see what a console bears. The same seed makes the same fleet.
//
// A fleet is written straight into the tables of the rooms, in bulk, as their own
// services would leave them after every node was scanned once: a day's work of a
// fleet in a minute. Its documents are real and can be read; its vulnerabilities
// are not, and say so by their names.
package simulate

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
)

// Fleet says what to make.
type Fleet struct {
	Nodes       int
	Inventories int // distinct ones, of 600 components each; nodes share them evenly
	Seed        uint64
	Now         time.Time
}

// Every fleet is made of these many packages. The first are installed everywhere;
// of the others each inventory has one out of every group.
const (
	components = 600 // an inventory
	everywhere = 300
	group      = 19
	packages   = everywhere + (components-everywhere)*group
	versions   = 4 // of each package
)

// chance is a number that depends on the seed and what it is for alone.
func (f Fleet) chance(of ...uint64) uint64 {
	x := f.Seed
	for _, n := range of {
		// The finalizer of SplitMix64: near inputs give distant outputs.
		x += n + 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// Fill writes the fleet into an empty, migrated database of all rooms.
func (f Fleet) Fill(ctx context.Context, d *db.DB) error {
	restore, err := dropIndexes(ctx, d)
	if err != nil {
		return fmt.Errorf("make a fleet: %w", err)
	}
	for _, step := range []struct {
		what string
		fill func(context.Context, *db.DB) error
	}{
		{"components", f.fillComponents},
		{"vulnerabilities", f.fillVulnerabilities},
		{"inventories", f.fillInventories},
		{"nodes", f.fillNodes},
		{"decisions", f.fillDecisions},
		{"scans", f.fillScans},
		{"indexes", restore},
		{"counts", fillCounts},
	} {
		if err := step.fill(ctx, d); err != nil {
			return fmt.Errorf("make a fleet: %s: %w", step.what, err)
		}
	}
	return nil
}

// execute runs statements in one transaction.
func execute(ctx context.Context, d *db.DB, statements ...statement) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		for _, s := range statements {
			if _, err := tx.ExecContext(ctx, s.text, s.args...); err != nil {
				return fmt.Errorf("%w in %.120s", err, s.text)
			}
		}
		return nil
	})
}

type statement struct {
	text string
	args []any
}
