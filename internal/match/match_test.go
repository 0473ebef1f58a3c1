package match_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

func TestInventory(t *testing.T) {
	bash := sbom.Key{Ecosystem: "Debian:12", Name: "bash", Version: "5.2.15-2+b13", SourceName: "bash", SourceVersion: "5.2.15-2"}
	for _, test := range []struct {
		name       string
		records    []match.Record
		statements []match.Affected
		component  sbom.Key
		want       []match.Finding
	}{
		{
			name:      "nothing is known",
			component: bash,
		},
		{
			name: "a DSA beside a DEBIAN-CVE is one finding with both",
			records: []match.Record{
				{ID: "DSA-9001-1", Upstream: []string{"CVE-2099-0001"}},
				{ID: "DEBIAN-CVE-2099-0001", Upstream: []string{"CVE-2099-0001"}},
			},
			statements: []match.Affected{
				says("DSA-9001-1", "Debian:12", "bash", ecosystem("introduced 0, fixed 5.2.15-2+deb12u2")),
				says("DEBIAN-CVE-2099-0001", "Debian:12", "bash", ecosystem("introduced 0, fixed 5.2.15-2+deb12u1")),
			},
			component: bash,
			want: []match.Finding{{
				Vulnerability: "CVE-2099-0001", Ecosystem: "Debian", Package: "bash",
				Fixed:      []string{"5.2.15-2+deb12u1", "5.2.15-2+deb12u2"},
				Advisories: []string{"DEBIAN-CVE-2099-0001", "DSA-9001-1"},
			}},
		},
		{
			name:    "an erratum of three CVEs is three findings",
			records: []match.Record{{ID: "ALSA-2099:0001", Related: []string{"CVE-2099-0003", "CVE-2099-0001", "CVE-2099-0002"}}},
			statements: []match.Affected{
				says("ALSA-2099:0001", "AlmaLinux:9", "openssl-libs", ecosystem("introduced 0, fixed 1:3.0.7-27.el9")),
			},
			component: sbom.Key{Ecosystem: "AlmaLinux:9", Name: "openssl-libs", Version: "1:3.0.7-24.el9", SourceName: "openssl", SourceVersion: "3.0.7-24.el9"},
			want: []match.Finding{
				{"CVE-2099-0001", "AlmaLinux", "openssl-libs", []string{"1:3.0.7-27.el9"}, []string{"ALSA-2099:0001"}},
				{"CVE-2099-0002", "AlmaLinux", "openssl-libs", []string{"1:3.0.7-27.el9"}, []string{"ALSA-2099:0001"}},
				{"CVE-2099-0003", "AlmaLinux", "openssl-libs", []string{"1:3.0.7-27.el9"}, []string{"ALSA-2099:0001"}},
			},
		},
		{
			name:       "an erratum without a CVE is none",
			records:    []match.Record{{ID: "ALBA-2099:0001"}},
			statements: []match.Affected{says("ALBA-2099:0001", "AlmaLinux:9", "bash", ecosystem("introduced 0, fixed 9-1"))},
			component:  sbom.Key{Ecosystem: "AlmaLinux:9", Name: "bash", Version: "5.1-1"},
		},
		{
			name:       "what is said of the bare ecosystem applies to a release",
			statements: []match.Affected{says("A", "Debian", "bash", ecosystem("introduced 0")), says("B", "Debian:12", "bash", ecosystem("introduced 0"))},
			component:  bash,
			want:       []match.Finding{{"A", "Debian", "bash", nil, []string{"A"}}, {"B", "Debian", "bash", nil, []string{"B"}}},
		},
		{
			name:       "what is said of another release does not",
			statements: []match.Affected{says("A", "Debian:11", "bash", ecosystem("introduced 0"))},
			component:  bash,
		},
		{
			name:       "what is said of another ecosystem does not",
			statements: []match.Affected{says("A", "Ubuntu:12", "bash", ecosystem("introduced 0")), says("B", "npm", "bash", semver("introduced 0"))},
			component:  bash,
		},
		{
			name:       "Debian's source version decides, not the rebuild's",
			statements: []match.Affected{says("A", "Debian:12", "bash", ecosystem("introduced 5.2.15-2, fixed 5.2.15-2+b2"))},
			component:  bash,
			want:       []match.Finding{{"A", "Debian", "bash", []string{"5.2.15-2+b2"}, []string{"A"}}},
		},
		{
			name: "Debian's source name decides, not the binary's",
			statements: []match.Affected{
				says("A", "Debian:12", "openssl", ecosystem("introduced 0, fixed 3.0.15-1")),
				says("B", "Debian:12", "libssl3", ecosystem("introduced 0, fixed 3.0.15-1")),
			},
			component: sbom.Key{Ecosystem: "Debian:12", Name: "libssl3", Version: "3.0.11-1", SourceName: "openssl", SourceVersion: "3.0.11-1"},
			want:      []match.Finding{{"A", "Debian", "openssl", []string{"3.0.15-1"}, []string{"A"}}},
		},
		{
			name:       "Ubuntu's source",
			statements: []match.Affected{says("A", "Ubuntu:22.04", "openssl", ecosystem("introduced 0, fixed 3.0.2-0ubuntu1.15"))},
			component:  sbom.Key{Ecosystem: "Ubuntu:22.04", Name: "libssl3", Version: "9.9", SourceName: "openssl", SourceVersion: "3.0.2-0ubuntu1.9"},
			want:       []match.Finding{{"A", "Ubuntu", "openssl", []string{"3.0.2-0ubuntu1.15"}, []string{"A"}}},
		},
		{
			name:       "Alpine's source, at the binary's version because it has no other",
			statements: []match.Affected{says("A", "Alpine:v3.20", "busybox", ecosystem("introduced 0, fixed 1.36.1-r29"))},
			component:  sbom.Key{Ecosystem: "Alpine:v3.20", Name: "ssl_client", Version: "1.36.1-r28", SourceName: "busybox"},
			want:       []match.Finding{{"A", "Alpine", "busybox", []string{"1.36.1-r29"}, []string{"A"}}},
		},
		{
			name: "AlmaLinux's binary",
			statements: []match.Affected{
				says("A", "AlmaLinux:9", "openssl-libs", ecosystem("introduced 0, fixed 1:3.0.7-27.el9")),
				says("B", "AlmaLinux:9", "openssl", ecosystem("introduced 0, fixed 1:3.0.7-27.el9")),
			},
			component: sbom.Key{Ecosystem: "AlmaLinux:9", Name: "openssl-libs", Version: "1:3.0.7-24.el9", SourceName: "openssl", SourceVersion: "1:9-1"},
			want:      []match.Finding{{"A", "AlmaLinux", "openssl-libs", []string{"1:3.0.7-27.el9"}, []string{"A"}}},
		},
		{
			name: "a language's package is known by one name however it is spelt",
			records: []match.Record{
				{ID: "PYSEC-2099-1", Aliases: []string{"CVE-2099-0001"}},
				{ID: "GHSA-aaaa-aaaa-aaaa", Aliases: []string{"CVE-2099-0001"}},
			},
			statements: []match.Affected{
				says("GHSA-aaaa-aaaa-aaaa", "PyPI", "Zope.Interface", ecosystem("introduced 0, fixed 5.0")),
				says("PYSEC-2099-1", "PyPI", "zope-interface", ecosystem("introduced 0, fixed 5.0")),
			},
			component: sbom.Key{Ecosystem: "PyPI", Name: "zope_interface", Version: "4.0"},
			want:      []match.Finding{{"CVE-2099-0001", "PyPI", "zope-interface", []string{"5.0"}, []string{"GHSA-aaaa-aaaa-aaaa", "PYSEC-2099-1"}}},
		},
		{
			name:       "the standard library of Go",
			records:    []match.Record{{ID: "GO-2099-0001", Aliases: []string{"CVE-2099-0001"}}},
			statements: []match.Affected{says("GO-2099-0001", "Go", "stdlib", semver("introduced 0, fixed 1.21.10, introduced 1.22.0-0, fixed 1.22.4"))},
			component:  sbom.Key{Ecosystem: "Go", Name: "stdlib", Version: "1.22.3"},
			want:       []match.Finding{{"CVE-2099-0001", "Go", "stdlib", []string{"1.22.4"}, []string{"GO-2099-0001"}}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := inventory(t, know(test.records, test.statements...), test.component)
			if got := result.Findings[test.component]; !reflect.DeepEqual(got, emptied(test.want)) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if _, present := result.Findings[test.component]; present != (len(test.want) > 0) {
				t.Errorf("the component has an entry: %t", present)
			}
			if len(result.Unread) > 0 {
				t.Errorf("unread: %+v", result.Unread)
			}
		})
	}
}

// emptied makes no findings nil, as a component without any has no entry.
func emptied(findings []match.Finding) []match.Finding {
	if len(findings) == 0 {
		return nil
	}
	return findings
}

func TestInventoryFailsWithItsKnowledge(t *testing.T) {
	k := know(nil)
	k.broken = errBroken
	_, err := match.Inventory(k, []sbom.Key{{Ecosystem: "npm", Name: "left-pad", Version: "1.0.0"}})
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "npm left-pad 1.0.0") {
		t.Errorf("error %v", err)
	}
}

func TestSubject(t *testing.T) {
	for _, test := range []struct {
		key           sbom.Key
		name, version string
	}{
		{sbom.Key{Ecosystem: "Debian:12", Name: "libssl3", Version: "3.0.11-1+b1", SourceName: "openssl", SourceVersion: "3.0.11-1"}, "openssl", "3.0.11-1"},
		{sbom.Key{Ecosystem: "Debian:12", Name: "libssl3", Version: "3.0.11-1", SourceName: "openssl"}, "openssl", "3.0.11-1"},
		{sbom.Key{Ecosystem: "Debian:12", Name: "openssl", Version: "3.0.11-1"}, "openssl", "3.0.11-1"},
		{sbom.Key{Ecosystem: "Alpine:v3.20", Name: "ssl_client", Version: "1-r0", SourceName: "busybox"}, "busybox", "1-r0"},
		{sbom.Key{Ecosystem: "Ubuntu:24.04", Name: "libssl3", Version: "1", SourceName: "openssl", SourceVersion: "2"}, "openssl", "2"},
		{sbom.Key{Ecosystem: "AlmaLinux:9", Name: "openssl-libs", Version: "1:3-1", SourceName: "openssl", SourceVersion: "3-1"}, "openssl-libs", "1:3-1"},
		{sbom.Key{Ecosystem: "Go", Name: "stdlib", Version: "1.22.3"}, "stdlib", "1.22.3"},
	} {
		if name, version := match.Subject(test.key); name != test.name || version != test.version {
			t.Errorf("%v: %s %s, want %s %s", test.key, name, version, test.name, test.version)
		}
	}
}

func TestPackageKey(t *testing.T) {
	for _, test := range [][3]string{
		{"PyPI", "Zope.Interface", "zope-interface"},
		{"PyPI", "a-_.b", "a-b"},
		{"NuGet", "Newtonsoft.Json", "newtonsoft.json"},
		{"Packagist", "Symfony/HTTP-Kernel", "symfony/http-kernel"},
		{"npm", "JSONStream", "JSONStream"},
		{"Go", "github.com/Azure/azure-sdk", "github.com/Azure/azure-sdk"},
		{"Debian:12", "libX11", "libX11"},
	} {
		if got := match.PackageKey(test[0], test[1]); got != test[2] {
			t.Errorf("%s %s is %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

func TestUncovered(t *testing.T) {
	k := know(
		nil,
		says("A", "Debian:12", "bash", ecosystem("introduced 0")),
		says("B", "Debian", "bash", ecosystem("introduced 0")),
		says("C", "Go", "stdlib", semver("introduced 0")),
	)
	got := match.Uncovered(k, []string{"npm", "Debian:12", "amzn:2023", "Debian:11", "Go", "npm"})
	const reason = "the feed has no advisories for it"
	want := []match.NotAssessed{{"Debian:11", reason}, {"amzn:2023", reason}, {"npm", reason}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := match.Uncovered(k, []string{"Go"}); got == nil || len(got) != 0 {
		t.Errorf("all covered: %#v", got)
	}
}

func TestEndOfLife(t *testing.T) {
	for _, test := range []struct{ ecosystem, last string }{
		{"Debian:10", "2024-06-30"},
		{"Debian:12", "2028-06-30"},
		{"Ubuntu:20.04", "2025-05-31"},
		{"Ubuntu:20.04:LTS", "2025-05-31"},
		{"Alpine:v3.18", "2025-05-09"},
		{"AlmaLinux:8", "2029-03-01"},
		{"Rocky Linux:9", "2032-05-31"},
		{"Debian", ""},
		{"Debian:99", ""},
		{"Ubuntu:Pro:20.04:LTS", ""},
		{"Alpine:3.18", ""},
		{"Go", ""},
		{"amzn:2023", ""},
	} {
		end, ok := match.EndOfLife(test.ecosystem)
		if ok != (test.last != "") || ok && end.Format(time.DateOnly) != test.last {
			t.Errorf("%s: %v %t, want %q", test.ecosystem, end, ok, test.last)
		}
	}
}

func TestUnsupported(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	installed := []string{"Go", "Debian:10", "Debian:12", "Alpine:v3.18", "Debian:10"}
	old := match.NotAssessed{Ecosystem: "Debian:10", Reason: "no security support since 2024-06-30"}
	alpine := match.NotAssessed{Ecosystem: "Alpine:v3.18", Reason: "no security support since 2025-05-09"}
	for _, test := range []struct {
		now  string
		want []match.NotAssessed
	}{
		{"2024-06-30 12:00", []match.NotAssessed{}}, // the last day counts
		{"2024-06-30 23:59", []match.NotAssessed{}},
		{"2024-07-01 00:00", []match.NotAssessed{old}},
		{"2026-01-01 00:00", []match.NotAssessed{alpine, old}},
	} {
		if got := match.Unsupported(installed, day(test.now)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", test.now, got, test.want)
		}
	}
}
