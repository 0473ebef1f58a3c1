package match_test

import (
	"slices"
	"strings"
	"testing"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

// TestEvaluation is the algorithm of the OSV schema, section "Evaluation", over
// the version orders that the ecosystems have.
func TestEvaluation(t *testing.T) {
	for _, test := range []struct {
		name      string
		ecosystem string
		ranges    []match.Range
		versions  []string
		in, out   string // installed versions that are affected, and that are not
	}{
		{
			name: "introduced 0 is before every version", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 0, fixed 1.2.3")},
			in:     "0.0.0-alpha 0.0.0 1.2.2 1.2.3-rc.1", out: "1.2.3 1.2.4 2.0.0",
		},
		{
			name: "no fixed event", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0")},
			in:     "1.0.0 99.0.0", out: "0.9.9 1.0.0-rc.1",
		},
		{
			name: "several pairs in one range", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0, fixed 1.2.0, introduced 2.0.0, fixed 2.1.0")},
			in:     "1.0.0 1.1.9 2.0.0 2.0.9", out: "0.9.0 1.2.0 1.9.9 2.1.0",
		},
		{
			name: "unsorted events", ecosystem: "npm",
			ranges: []match.Range{semver("fixed 2.1.0, introduced 1.0.0, introduced 2.0.0, fixed 1.2.0")},
			in:     "1.0.0 1.1.9 2.0.0 2.0.9", out: "0.9.0 1.2.0 1.9.9 2.1.0",
		},
		{
			name: "events sorted as versions, not as text", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 10.0.0, fixed 10.1.0, introduced 9.0.0, fixed 9.10.0")},
			in:     "9.0.0 9.9.0 10.0.5", out: "9.10.0 9.11.0 10.1.0",
		},
		{
			name: "introduced twice, fixed once", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 0, introduced 1.0.0, fixed 2.0.0")},
			in:     "0.1.0 1.5.0", out: "2.0.0 3.0.0",
		},
		{
			name: "ranges that meet are one", ecosystem: "PyPI",
			ranges: []match.Range{ecosystem("introduced 0.13.0, fixed 0.14.0, introduced 0.12.2, fixed 0.13.0")},
			in:     "0.12.2 0.12.9 0.13.0 0.13.5", out: "0.12.1 0.14.0",
		},
		{
			name: "an empty range is none", ecosystem: "crates.io",
			ranges: []match.Range{semver("introduced 0.9.0, fixed 0.9.2, introduced 0.10.0, fixed 0.10.0")},
			in:     "0.9.0 0.9.1", out: "0.9.2 0.10.0 0.11.0",
		},
		{
			name: "an empty range in other words", ecosystem: "crates.io",
			ranges: []match.Range{semver("fixed 0.10.0, introduced 0.10.0, fixed 0.9.2, introduced 0.9.0")},
			in:     "0.9.0 0.9.1", out: "0.9.2 0.10.0 0.11.0",
		},
		{
			name: "last_affected is affected itself", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0, last_affected 1.4.0")},
			in:     "1.0.0 1.4.0", out: "0.9.0 1.4.1 2.0.0",
		},
		{
			name: "introduced and last affected by one version", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.4.0, last_affected 1.4.0")},
			in:     "1.4.0", out: "1.3.9 1.4.1",
		},
		{
			name: "last_affected, and introduced again", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 0, last_affected 1.4.0, introduced 2.0.0")},
			in:     "1.4.0 2.0.0 3.0.0", out: "1.4.1 1.9.9",
		},
		{
			name: "limit ends a range that nothing fixes", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0, limit 2.0.0")},
			in:     "1.0.0 1.9.9", out: "0.9.0 2.0.0 3.0.0",
		},
		{
			name: "limit * is no limit", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0, fixed 3.0.0, limit *")},
			in:     "1.0.0 2.9.9", out: "3.0.0",
		},
		{
			name: "limit * where versions have rules", ecosystem: "Debian:12",
			ranges: []match.Range{ecosystem("introduced 0, limit *"), ecosystem("limit *, introduced 0, fixed 1.0-1")},
			in:     "0.1-1 9-1", out: "",
		},
		{
			name: "the highest of several limits", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0, limit 2.0.0, limit 1.5.0")},
			in:     "1.0.0 1.9.0", out: "2.0.0",
		},
		{
			name: "limit *, beside another", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0, limit 1.5.0, limit *")},
			in:     "1.0.0 1.9.0", out: "0.9.0",
		},
		{
			name: "explicit versions", ecosystem: "npm", versions: []string{"1.0.0", "1.0.2"},
			in: "1.0.0 1.0.2", out: "1.0.1 1.0.3",
		},
		{
			name: "versions and ranges are one union", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 2.0.0, fixed 2.1.0")}, versions: []string{"1.0.0"},
			in: "1.0.0 2.0.5", out: "1.0.1 2.1.0",
		},
		{
			name: "several ranges are one union", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0, fixed 1.1.0"), semver("introduced 2.0.0, fixed 2.1.0")},
			in:     "1.0.0 2.0.0", out: "1.1.0 2.1.0",
		},
		{
			name: "a SEMVER range is read by SemVer in PyPI too", ecosystem: "PyPI",
			ranges: []match.Range{semver("introduced 0, fixed 1.0.0")},
			in:     "1.0.0-post 0.9.0", out: "1.0.0 1.0.0+local",
		},
		{
			name: "a SEMVER range needs no order of the ecosystem's own", ecosystem: "GitHub Actions",
			ranges: []match.Range{semver("introduced 0, fixed 4.1.3")},
			in:     "v3 4.1.2", out: "v4.1.3 5.0.0",
		},
		{
			name: "npm prereleases", ecosystem: "npm",
			ranges: []match.Range{semver("introduced 1.0.0-beta.2, fixed 1.0.0-beta.11")},
			in:     "1.0.0-beta.2 1.0.0-beta.10", out: "1.0.0-alpha 1.0.0-beta.1 1.0.0-beta.11 1.0.0-rc 1.0.0",
		},
		{
			name: "Go versions, with and without v", ecosystem: "Go",
			ranges: []match.Range{semver("introduced 1.1.0, fixed 1.22.3")},
			in:     "1.22.2 v1.22.2 1.22.3-rc.1 1.1.0", out: "1.22.3 v1.22.3 1.22.4 1.0.9",
		},
		{
			name: "Go pseudo-versions", ecosystem: "Go",
			ranges: []match.Range{semver("introduced 0, fixed 0.0.0-20220314234659-1baeb1ce4c0b")},
			in:     "0.0.0-20211202192323-5770296d904e 0.0.0-20190308221718-c2843e01d9a2",
			out:    "0.0.0-20220314234659-1baeb1ce4c0b 0.0.0-20230102150405-abcdefabcdef 0.1.0",
		},
		{
			name: "Go +incompatible", ecosystem: "Go",
			ranges: []match.Range{semver("introduced 20.10.0+incompatible, fixed 24.0.9+incompatible")},
			in:     "24.0.8+incompatible 20.10.0+incompatible", out: "24.0.9+incompatible 25.0.0+incompatible",
		},
		{
			name: "Debian epochs", ecosystem: "Debian:12",
			ranges: []match.Range{ecosystem("introduced 0, fixed 1:2.0-1")},
			in:     "9.9-1 1:1.9-9", out: "1:2.0-1 1:2.0-1+b1 2:0.1-1",
		},
		{
			name: "Debian's tilde comes before nothing", ecosystem: "Debian:12",
			ranges: []match.Range{ecosystem("introduced 0, fixed 5.2.15-2")},
			in:     "5.2.15~rc1-1 5.2.15-2~bpo11+1 5.2.15-1", out: "5.2.15-2 5.2.15-2+b13 5.2.15-2+deb12u1",
		},
		{
			name: "Debian compares numbers by value", ecosystem: "Debian:12",
			ranges: []match.Range{ecosystem("introduced 0, fixed 2.5.0-1+deb12u10")},
			in:     "2.5.0-1+deb12u2 2.5.0-1+deb12u9", out: "2.5.0-1+deb12u10 2.5.0-1+deb12u11",
		},
		{
			name: "Ubuntu", ecosystem: "Ubuntu:22.04:LTS",
			ranges: []match.Range{ecosystem("introduced 0, fixed 3.0.2-0ubuntu1.15")},
			in:     "3.0.2-0ubuntu1.9", out: "3.0.2-0ubuntu1.15 3.0.2-0ubuntu1.15+esm1",
		},
		{
			name: "Alpine's build number", ecosystem: "Alpine:v3.20",
			ranges: []match.Range{ecosystem("introduced 0, fixed 1.36.1-r10")},
			in:     "1.36.1-r9 1.36.0-r20", out: "1.36.1-r10 1.36.1-r29 1.37.0-r0",
		},
		{
			name: "Alpine's suffixes", ecosystem: "Alpine:v3.20",
			ranges: []match.Range{ecosystem("introduced 0, fixed 1.2.5-r0")},
			in:     "1.2.5_rc1-r0 1.2.4_git20230717-r4", out: "1.2.5-r0 1.2.5_git20240512-r0 1.2.5_p1-r0",
		},
		{
			name: "rpm epochs", ecosystem: "AlmaLinux:9",
			ranges: []match.Range{ecosystem("introduced 0, fixed 1:1.1.1k-12.el9")},
			in:     "9.9.9-1.el9 0:9.9.9-1.el9 1:1.1.1k-9.el9", out: "1:1.1.1k-12.el9 1:1.1.1k-14.el9_2 2:0.1-1",
		},
		{
			name: "no epoch is epoch 0 in rpm", ecosystem: "Rocky Linux:9",
			ranges: []match.Range{ecosystem("introduced 0, fixed 0:2.34-100.el9")},
			in:     "2.34-99.el9", out: "2.34-100.el9 0:2.34-100.el9",
		},
		{
			name: "rpm's tilde is lower and its caret higher", ecosystem: "AlmaLinux:9",
			ranges: []match.Range{ecosystem("introduced 0, fixed 0:1.0-1.el9")},
			in:     "1.0~rc1-9.el9 1.0~rc1^git1-1.el9", out: "1.0-1.el9 1.0^20240101-1.el9 1.0.1-1.el9",
		},
		{
			name: "rpm, where SCALIBR names no order", ecosystem: "Azure Linux:3",
			ranges: []match.Range{ecosystem("introduced 0, fixed 0:8.8.0-2.azl3")},
			in:     "8.8.0-1.azl3 8.8.0~rc1-9.azl3", out: "8.8.0-2.azl3 8.8.0-10.azl3",
		},
		{
			name: "apk, where SCALIBR names no order", ecosystem: "CleanStart",
			ranges: []match.Range{ecosystem("introduced 0, fixed 1.36.1-r10")},
			in:     "1.36.1-r9 1.36.1_rc1-r20", out: "1.36.1-r10",
		},
		{
			name: "PyPI's development, candidate, final, post and local", ecosystem: "PyPI",
			ranges: []match.Range{ecosystem("introduced 0, fixed 2.0")},
			in:     "1.9.post3 2.0.dev1 2.0a1 2.0rc1 1.99+local", out: "2.0 2.0.0 2.0+local.1 2.0.post1 1!0.1",
		},
		{
			name: "PyPI's post releases", ecosystem: "PyPI",
			ranges: []match.Range{ecosystem("introduced 2.0, fixed 2.0.post2")},
			in:     "2.0 2.0.0 2.0.post1", out: "2.0rc1 2.0.post2 2.0.1",
		},
		{
			name: "Maven", ecosystem: "Maven",
			ranges: []match.Range{ecosystem("introduced 2.0-beta9, fixed 2.15.0")},
			in:     "2.0-beta9 2.0-rc1 2.0 2.14.1 2.15.0-SNAPSHOT 2.15.0-rc2", out: "2.0-beta8 1.2.17 2.15.0 2.15 2.15.0.1",
		},
		{
			name: "RubyGems", ecosystem: "RubyGems",
			ranges: []match.Range{ecosystem("introduced 6.0.0, fixed 6.1.7.1")},
			in:     "6.0.0 6.1.7 6.1.7.1.rc1", out: "6.0.0.beta1 6.1.7.1 7.0.0",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			statement := says("TEST-1", test.ecosystem, "thing", test.ranges...)
			statement.Versions = test.versions
			k := know(nil, statement)
			check := func(version string, want bool) {
				key := sbom.Key{Ecosystem: test.ecosystem, Name: "thing", Version: version}
				result := inventory(t, k, key)
				if len(result.Unread) > 0 {
					t.Errorf("%s: %v", version, result.Unread[0].Err)
				}
				if got := len(result.Findings[key]) == 1; got != want {
					t.Errorf("%s is affected: %t, want %t", version, got, want)
				}
			}
			for version := range strings.FieldsSeq(test.in) {
				check(version, true)
			}
			for version := range strings.FieldsSeq(test.out) {
				check(version, false)
			}
		})
	}
}

func TestFixedVersions(t *testing.T) {
	listed := says("A", "npm", "thing", semver("introduced 2.0.0, fixed 2.1.0"))
	listed.Versions = []string{"1.0.0"}
	for _, test := range []struct {
		name, ecosystem, version string
		statements               []match.Affected
		want                     []string
	}{
		{
			"no fix", "npm", "1.0.0",
			[]match.Affected{says("A", "npm", "thing", semver("introduced 0"))},
			nil,
		},
		{
			"the next one of a range, and none below the installed version", "npm", "2.0.0",
			[]match.Affected{says("A", "npm", "thing", semver("introduced 1.0.0, fixed 1.2.0, introduced 2.0.0, fixed 2.1.0, introduced 3.0.0, fixed 3.1.0"))},
			[]string{"2.1.0"},
		},
		{
			"unsorted events", "npm", "2.0.0",
			[]match.Affected{says("A", "npm", "thing", semver("fixed 3.1.0, introduced 3.0.0, fixed 2.1.0, introduced 2.0.0"))},
			[]string{"2.1.0"},
		},
		{
			"only of the range that holds the installed version", "npm", "1.1.0",
			[]match.Affected{says("A", "npm", "thing", semver("introduced 1.0.0, fixed 1.2.0"), semver("introduced 2.0.0, fixed 2.1.0"))},
			[]string{"1.2.0"},
		},
		{
			"a version that introduces it again fixes nothing", "PyPI", "2.0",
			[]match.Affected{says("A", "PyPI", "thing", ecosystem("introduced 0, fixed 3.1.1, introduced 3.1.1, fixed 3.1.3"))},
			[]string{"3.1.3"},
		},
		{
			"a listed version that no range holds", "npm", "1.0.0",
			[]match.Affected{listed},
			[]string{"2.1.0"},
		},
		{
			"last_affected names no fix", "npm", "1.0.0",
			[]match.Affected{says("A", "npm", "thing", semver("introduced 0, last_affected 1.0.0"))},
			nil,
		},
		{
			"the union of all advisories in version order, each once", "npm", "1.0.0",
			[]match.Affected{
				says("A", "npm", "thing", semver("introduced 0, fixed 1.10.0")),
				says("B", "npm", "thing", semver("introduced 0, fixed 1.9.0")),
				says("C", "npm", "thing", semver("introduced 0, fixed 1.10.0")),
				says("D", "npm", "thing", semver("introduced 0, fixed 0.5.0")), // not affected by this one
			},
			[]string{"1.9.0", "1.10.0"},
		},
		{
			"in the order of the distribution", "Debian:12", "1:1.0-1",
			[]match.Affected{
				says("A", "Debian:12", "thing", ecosystem("introduced 0, fixed 2:0.1-1")),
				says("B", "Debian:12", "thing", ecosystem("introduced 0, fixed 1:9.0-1")),
				says("C", "Debian:12", "thing", ecosystem("introduced 0, fixed 1:9.0~rc1-1")),
			},
			[]string{"1:9.0~rc1-1", "1:9.0-1", "2:0.1-1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := sbom.Key{Ecosystem: test.ecosystem, Name: "thing", Version: test.version}
			records := []match.Record{}
			for _, s := range test.statements {
				records = append(records, match.Record{ID: s.Record, Aliases: []string{"CVE-2099-0001"}})
			}
			found := inventory(t, know(records, test.statements...), key).Findings[key]
			if len(found) != 1 || !slices.Equal(found[0].Fixed, test.want) {
				t.Errorf("%+v, want fixed %q", found, test.want)
			}
		})
	}
}

// TestUnread: what cannot be compared is told, and hides nothing that can.
func TestUnread(t *testing.T) {
	listed := says("LISTED", "npm", "thing", semver("introduced 0, fixed 2.0.0"))
	listed.Versions = []string{"(devel)"}
	for _, test := range []struct {
		name       string
		component  sbom.Key
		statements []match.Affected
		findings   []string
		unread     bool
	}{
		{
			"a version that Debian cannot have",
			sbom.Key{Ecosystem: "Debian:12", Name: "thing", Version: "x:1.0"},
			[]match.Affected{says("A", "Debian:12", "thing", ecosystem("introduced 0, fixed 2.0-1"))},
			nil, true,
		},
		{
			"no version in SemVer, which would be lower than all",
			sbom.Key{Ecosystem: "Go", Name: "thing"},
			[]match.Affected{says("A", "Go", "thing", semver("introduced 0, fixed 2.0.0"))},
			nil, true,
		},
		{
			"a working copy",
			sbom.Key{Ecosystem: "Go", Name: "thing", Version: "(devel)"},
			[]match.Affected{says("A", "Go", "thing", semver("introduced 0, fixed 2.0.0"))},
			nil, true,
		},
		{
			"every version is affected, so this one is",
			sbom.Key{Ecosystem: "Go", Name: "thing", Version: "(devel)"},
			[]match.Affected{
				says("ALL", "Go", "thing", semver("introduced 0")),
				says("SOME", "Go", "thing", semver("introduced 0, fixed 2.0.0")),
			},
			[]string{"ALL"},
			true,
		},
		{
			"it is listed by name",
			sbom.Key{Ecosystem: "npm", Name: "thing", Version: "(devel)"},
			[]match.Affected{listed},
			[]string{"LISTED"},
			false,
		},
		{
			"one advisory has an event that cannot be read",
			sbom.Key{Ecosystem: "Debian:12", Name: "thing", Version: "1.0-1"},
			[]match.Affected{
				says("BAD", "Debian:12", "thing", ecosystem("introduced 0, fixed x:2")),
				says("GOOD", "Debian:12", "thing", ecosystem("introduced 0, fixed 2.0-1")),
			},
			[]string{"GOOD"},
			true,
		},
		{
			"one range of an advisory cannot be read, and another applies",
			sbom.Key{Ecosystem: "Debian:12", Name: "thing", Version: "1.0-1"},
			[]match.Affected{says("A", "Debian:12", "thing", ecosystem("introduced 0, fixed x:2"), ecosystem("introduced 0, fixed 2.0-1"))},
			[]string{"A"},
			false,
		},
		{
			"an ecosystem whose order is not known",
			sbom.Key{Ecosystem: "amzn:2023", Name: "thing", Version: "1.0-1"},
			[]match.Affected{says("A", "amzn:2023", "thing", ecosystem("introduced 0, fixed 2.0-1"))},
			nil, true,
		},
		{
			"nothing is said of the package, so nothing is missed",
			sbom.Key{Ecosystem: "Go", Name: "other", Version: "(devel)"},
			[]match.Affected{says("A", "Go", "thing", semver("introduced 0, fixed 2.0.0"))},
			nil, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			other := sbom.Key{Ecosystem: "crates.io", Name: "other", Version: "1.0.0"}
			k := know(nil, append(test.statements, says("OTHER", "crates.io", "other", semver("introduced 0")))...)
			result := inventory(t, k, test.component, other, test.component)
			var got []string
			for _, f := range result.Findings[test.component] {
				got = append(got, f.Vulnerability)
			}
			if !slices.Equal(got, test.findings) {
				t.Errorf("findings %q, want %q", got, test.findings)
			}
			want := 0
			if test.unread {
				want = 1 // though it stands in the inventory twice
			}
			if len(result.Unread) != want {
				t.Errorf("unread %+v, want %d", result.Unread, want)
			}
			if want == 1 && len(result.Unread) == 1 && (result.Unread[0].Component != test.component || result.Unread[0].Err == nil) {
				t.Errorf("unread %+v", result.Unread[0])
			}
			if len(result.Findings[other]) != 1 {
				t.Error("the other component lost its finding")
			}
		})
	}
}
