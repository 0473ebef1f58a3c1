package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"patrol/internal/policy"
)

func findings() []policy.Finding {
	return []policy.Finding{
		{Vulnerability: "CVE-2099-0001", Severity: "critical", Score: 9.8, Package: "openssl", Version: "3.0.11-1", Fixed: []string{"3.0.15-1"}, Ecosystem: "Debian:12", KEV: true, KEVKnown: true, EPSS: 0.9, EPSSKnown: true},
		{Vulnerability: "CVE-2099-0002", Severity: "medium", Score: 5, Package: "ring", Version: "0.16.0", Fixed: []string{}, Ecosystem: "crates.io", KEVKnown: true, EPSSKnown: true},
		{Vulnerability: "CVE-2099-0003", Severity: "unknown", Package: "zlib", Version: "1.2", Fixed: []string{}, Ecosystem: "Debian:12"},
	}
}

func ExampleFailWhen() {
	rule, err := policy.CompileFailWhen(`findings.exists(f, f.kev || f.score >= 9.0 && size(f.fixed) > 0)`)
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict, err := rule.Judge([]policy.Finding{{Vulnerability: "CVE-2099-0001", Severity: "high", KEV: true, KEVKnown: true}}, policy.Counts{High: 1})
	fmt.Println(verdict.Fails, err)
	// Output: true <nil>
}

func TestFailWhen(t *testing.T) {
	counts := policy.Counts{Critical: 1, Medium: 1, Unknown: 1}
	for expression, want := range map[string]bool{
		`true`:                         true,
		`size(findings) == 3`:          true,
		`findings.exists(f, f.kev)`:    true,
		`findings.all(f, f.score > 1)`: false,
		`findings.filter(f, f.severity in ["critical", "high"]).size() > 1`: false,
		`findings.exists_one(f, f.ecosystem.startsWith("crates"))`:          true,
		`findings.exists(f, "3.0.15-1" in f.fixed)`:                         true,
		`findings.exists(f, f.package == "zlib" && f.version == "1.2")`:     true,
		`counts.critical > 0 && counts.high == 0`:                           true,
		`counts.critical + counts.malicious > 1`:                            false,
		`sum(findings.map(f, f.score)) > 14.7`:                              true,
		`sum(findings.map(f, f.score)) > 14.9`:                              false,
		`sum(findings.map(f, size(f.fixed))) == 1`:                          true,
		`sum([1.5]) == 1.5 && sum(findings.filter(f, false).map(f, 1)) < 1`: true,
		`findings.exists(f, f.epss > 0.5)`:                                  true,
	} {
		rule, err := policy.CompileFailWhen(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := rule.Judge(findings(), counts); err != nil || got.Fails != want {
			t.Errorf("%s = %+v, %v; want %t", expression, got, err, want)
		}
		if _, err := rule.Judge(nil, policy.Counts{}); err != nil {
			t.Errorf("%s of nothing: %v", expression, err)
		}
	}
}

// TestFailWhenTellsWhatIsUnknown: a policy about exploitation cannot pass in
// silence where no source tells of it.
func TestFailWhenTellsWhatIsUnknown(t *testing.T) {
	for expression, want := range map[string][]string{
		`findings.exists(f, f.kev)`:                 {"kev"},
		`findings.exists(f, f.kev || f.epss > 0.5)`: {"kev", "epss"},
		`findings.exists(f, f.score > 9)`:           nil,
	} {
		rule, err := policy.CompileFailWhen(expression)
		if err != nil {
			t.Fatal(err)
		}
		all := findings()
		if got, err := rule.Judge(all, policy.Counts{}); err != nil || !slices.Equal(got.Unknown, want) {
			t.Errorf("%s: unknown %q, %v; want %q", expression, got.Unknown, err, want)
		}
		if got, err := rule.Judge(all[:2], policy.Counts{}); err != nil || got.Unknown != nil {
			t.Errorf("%s: unknown %q, %v, where all is known", expression, got.Unknown, err)
		}
	}
}

func TestFailWhenRefuses(t *testing.T) {
	for expression, reason := range map[string]string{
		``:                                       "Syntax error",
		`size(findings) >`:                       "1:17",
		`findings.exists(f, f.sevrity == "low")`: "undefined field 'sevrity'",
		`counts.crtical > 0`:                     "undefined field 'crtical'",
		`size(findings)`:                         "is int",
		`findings.exists(f, f.score > "9")`:      "no matching overload",
		`node.kind == "x"`:                       "undeclared reference to 'node'",
		`sum(findings) > 1`:                      "no matching overload",
		`findings.exists(f, f.purl == "x")`:      "undefined field 'purl'",
	} {
		if _, err := policy.CompileFailWhen(expression); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("CompileFailWhen(%q) = %v; want it to say %q", expression, err, reason)
		}
	}
}

// TestFailWhenIsBounded: an expression that would take minutes is an error.
func TestFailWhenIsBounded(t *testing.T) {
	rule, err := policy.CompileFailWhen(`findings.all(a, findings.all(b, findings.all(c, a.score + b.score + c.score >= 0.0)))`)
	if err != nil {
		t.Fatal(err)
	}
	many := slices.Repeat(findings(), 700)
	if _, err := rule.Judge(many, policy.Counts{}); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("error %v", err)
	}
}

func TestFailOn(t *testing.T) {
	for severity, fails := range map[string]bool{
		"malicious": false, "critical": true, "high": true, "medium": true, "low": true, "unknown": true,
	} {
		rule, err := policy.ParseFailOn(severity)
		if err != nil {
			t.Fatal(err)
		}
		if got := rule.Judge(findings()); (got != "") != fails {
			t.Errorf("--fail-on %s: %q", severity, got)
		}
		if got := rule.Judge(findings()[2:]); (got != "") != (severity == "unknown") {
			t.Errorf("--fail-on %s of an unknown one: %q", severity, got)
		}
		if got := rule.Judge(nil); got != "" {
			t.Errorf("--fail-on %s of nothing: %q", severity, got)
		}
	}
	for _, severity := range []string{"", "HIGH", "severe"} {
		if _, err := policy.ParseFailOn(severity); err == nil || !strings.Contains(err.Error(), "critical") {
			t.Errorf("%q: error %v", severity, err)
		}
	}
}

func TestFailureIsToldApart(t *testing.T) {
	err := fmt.Errorf("scan: %w", &policy.Failure{Reasons: []string{"one", "two"}})
	var failure *policy.Failure
	if !errors.As(err, &failure) || !strings.Contains(err.Error(), "one; two") {
		t.Error(err)
	}
}
