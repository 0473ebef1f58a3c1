package match_test

import (
	"reflect"
	"testing"

	"patrol/internal/match"
)

func TestName(t *testing.T) {
	ids := func(list ...string) []string { return list }
	for _, test := range []struct {
		name    string
		records []match.Record
		want    map[string][]string
	}{
		{
			"its own id",
			[]match.Record{{ID: "CVE-2099-0001"}},
			map[string][]string{"CVE-2099-0001": {"CVE-2099-0001"}},
		},
		{
			"aliases",
			[]match.Record{{ID: "GHSA-aaaa-aaaa-aaaa", Aliases: ids("PYSEC-2099-1", "CVE-2099-0001")}},
			map[string][]string{"GHSA-aaaa-aaaa-aaaa": {"CVE-2099-0001"}},
		},
		{
			"two CVEs are two vulnerabilities, sorted",
			[]match.Record{{ID: "GO-2099-0001", Aliases: ids("CVE-2099-0002", "CVE-2099-0001", "CVE-2099-0002")}},
			map[string][]string{"GO-2099-0001": {"CVE-2099-0001", "CVE-2099-0002"}},
		},
		{
			"upstream, as Debian, Ubuntu and Alpine name it",
			[]match.Record{
				{ID: "DEBIAN-CVE-2099-0001", Upstream: ids("CVE-2099-0001")},
				{ID: "UBUNTU-CVE-2099-0001", Upstream: ids("CVE-2099-0001")},
				{ID: "ALPINE-CVE-2099-0001", Upstream: ids("CVE-2099-0001")},
			},
			map[string][]string{
				"DEBIAN-CVE-2099-0001": {"CVE-2099-0001"},
				"UBUNTU-CVE-2099-0001": {"CVE-2099-0001"},
				"ALPINE-CVE-2099-0001": {"CVE-2099-0001"},
			},
		},
		{
			"errata, by upstream or related",
			[]match.Record{
				{ID: "USN-9001-1", Upstream: ids("UBUNTU-CVE-2099-0001", "CVE-2099-0001")},
				{ID: "DSA-9001-1", Upstream: ids("CVE-2099-0002")},
				{ID: "DLA-9001-1", Related: ids("CVE-2099-0003")},
				{ID: "ALSA-2099:0001", Related: ids("CVE-2099-0004", "CVE-2099-0005")},
				{ID: "RLSA-2099:0001", Related: ids("CVE-2099-0006")},
				{ID: "openSUSE-SU-2099:0001-1", Related: ids("CVE-2099-0007")},
			},
			map[string][]string{
				"USN-9001-1":              {"CVE-2099-0001"},
				"DSA-9001-1":              {"CVE-2099-0002"},
				"DLA-9001-1":              {"CVE-2099-0003"},
				"ALSA-2099:0001":          {"CVE-2099-0004", "CVE-2099-0005"},
				"RLSA-2099:0001":          {"CVE-2099-0006"},
				"openSUSE-SU-2099:0001-1": {"CVE-2099-0007"},
			},
		},
		{
			"related names nothing outside of errata",
			[]match.Record{{ID: "GHSA-aaaa-aaaa-aaaa", Related: ids("CVE-2099-0001")}},
			map[string][]string{"GHSA-aaaa-aaaa-aaaa": {"GHSA-aaaa-aaaa-aaaa"}},
		},
		{
			"an erratum without a CVE is no vulnerability",
			[]match.Record{{ID: "ALBA-2099:0001"}, {ID: "ALSA-2099:0001", Related: ids("GHSA-aaaa-aaaa-aaaa")}},
			map[string][]string{},
		},
		{
			"an alias that names this record and not the other way round",
			[]match.Record{{ID: "PYSEC-2099-1"}, {ID: "GHSA-aaaa-aaaa-aaaa", Aliases: ids("PYSEC-2099-1", "CVE-2099-0001")}},
			map[string][]string{"PYSEC-2099-1": {"CVE-2099-0001"}, "GHSA-aaaa-aaaa-aaaa": {"CVE-2099-0001"}},
		},
		{
			"aliases of aliases, also through an id that has no record",
			[]match.Record{
				{ID: "OSV-2099-1", Aliases: ids("PYSEC-2099-1")},
				{ID: "SNYK-1", Aliases: ids("PYSEC-2099-1", "GHSA-aaaa-aaaa-aaaa")},
				{ID: "GO-2099-0001", Aliases: ids("GHSA-aaaa-aaaa-aaaa", "CVE-2099-0001")},
			},
			map[string][]string{"OSV-2099-1": {"CVE-2099-0001"}, "SNYK-1": {"CVE-2099-0001"}, "GO-2099-0001": {"CVE-2099-0001"}},
		},
		{
			"without a CVE the lexically first GHSA",
			[]match.Record{
				{ID: "A-1", Aliases: ids("GHSA-bbbb-bbbb-bbbb")},
				{ID: "GHSA-bbbb-bbbb-bbbb", Aliases: ids("GHSA-aaaa-aaaa-aaaa")},
			},
			map[string][]string{"A-1": {"GHSA-aaaa-aaaa-aaaa"}, "GHSA-bbbb-bbbb-bbbb": {"GHSA-aaaa-aaaa-aaaa"}},
		},
		{
			"without a GHSA the lexically first id",
			[]match.Record{{ID: "RUSTSEC-2099-0002", Aliases: ids("RUSTSEC-2099-0001")}, {ID: "MAL-2099-1"}},
			map[string][]string{"RUSTSEC-2099-0002": {"RUSTSEC-2099-0001"}, "MAL-2099-1": {"MAL-2099-1"}},
		},
		{
			"two CVEs in one alias group: who names one is about that one, who names none is about both",
			[]match.Record{
				{ID: "GO-2099-0001", Aliases: ids("CVE-2099-0001", "CVE-2099-0002", "GHSA-aaaa-aaaa-aaaa")},
				{ID: "GHSA-aaaa-aaaa-aaaa", Aliases: ids("CVE-2099-0001")},
				{ID: "PYSEC-2099-1", Aliases: ids("GHSA-aaaa-aaaa-aaaa")},
			},
			map[string][]string{
				"GO-2099-0001":        {"CVE-2099-0001", "CVE-2099-0002"},
				"GHSA-aaaa-aaaa-aaaa": {"CVE-2099-0001"},
				"PYSEC-2099-1":        {"CVE-2099-0001", "CVE-2099-0002"},
			},
		},
		{
			"upstream without a CVE leads to the alias group there",
			[]match.Record{
				{ID: "CGA-1", Upstream: ids("GHSA-aaaa-aaaa-aaaa")},
				{ID: "PYSEC-2099-1", Aliases: ids("GHSA-aaaa-aaaa-aaaa", "CVE-2099-0001")},
				{ID: "CGA-2", Upstream: ids("GHSA-zzzz-zzzz-zzzz")},
				{ID: "ECHO-1", Upstream: ids("DEBIAN-CVE-2099-0009")},
				{ID: "DEBIAN-CVE-2099-0009", Upstream: ids("CVE-2099-0009")},
			},
			map[string][]string{
				"CGA-1":                {"CVE-2099-0001"},
				"PYSEC-2099-1":         {"CVE-2099-0001"},
				"CGA-2":                {"GHSA-zzzz-zzzz-zzzz"},
				"ECHO-1":               {"CVE-2099-0009"},
				"DEBIAN-CVE-2099-0009": {"CVE-2099-0009"},
			},
		},
		{
			"two upstream are two vulnerabilities, which it does not make one",
			[]match.Record{
				{ID: "CGA-1", Upstream: ids("GHSA-aaaa-aaaa-aaaa", "GHSA-bbbb-bbbb-bbbb")},
				{ID: "GHSA-aaaa-aaaa-aaaa", Aliases: ids("CVE-2099-0001")},
				{ID: "GHSA-bbbb-bbbb-bbbb"},
			},
			map[string][]string{
				"CGA-1":               {"CVE-2099-0001", "GHSA-bbbb-bbbb-bbbb"},
				"GHSA-aaaa-aaaa-aaaa": {"CVE-2099-0001"},
				"GHSA-bbbb-bbbb-bbbb": {"GHSA-bbbb-bbbb-bbbb"},
			},
		},
		{
			"two errata that alias one another do not join what they fix",
			[]match.Record{
				{ID: "USN-1-1", Aliases: ids("GHSA-aaaa-aaaa-aaaa", "GHSA-bbbb-bbbb-bbbb")},
				{ID: "GHSA-aaaa-aaaa-aaaa"},
				{ID: "GHSA-bbbb-bbbb-bbbb"},
			},
			map[string][]string{
				"GHSA-aaaa-aaaa-aaaa": {"GHSA-aaaa-aaaa-aaaa"},
				"GHSA-bbbb-bbbb-bbbb": {"GHSA-bbbb-bbbb-bbbb"},
			},
		},
		{
			"empty ids name nothing",
			[]match.Record{{ID: "RUSTSEC-2099-0001", Aliases: ids(""), Upstream: ids("")}},
			map[string][]string{"RUSTSEC-2099-0001": {"RUSTSEC-2099-0001"}},
		},
		{
			"what only looks like a CVE is none",
			[]match.Record{{ID: "DEBIAN-CVE-2099-0001", Upstream: ids("CVE-2099-1", "cve-2099-0001")}},
			map[string][]string{"DEBIAN-CVE-2099-0001": {"CVE-2099-1", "cve-2099-0001"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := match.Name(test.records); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

func TestIsErratum(t *testing.T) {
	for id, want := range map[string]bool{
		"ALSA-2099:1": true, "ALBA-2099:1": true, "ALEA-2099:1": true, "RLSA-2099:1": true, "RHSA-2099:1": true,
		"ELSA-2099-1": true, "SUSE-SU-2099:1-1": true, "openSUSE-SU-2099:1-1": true, "DSA-1-1": true, "DLA-1-1": true, "USN-1-1": true,
		"DEBIAN-CVE-2099-0001": false, "CVE-2099-0001": false, "GHSA-aaaa-aaaa-aaaa": false, "GO-2099-0001": false,
	} {
		if got := match.IsErratum(id); got != want {
			t.Errorf("%s: %t", id, got)
		}
	}
}
