package report_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/report"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// encoded writes the report as JSON and reads it back without its types.
func encoded(t *testing.T, r *report.Report) any {
	t.Helper()
	var decoded any
	if err := json.Unmarshal([]byte(written(t, "json", r)), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// wantMembers: scripts read these members, so none is lost or renamed, and none
// is added without a thought.
func wantMembers(t *testing.T, r *report.Report) {
	t.Helper()
	for i := range r.Findings {
		r.Findings[i].CVSS = []risk.CVSS{{Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Score: 9.8, Source: "CVE-2099-0001"}}
	}
	r.NotAssessed = append(r.NotAssessed, match.NotAssessed{Ecosystem: "amzn:2023", Reason: "the feed has no advisories for it"})
	r.Warnings = append(r.Warnings, collect.Warning{Path: "var/lib/rpm", Message: "it cannot be read"})
	members := make(map[string]bool)
	gather(members, "", encoded(t, r))
	want := []string{
		"engine",
		"feed", "feed.revision", "feed.sample", "feed.sources",
		"feed.sources[].as_of", "feed.sources[].name", "feed.sources[].records", "feed.sources[].url",
		"findings", "findings[].advisories", "findings[].aliases",
		"findings[].component", "findings[].component.ecosystem", "findings[].component.locations", "findings[].component.name",
		"findings[].component.purl", "findings[].component.source", "findings[].component.source.name", "findings[].component.source.version",
		"findings[].component.version",
		"findings[].cvss", "findings[].cvss[].score", "findings[].cvss[].source", "findings[].cvss[].vector",
		"findings[].epss", "findings[].fixed", "findings[].kev", "findings[].package", "findings[].risk", "findings[].severity",
		"findings[].ssvc", "findings[].summary", "findings[].vulnerability",
		"ignored",
		"not_assessed", "not_assessed[].ecosystem", "not_assessed[].reason",
		"sbom", "sbom.components", "sbom.inventory_digest",
		"summary", "summary.critical", "summary.high", "summary.low", "summary.malicious", "summary.medium", "summary.unknown",
		"target",
		"warnings", "warnings[].message", "warnings[].path",
	}
	if got := slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// gather collects the paths of all members: "findings[].component.name".
func gather(members map[string]bool, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			at := strings.TrimPrefix(path+"."+name, ".")
			members[at] = true
			gather(members, at, member)
		}
	case []any:
		for _, element := range value {
			gather(members, path+"[]", element)
		}
	}
}

// wantEmptyLists: an array is never null.
func wantEmptyLists(t *testing.T, r *report.Report) {
	t.Helper()
	empty := encoded(t, r).(map[string]any)
	for _, name := range []string{"findings", "ignored", "not_assessed", "warnings"} {
		if list, ok := empty[name].([]any); !ok || len(list) != 0 {
			t.Errorf("%s of an empty tree is %v", name, empty[name])
		}
	}
}

// wantNulls: an array is never null; what no source has told is.
func wantNulls(t *testing.T, r *report.Report) {
	t.Helper()
	full := encoded(t, r).(map[string]any)
	findings := full["findings"].([]any)
	if len(findings) == 0 {
		t.Fatal("no findings")
	}
	for _, f := range findings {
		f := f.(map[string]any)
		for _, name := range []string{"aliases", "advisories", "fixed", "cvss"} {
			if _, ok := f[name].([]any); !ok {
				t.Errorf("%s: %s is %v", f["vulnerability"], name, f[name])
			}
		}
		for _, name := range []string{"epss", "kev", "ssvc", "risk"} {
			if value, present := f[name]; !present || value != nil {
				t.Errorf("%s: %s is %v, present: %t", f["vulnerability"], name, value, present)
			}
		}
	}
}

func component(ecosystem, name, version, source, sourceVersion string) sbom.Component {
	return sbom.Component{
		Ecosystem: ecosystem, Name: name, Version: version,
		Source: sbom.SourcePackage{Name: source, Version: sourceVersion},
	}
}

func found(vulnerability, pkg string, c sbom.Component, severity risk.Severity, fixed ...string) report.Finding {
	return report.Finding{Finding: finding.Finding{
		Vulnerability: vulnerability, Package: pkg, Component: c, Severity: severity, Fixed: fixed,
	}}
}

// TestSummarize counts a vulnerability once in each package, however many
// binaries, versions or releases it is found in.
func TestSummarize(t *testing.T) {
	libssl := component("Debian:12", "libssl3", "3.0.11-1", "openssl", "3.0.11-1")
	tool := component("Debian:12", "openssl", "3.0.11-1", "openssl", "3.0.11-1")
	older := component("Debian:11", "openssl", "1.1.1-1", "openssl", "1.1.1-1")
	crate := component("crates.io", "openssl", "0.10.0", "", "")
	for _, test := range []struct {
		name     string
		findings []report.Finding
		want     fleet.Counts
	}{
		{"none", nil, fleet.Counts{}},
		{
			"each severity",
			[]report.Finding{
				found("MAL-1", "a", crate, risk.Malicious), found("CVE-1", "a", crate, risk.Critical), found("CVE-2", "a", crate, risk.High),
				found("CVE-3", "a", crate, risk.Medium), found("CVE-4", "a", crate, risk.Low), found("CVE-5", "a", crate, risk.Unknown),
				found("CVE-6", "a", crate, "a word of tomorrow"),
			},
			fleet.Counts{Malicious: 1, Critical: 1, High: 1, Medium: 1, Low: 1, Unknown: 2},
		},
		{
			"two binaries and two releases of one source",
			[]report.Finding{
				found("CVE-1", "openssl", libssl, risk.High), found("CVE-1", "openssl", tool, risk.High), found("CVE-1", "openssl", older, risk.High),
			},
			fleet.Counts{High: 1},
		},
		{
			"two packages, and one name in two ecosystems",
			[]report.Finding{
				found("CVE-1", "openssl", libssl, risk.High), found("CVE-1", "nodejs", tool, risk.High), found("CVE-1", "openssl", crate, risk.High),
			},
			fleet.Counts{High: 3},
		},
	} {
		if got := report.Summarize(test.findings); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
