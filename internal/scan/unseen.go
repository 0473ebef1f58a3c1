package scan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"patrol/internal/collect"
	"patrol/internal/finding"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/sbom"
)

// What could not be read is not gone. A package database that is damaged today
// must not close what was found in it yesterday: its components are unseen, what
// was found in them stays open, and the scan says that it did not assess them.

// before is what a node's last complete scan left, and what is known to be wrong with
// that by now. To a node that was revived, nothing of before it was retired counts.
type before struct {
	node     string
	state    finding.State
	document string
	// unseen are components that scan could not look at, either.
	unseen []sbom.Component
}

func (s *Service) before(ctx context.Context, scan string) (b before, err error) {
	err = s.db.Read().QueryRowContext(ctx, `SELECT s.node_id, COALESCE(d.inventory_id, 0), COALESCE(h.result_id, 0), COALESCE(d.digest, ''), COALESCE(p.unseen, '[]')
		FROM scan AS s
		JOIN node AS n ON n.id = s.node_id
		LEFT JOIN scan AS p ON p.id = (SELECT id FROM scan WHERE node_id = s.node_id AND state = 'complete' AND id <> s.id
			AND finished_at >= COALESCE(n.revived_at, 0) ORDER BY finished_at DESC, id DESC LIMIT 1)
		LEFT JOIN sbom AS d ON d.id = p.sbom_id
		LEFT JOIN node_result AS h ON h.node_id = s.node_id
		WHERE s.id = $1`, scan).Scan(&b.node, &b.state.Inventory, &b.state.Result, &b.document, db.JSON{Into: &b.unseen})
	if err != nil {
		return b, fmt.Errorf("read what the node had before scan %s: %w", scan, err)
	}
	return b, nil
}

// gaps is what a scan could not look at.
type gaps struct {
	unseen      []sbom.Component
	notAssessed []match.NotAssessed
}

// gaps compares what was collected with what stood before where there was no
// looking now.
func (s *Service) gaps(ctx context.Context, b before, document string, warnings []collect.Warning) (gaps, error) {
	g := gaps{[]sbom.Component{}, []match.NotAssessed{}}
	if len(warnings) == 0 {
		return g, nil
	}
	now, err := s.fleet.Document(ctx, document)
	if err != nil {
		return g, err
	}
	known := b.unseen
	if b.document != "" {
		old, err := s.fleet.Document(ctx, b.document)
		if err != nil {
			return g, err
		}
		known = append(known, old.Components...)
	}
	g.unseen = unseen(known, now.Components, warnings)
	for _, w := range warnings {
		if collect.IsPackageDatabase(w.Path) {
			g.notAssessed = append(g.notAssessed, match.NotAssessed{
				Ecosystem: cmp.Or(now.Distribution.Name, "packages of the distribution"), Reason: w.Path + " could not be read",
			})
		}
	}
	for ecosystem, count := range countByEcosystem(g.unseen) {
		g.notAssessed = append(g.notAssessed, match.NotAssessed{
			Ecosystem: ecosystem,
			Reason:    fmt.Sprintf("%d components stood where this scan could not read; what was found in them stays open", count),
		})
	}
	slices.SortFunc(g.notAssessed, func(x, y match.NotAssessed) int {
		return cmp.Or(cmp.Compare(x.Ecosystem, y.Ecosystem), cmp.Compare(x.Reason, y.Reason))
	})
	g.notAssessed = slices.Compact(g.notAssessed)
	return g, nil
}

// unseen returns the known components that are not found now and stood at, or
// below, a place that could not be read.
func unseen(known, now []sbom.Component, warnings []collect.Warning) []sbom.Component {
	blind := make(map[string]bool, len(warnings))
	for _, w := range warnings {
		blind[w.Path] = true
	}
	have := make(map[sbom.Key]bool, len(now))
	for _, c := range now {
		have[c.Key()] = true
	}
	lost := []sbom.Component{}
	for _, c := range known {
		if !have[c.Key()] && slices.ContainsFunc(c.Locations, func(place string) bool { return within(place, blind) }) {
			have[c.Key()] = true
			lost = append(lost, c)
		}
	}
	return lost
}

// within tells whether a place is one of the paths, or below one.
func within(place string, paths map[string]bool) bool {
	for {
		if paths[place] {
			return true
		}
		cut := strings.LastIndexByte(place, '/')
		if cut < 0 {
			return paths["."]
		}
		place = place[:cut]
	}
}

func countByEcosystem(components []sbom.Component) map[string]int {
	counts := make(map[string]int)
	for _, c := range components {
		counts[c.Ecosystem]++
	}
	return counts
}

func keysOf(components []sbom.Component) []sbom.Key {
	keys := make([]sbom.Key, len(components))
	for i, c := range components {
		keys[i] = c.Key()
	}
	return keys
}
