package match_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

// TestOrderNeverMatters: a feed is a set. The order of records, statements,
// ranges, events, versions and components changes nothing that is found.
func TestOrderNeverMatters(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		records, statements, components := world(r)
		want := inventory(t, know(records, statements...), components...)
		for range 5 {
			shuffle(r, records)
			shuffle(r, statements)
			shuffle(r, components)
			for i := range statements {
				shuffle(r, statements[i].Ranges)
				shuffle(r, statements[i].Versions)
				for _, rng := range statements[i].Ranges {
					shuffle(r, rng.Events)
				}
			}
			got := inventory(t, know(records, statements...), components...)
			if !reflect.DeepEqual(got.Findings, want.Findings) {
				t.Fatalf("seed %d: the order of %+v and %+v matters:\n%+v\n%+v", seed, records, statements, want.Findings, got.Findings)
			}
			if !reflect.DeepEqual(unread(got), unread(want)) {
				t.Fatalf("seed %d: unread %v, then %v", seed, unread(want), unread(got))
			}
		}
	}
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func unread(result *match.Result) []sbom.Key {
	var keys []sbom.Key
	for _, u := range result.Unread {
		keys = append(keys, u.Component)
	}
	slices.SortFunc(keys, sbom.Key.Compare)
	return keys
}

// world makes up a few records about one package, and components of it. Versions
// are few, so that events meet.
func world(r *rand.Rand) (records []match.Record, statements []match.Affected, components []sbom.Key) {
	line := []string{"npm", "PyPI", "Debian:12", "AlmaLinux:9", "Maven"}[r.IntN(5)]
	version := func() string { return fmt.Sprintf("%d.%d", r.IntN(3), r.IntN(4)) }
	kinds := []match.EventKind{match.Introduced, match.Fixed, match.Introduced, match.Fixed, match.LastAffected, match.Limit}
	rangeType := "ECOSYSTEM"
	if line == "npm" {
		rangeType = "SEMVER"
	}
	for i := range 1 + r.IntN(4) {
		record := match.Record{ID: fmt.Sprintf("TEST-%d", i)}
		for range r.IntN(3) {
			record.Aliases = append(record.Aliases, []string{"CVE-2099-0001", "CVE-2099-0002", "GHSA-aaaa-aaaa-aaaa", "TEST-0"}[r.IntN(4)])
		}
		records = append(records, record)
		s := match.Affected{Record: record.ID, Ecosystem: line, Package: []string{"thing", "Thing"}[r.IntN(2)]}
		if line != "PyPI" {
			s.Package = "thing"
		}
		for range r.IntN(3) {
			one := match.Range{Type: rangeType, Events: []match.Event{{Kind: match.Introduced, Version: "0"}}}
			for range r.IntN(6) {
				one.Events = append(one.Events, match.Event{Kind: kinds[r.IntN(len(kinds))], Version: version()})
			}
			s.Ranges = append(s.Ranges, one)
		}
		for range r.IntN(3) {
			s.Versions = append(s.Versions, version())
		}
		statements = append(statements, s)
	}
	for range 4 {
		components = append(components, sbom.Key{Ecosystem: line, Name: "thing", Version: version()})
	}
	return records, statements, append(components, sbom.Key{Ecosystem: line, Name: "thing", Version: "(devel)"})
}
