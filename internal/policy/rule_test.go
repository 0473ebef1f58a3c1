package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"patrol/internal/policy"
)

func ExampleRule() {
	rule, err := policy.CompileRule(`findings.exists(f, f.severity == "critical" || f.kev) && node.labels["env"] == "prod"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	found := policy.Occurrence{Vulnerability: "CVE-2099-0001", Severity: "high", KEV: true}
	fmt.Println(rule.Holds(policy.Event{}, policy.Node{Name: "web-1", Labels: map[string]string{"env": "prod"}}, found))
	fmt.Println(rule.Holds(policy.Event{}, policy.Node{Name: "web-2"}, found))
	// Output:
	// true <nil>
	// false <nil>
}

func TestRule(t *testing.T) {
	event := policy.Event{Type: "scan.failed", Subject: "1", Data: map[string]any{"error": "no space left", "tries": 3.0, "deep": map[string]any{"a": "b"}}}
	node := policy.Node{Kind: "host", Name: "web-1"}
	for expression, want := range map[string]bool{
		``:                                   true,
		`true`:                               true,
		`event.type == "scan.failed"`:        true,
		`event.data.error.contains("space")`: true,
		`event.data.tries > 2`:               true,
		`event.data.deep.a == "b"`:           true,
		`event.data.missing == "x"`:          false,
		`node.kind == "host"`:                true,
		`node.labels["team"] == "shop"`:      false,
		`findings.exists(f, f.score > 9)`:    false,
		`size(findings) == 0`:                true,
		`node.name in ["web-1", "web-2"]`:    true,
		`event.type.startsWith("scan") && !(node.state == "active")`: true,
	} {
		rule, err := policy.CompileRule(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := rule.Holds(event, node); err != nil || got != want {
			t.Errorf("%s = %t, %v; want %t", expression, got, err, want)
		}
	}
}

func TestRuleKnowsWhatItAsks(t *testing.T) {
	for expression, want := range map[string][2]bool{
		`true`:                               {false, false},
		`node.kind == "host"`:                {true, false},
		`findings.exists(node, node.kev)`:    {true, true}, // named like it: asked in vain is no harm
		`findings.exists(f, f.kev)`:          {false, true},
		`event.type == "x" || node.id == ""`: {true, false},
	} {
		rule, err := policy.CompileRule(expression)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]bool{rule.AsksNode(), rule.AsksFindings()}; got != want {
			t.Errorf("%s asks %v, want %v", expression, got, want)
		}
	}
}

func TestRuleRefuses(t *testing.T) {
	for expression, reason := range map[string]string{
		`findings.exists(f, f.sevrity == "low")`: "undefined field 'sevrity'",
		`finding.kev`:                            "undeclared reference to 'finding'",
		`size(findings)`:                         "is int",
		`event.type ==`:                          "1:14",
		`now > event.time`:                       "undeclared reference to 'now'",
	} {
		if _, err := policy.CompileRule(expression); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("CompileRule(%q) = %v; want it to say %q", expression, err, reason)
		}
	}
}
