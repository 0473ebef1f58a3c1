package risk_test

import (
	"reflect"
	"slices"
	"testing"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// TestAssessExamples has vectors and scores of FIRST's example documents for
// each version of CVSS (https://www.first.org/cvss/v4.0/examples,
// https://www.first.org/cvss/v3.1/examples, https://www.first.org/cvss/v2/guide
// section 3.3).
func TestAssessExamples(t *testing.T) {
	for _, test := range []struct {
		vector   string
		score    float64
		severity risk.Severity
	}{
		{"AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8, risk.High},                                           // CVE-2002-0392
		{"AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0, risk.Critical},                                      // CVE-2003-0818
		{"AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2, risk.Medium},                                         // CVE-2003-0062
		{"AV:N/AC:L/Au:N/C:P/I:N/A:N", 5.0, risk.Medium},                                         // CVE-2014-0160
		{"AV:L/AC:H/Au:N/C:P/I:N/A:N", 1.2, risk.Low},                                            //
		{"AV:N/AC:M/Au:N/C:N/I:P/A:N/E:F/RL:OF/RC:C", 4.3, risk.Medium},                          // its base score
		{"AV:N/AC:L/Au:N/C:N/I:N/A:N", 0, risk.Low},                                              // harmless, yet named
		{"CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, risk.Medium},                       // CVE-2013-1937
		{"CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4, risk.Medium},                       // CVE-2013-0375
		{"CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1, risk.Low},                          // CVE-2014-3566
		{"CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9, risk.Critical},                     // CVE-2012-1516
		{"CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2, risk.Medium},                       // CVE-2009-0783
		{"CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8, risk.High},                         // CVE-2012-0384
		{"CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8, risk.High},                         // CVE-2015-1098
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, risk.High},                         // CVE-2014-0160
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, risk.Critical},                     // CVE-2014-6271
		{"CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3, risk.High},      // CVE-2022-41741
		{"CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7, risk.High},      // CVE-2020-3549
		{"CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", 8.3, risk.High},      // CVE-2023-3089
		{"CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", 4.6, risk.Medium},    // CVE-2021-44714
		{"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0, risk.Critical}, // CVE-2021-44228
	} {
		a := risk.Assess(match.Vulnerability{Severity: []match.Severity{{Type: "CVSS", Score: test.vector, Source: "TEST-1"}}}, risk.Intelligence{})
		want := risk.Assessment{Severity: test.severity, CVSS: []risk.CVSS{{Vector: test.vector, Score: test.score, Source: "TEST-1"}}, Words: []risk.Word{}}
		if !reflect.DeepEqual(a, want) {
			t.Errorf("%s: %+v, want %+v", test.vector, a, want)
		}
	}
}

const (
	v2       = "AV:N/AC:L/Au:N/C:C/I:C/A:C"                                      // 10.0
	v30      = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"                    // 9.8
	v31      = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"                    // 7.5
	v31worse = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"                    // 8.8
	v40      = "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N" // 4.6
)

func TestAssessPrefers(t *testing.T) {
	for _, test := range []struct {
		name     string
		vectors  []string
		severity risk.Severity
		order    []string
	}{
		{"the newest version, though it is the lowest", []string{v2, v31, v40, v30}, risk.Medium, []string{v40, v31, v30, v2}},
		{"3.1 to 3.0", []string{v30, v31}, risk.High, []string{v31, v30}},
		{"3.0 to 2", []string{v2, v30}, risk.Critical, []string{v30, v2}},
		{"the highest of one version", []string{v31, v31worse}, risk.High, []string{v31worse, v31}},
		{"what can be read", []string{
			"", "high", "CVSS:4.0/", "CVSS:5.0/AV:N", "CVSS:3.1/AV:N/AC:L", "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
			"(AV:N/AC:L/Au:N/C:N/I:N/A:C)", "AV:N", "CVSS:3.1", v30[:len(v30)-1], v40 + "/E:?", v2,
		}, risk.Critical, []string{v2}},
	} {
		var v match.Vulnerability
		for _, vector := range test.vectors {
			v.Severity = append(v.Severity, match.Severity{Type: "CVSS", Score: vector})
		}
		for range 2 { // and in whatever order they come
			a := risk.Assess(v, risk.Intelligence{})
			var order []string
			for _, c := range a.CVSS {
				order = append(order, c.Vector)
			}
			if a.Severity != test.severity || !slices.Equal(order, test.order) {
				t.Errorf("%s: %s %q", test.name, a.Severity, order)
			}
			slices.Reverse(v.Severity)
		}
	}
}

func TestAssessWithoutVector(t *testing.T) {
	for _, severities := range [][]match.Severity{nil, {{Type: "Debian", Score: "end-of-life"}}, {{Type: "CVSS_V3", Score: "malformed"}}} {
		a := risk.Assess(match.Vulnerability{Name: "CVE-2099-0001", Severity: severities}, risk.Intelligence{})
		if a.Severity != risk.Unknown || a.CVSS == nil || len(a.CVSS) != 0 {
			t.Errorf("%v: %+v", severities, a)
		}
	}
}

func TestAssessMalicious(t *testing.T) {
	v := match.Vulnerability{
		Name: "GHSA-aaaa-aaaa-aaaa", Records: []string{"GHSA-aaaa-aaaa-aaaa", "MAL-2099-1"},
		Severity: []match.Severity{{Type: "CVSS_V3", Score: v31}},
	}
	if a := risk.Assess(v, risk.Intelligence{}); a.Severity != risk.Malicious || len(a.CVSS) != 1 {
		t.Errorf("%+v", a)
	}
	v.Records = []string{"GHSA-aaaa-aaaa-aaaa", "MALFORMED-1"}
	if a := risk.Assess(v, risk.Intelligence{}); a.Severity != risk.High {
		t.Errorf("%+v", a)
	}
}

func TestRate(t *testing.T) {
	for score, want := range map[float64]risk.Severity{
		0: risk.Low, 0.1: risk.Low, 3.9: risk.Low, 4: risk.Medium, 6.9: risk.Medium,
		7: risk.High, 8.9: risk.High, 9: risk.Critical, 10: risk.Critical,
	} {
		if got := risk.Rate(score); got != want {
			t.Errorf("%v is %s, want %s", score, got, want)
		}
	}
}

func TestRank(t *testing.T) {
	for i, s := range risk.Severities {
		if want := len(risk.Severities) - 1 - i; s.Rank() != want {
			t.Errorf("%s has rank %d, want %d", s, s.Rank(), want)
		}
	}
	if risk.Malicious.Rank() != 5 || risk.Unknown.Rank() != 0 {
		t.Error("malicious is not the first or unknown not the last")
	}
	if got := risk.Severity("a word of tomorrow").Rank(); got != 0 {
		t.Errorf("an unknown word has rank %d", got)
	}
}

func TestAssessWords(t *testing.T) {
	for _, test := range []struct {
		stated    []match.Severity
		ecosystem string
		severity  risk.Severity
	}{
		{[]match.Severity{{Type: "Ubuntu", Score: "negligible"}}, "Ubuntu:24.04:LTS", risk.Low},
		{[]match.Severity{{Type: "Ubuntu", Score: "untriaged"}}, "Ubuntu:24.04:LTS", risk.Unknown},
		{[]match.Severity{{Type: "Ubuntu", Score: "critical"}}, "Ubuntu:24.04:LTS", risk.Critical},
		{[]match.Severity{{Type: "Debian", Score: "unimportant"}}, "Debian:12", risk.Low},
		{[]match.Severity{{Type: "Debian", Score: "low**"}}, "Debian:12", risk.Low},
		{[]match.Severity{{Type: "AlmaLinux", Score: "Moderate"}}, "AlmaLinux:9", risk.Medium},
		{[]match.Severity{{Type: "AlmaLinux", Score: "Important"}}, "AlmaLinux:9", risk.High},
		{[]match.Severity{{Type: "npm", Score: "MODERATE"}}, "npm", risk.Medium},
		{[]match.Severity{{Type: "Debian", Score: "unimportant"}, {Type: "Ubuntu", Score: "medium"}}, "Debian:13", risk.Low}, // each its own
		{[]match.Severity{{Type: "AlmaLinux", Score: "Important"}}, "Go", risk.Unknown},                                      // nobody else's
		{[]match.Severity{{Type: "AlmaLinux", Score: "Important"}}, "Rocky Linux:9", risk.Unknown},
		{[]match.Severity{{Type: "AlmaLinux", Score: "Critical"}, {Type: "CVSS_V3", Score: v31}}, "AlmaLinux:9", risk.High}, // a vector decides
	} {
		a := risk.Assess(match.Vulnerability{Severity: test.stated}, risk.Intelligence{})
		if got := a.SeverityIn(test.ecosystem); got != test.severity {
			t.Errorf("%v in %s: %s, want %s", test.stated, test.ecosystem, got, test.severity)
		}
	}
	a := risk.Assess(match.Vulnerability{Severity: []match.Severity{
		{Type: "Debian", Score: "end-of-life"}, {Type: "Debian", Score: "unimportant"}, {Type: "Ubuntu", Score: "medium"},
	}}, risk.Intelligence{})
	for ecosystem, want := range map[string]string{"Debian:12": "unimportant", "Ubuntu:24.04": "medium", "Go": ""} {
		if got := a.WordOf(ecosystem); got != want {
			t.Errorf("%s says %q, want %q", ecosystem, got, want)
		}
	}
}

func TestAssessIntelligence(t *testing.T) {
	known := risk.Intelligence{
		CVSS: []risk.Vector{{Vector: v31, Source: "redhat"}, {Vector: v31worse, Source: "CISA-ADP"}, {Vector: v40, Source: risk.NVD}, {Vector: "malformed", Source: "redhat"}},
		SSVC: &risk.SSVC{Exploitation: "active"}, EPSS: &risk.EPSS{Score: 0.5}, KEV: &risk.KEV{Listed: true},
	}
	sources := func(a risk.Assessment) (all []string) {
		for _, c := range a.CVSS {
			all = append(all, c.Source)
		}
		return all
	}
	a := risk.Assess(match.Vulnerability{}, known)
	if got := sources(a); !slices.Equal(got, []string{"CISA-ADP", "redhat"}) || a.Severity != risk.High || a.SSVC != known.SSVC || a.EPSS != known.EPSS || a.KEV != known.KEV {
		t.Errorf("%v of %+v", got, a)
	}
	// The advisory says the same as the CVE.
	a = risk.Assess(match.Vulnerability{Severity: []match.Severity{{Type: "CVSS_V3", Score: v31, Source: "GHSA-1"}}}, known)
	if got := sources(a); !slices.Equal(got, []string{"CISA-ADP", "GHSA-1"}) {
		t.Errorf("%v", got)
	}
	// NVD speaks where nobody else does.
	a = risk.Assess(match.Vulnerability{}, risk.Intelligence{CVSS: known.CVSS[2:]})
	if got := sources(a); !slices.Equal(got, []string{risk.NVD}) || a.Severity != risk.Medium {
		t.Errorf("%v of %+v", got, a)
	}
	if a.KEV.Known() != nil || a.EPSS.Probability() != nil {
		t.Error("what nobody was asked is known")
	}
}
