package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"patrol/internal/sbom"
)

func TestNames(t *testing.T) {
	for _, test := range []struct {
		name    string
		record  record
		aliases []string
		want    string
	}{
		{"the id", record{ID: "CVE-2024-0001"}, nil, "CVE-2024-0001"},
		{"aliases", record{ID: "GO-2024-1", Aliases: []string{"GHSA-a", "CVE-2024-0002", "CVE-2024-0001"}}, nil, "CVE-2024-0001 CVE-2024-0002"},
		{"upstream", record{ID: "DEBIAN-CVE-2024-0001", Upstream: []string{"CVE-2024-0001"}}, nil, "CVE-2024-0001"},
		{"an erratum's related", record{ID: "ALSA-2024:1", Related: []string{"CVE-2024-0001"}}, nil, "CVE-2024-0001"},
		{"related elsewhere is another", record{ID: "RUSTSEC-2024-1", Related: []string{"CVE-2024-0001"}}, nil, "RUSTSEC-2024-1"},
		{"an erratum without a CVE", record{ID: "ALBA-2024:1"}, nil, ""},
		{"a CVE of its alias group", record{ID: "PYSEC-2024-1"}, []string{"GHSA-a", "CVE-2024-0001"}, "CVE-2024-0001"},
		{"the first GHSA", record{ID: "GO-2024-1", Aliases: []string{"GHSA-b", "GHSA-a"}}, nil, "GHSA-a"},
	} {
		if got := strings.Join(test.record.names(test.aliases), " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestUnexplained: what no rule covers is told, whoever is alone with it.
func TestUnexplained(t *testing.T) {
	known := archives(t.TempDir())
	c := newComponent("Debian:12", "curl", "1.0-1")
	theirs := &osvScanner{pairs: map[pair]*found{{"CVE-2024-0001", c}: {record: record{ID: "DEBIAN-CVE-2024-0001"}, places: []place{{path: "/var/lib/dpkg/status"}}}}}
	ours := &patrol{components: map[component]sbom.Component{c: {Source: sbom.SourcePackage{Name: "curl", Version: "1.0-1"}}}}
	differences, err := explain(known, ours, theirs)
	if err != nil || len(differences[unexplained]) != 1 {
		t.Errorf("%v, %v", differences, err)
	}
	ours.components[c] = sbom.Component{Source: sbom.SourcePackage{Name: "curl", Version: "2.0-1"}}
	differences, err = explain(known, ours, theirs)
	if rules := slices.Collect(maps.Keys(differences)); err != nil || !slices.Equal(rules, []string{binary}) {
		t.Errorf("%v, %v", differences, err)
	}
	ours.pairs = map[pair][]string{{"CVE-2024-0002", c}: {"DEBIAN-CVE-2024-0002"}}
	if _, err := explain(known, ours, theirs); err == nil {
		t.Error("no error though the feed has no archive of Debian")
	}
}
