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
	fmt.Println(selector.Selects(policy.Node{Kind: "host", Labels: map[string]string{"env": "production"}}, policy.Moment{}))
	fmt.Println(selector.Selects(policy.Node{Kind: "host"}, policy.Moment{}))
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
		if got, err := selector.Selects(node, policy.Moment{}); got != want || err != nil {
			t.Errorf("%s = %v, %v; want %v", expression, got, err, want)
		}
	}
}

// What schedules ask for besides what a node is.
func TestSelectsByTime(t *testing.T) {
	now := time.Date(2026, 5, 10, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	never := policy.Node{LastScanState: "never", FirstSeen: now.Add(-day)}
	late := policy.Node{LastScanState: "complete", LastScanAt: now.Add(-8 * day), FirstSeen: now.Add(-30 * day)}
	failed := policy.Node{LastScanState: "failed", LastScanAt: now.Add(-day), FirstSeen: now.Add(-30 * day)}
	for expression, want := range map[string][3]bool{ // never, late, failed
		`node.last_scan_state == "never"`:                   {true, false, false},
		`node.last_scan_state == "failed"`:                  {false, false, true},
		`now - node.last_scan_at > duration("168h")`:        {true, true, false},
		`node.first_seen > run.previous`:                    {true, false, false},
		`now - run.previous < duration("72h")`:              {true, true, true},
		`node.last_scan_at < timestamp(0) + duration("1h")`: {true, false, false},
	} {
		selector, err := policy.CompileForRun(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		for i, node := range []policy.Node{never, late, failed} {
			if got, err := selector.Selects(node, policy.Moment{Now: now, Run: policy.Run{Previous: now.Add(-2 * day)}}); got != want[i] || err != nil {
				t.Errorf("%s of node %d = %v, %v; want %v", expression, i, got, err, want[i])
			}
		}
	}
	// Before the first run all nodes are new.
	selector, err := policy.CompileForRun(`node.first_seen > run.previous && now - run.previous > duration("720h")`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := selector.Selects(late, policy.Moment{Now: now}); !got || err != nil {
		t.Errorf("before the first run: %v, %v", got, err)
	}
	// Only schedules have runs.
	if _, err := policy.Compile(`node.first_seen > run.previous`); err == nil || !strings.Contains(err.Error(), "run") {
		t.Errorf("Compile = %v", err)
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
