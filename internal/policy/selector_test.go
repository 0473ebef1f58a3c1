package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"patrol/internal/policy"
)

func ExampleSelector() {
	selector, err := policy.Compile(`node.kind == "host" && node.labels["env"] == "production"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(selector.Selects(policy.Node{Kind: "host", Labels: map[string]string{"env": "production"}}))
	fmt.Println(selector.Selects(policy.Node{Kind: "host"}))
	// Output:
	// true <nil>
	// false <nil>
}

func TestSelects(t *testing.T) {
	node := policy.Node{
		ID: "1", Kind: "host", Name: "web-1", State: "active", Architecture: "amd64",
		Labels:       map[string]string{"zone": "a"},
		Distribution: policy.Distribution{ID: "debian", Version: "12"},
		FirstSeen:    time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
	}
	for expression, want := range map[string]bool{
		`true`:                                                true,
		`node.name.startsWith("web-")`:                        true,
		`node.distribution.id == "debian"`:                    true,
		`node.distribution.version == "11"`:                   false,
		`"zone" in node.labels`:                               true,
		`!("zone" in node.labels)`:                            false,
		`node.labels["absent"] == "x"`:                        false,
		`node.labels["absent"] == "x" || true`:                true,
		`node.first_seen < timestamp("2026-02-01T00:00:00Z")`: true,
		`node.name in ["db-1", "web-1"]`:                      true,
	} {
		selector, err := policy.Compile(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got, err := selector.Selects(node); got != want || err != nil {
			t.Errorf("%s = %v, %v; want %v", expression, got, err, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for expression, reason := range map[string]string{
		``:                    "Syntax error",
		`node.kind ==`:        "1:13",
		`node.kin == "host"`:  "undefined field 'kin'",
		`node.kind == 3`:      "no matching overload",
		`node.name`:           "is string",
		`machine.kind == "x"`: "undeclared reference to 'machine'",
	} {
		if _, err := policy.Compile(expression); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("Compile(%q) = %v; want it to say %q", expression, err, reason)
		}
	}
}
