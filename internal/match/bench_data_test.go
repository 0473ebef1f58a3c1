//go:build shareddata

package match_test

import (
	"archive/zip"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

// drawn is how many components a benchmark matches: a well filled host.
const drawn = 3000

// BenchmarkInventory matches components of every ecosystem of the real feed, all
// of packages that it knows, half at a version that is fixed and half just
// below. The bound for all of them is 50 ms.
func BenchmarkInventory(b *testing.B) {
	root := os.Getenv("PATROL_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	feed := filepath.Join(root, "feeds", "2026-08-21")
	if _, err := os.Stat(feed); err != nil {
		b.Fatalf("%v: set PATROL_SHARED", err)
	}
	known := revision(b, feed)
	components := draw(b, feed)
	var findings int
	for b.Loop() {
		result, err := match.Inventory(known, components)
		if err != nil {
			b.Fatal(err)
		}
		findings = 0
		for _, list := range result.Findings {
			findings += len(list)
		}
		if len(result.Unread) > 0 {
			b.Fatalf("unread: %v", result.Unread[0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/inventory")
	b.ReportMetric(float64(len(components)), "components")
	b.ReportMetric(float64(findings), "findings")
}

// draw takes as many packages from each archive as from the others, evenly over
// their sorted names, each at one version that fixes something in it.
func draw(b *testing.B, feed string) []sbom.Key {
	archives, err := filepath.Glob(filepath.Join(feed, "*", "all.zip"))
	if err != nil || len(archives) == 0 {
		b.Fatalf("no archives in %s: %v", feed, err)
	}
	pools := make([][]sbom.Key, len(archives))
	for i, path := range archives {
		pools[i] = fixes(b, path)
	}
	// The smallest give all that they have, and the others what is left to draw.
	slices.SortFunc(pools, func(a, b []sbom.Key) int { return cmp.Compare(len(a), len(b)) })
	var components []sbom.Key
	for i, pool := range pools {
		n := min(len(pool), (drawn-len(components))/(len(pools)-i))
		for j := range n {
			c := pool[j*len(pool)/n]
			if j%2 == 1 {
				c.Version = below(c)
			}
			components = append(components, c)
		}
	}
	if len(components) != drawn {
		b.Fatalf("drew %d components", len(components))
	}
	return components
}

// fixes returns every package of the archive, at the version in the middle of
// those that fix something in it.
func fixes(b *testing.B, path string) []sbom.Key {
	archive, err := zip.OpenReader(path)
	if err != nil {
		b.Fatal(err)
	}
	defer archive.Close()
	var keys []sbom.Key
	for _, entry := range archive.File {
		content, err := entry.Open()
		if err != nil {
			b.Fatal(err)
		}
		var record struct {
			Affected []struct {
				Package struct{ Ecosystem, Name string }
				Ranges  []struct {
					Type   string
					Events []struct{ Fixed string }
				}
			}
		}
		if err := json.NewDecoder(content).Decode(&record); err != nil {
			b.Fatal(err)
		}
		for _, a := range record.Affected {
			for _, r := range a.Ranges {
				for _, e := range r.Events {
					// Not every word that a changelog was searched for is a version.
					if e.Fixed != "" && e.Fixed[0] >= '0' && e.Fixed[0] <= '9' && r.Type != "GIT" {
						keys = append(keys, sbom.Key{Ecosystem: a.Package.Ecosystem, Name: a.Package.Name, Version: e.Fixed})
					}
				}
			}
		}
	}
	slices.SortFunc(keys, sbom.Key.Compare)
	keys = slices.Compact(keys)
	var packages []sbom.Key
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n].Ecosystem == keys[0].Ecosystem && keys[n].Name == keys[0].Name {
			n++
		}
		packages = append(packages, keys[n/2])
		keys = keys[n:]
	}
	return packages
}

// below returns a version that comes right before the component's.
func below(c sbom.Key) string {
	switch match.Base(c.Ecosystem) {
	case "Debian", "AlmaLinux":
		return c.Version + "~"
	case "PyPI":
		return c.Version + ".dev0"
	default:
		return c.Version + "-0"
	}
}
