package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/finding"
)

func TestDecisionsOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	_, c := console(t, dir, filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	ask := func(args ...string) (out, errs string, code int) {
		t.Helper()
		return run(t, append(args, "--console", c.Console.String(), "--token", c.Token)...)
	}
	patrol := func(args ...string) string {
		t.Helper()
		out, errs, code := ask(args...)
		if code != 0 {
			t.Fatalf("patrol %s: exit %d, %s", strings.Join(args, " "), code, errs)
		}
		return out
	}
	patrol("decisions", "create", "CVE-2026-1", "--status", "risk_accepted", "--until", "2999-12-31", "--reason", "later", "--selector", `node.kind == "host"`)
	taken := decode[finding.Decision](t, patrol("decisions", "create", "CVE-2026-2", "--status", "false_positive", "--reason", "we looked", "--component", "pkg:npm/left-pad@1.3.0", "--output", "json"))
	if taken.Component != "pkg:npm/left-pad@1.3.0" || taken.Author == "" {
		t.Errorf("decision = %+v", taken)
	}
	table := patrol("decisions", "list")
	for _, want := range []string{"CVE-2026-1", "3000-01-01", "pkg:npm/left-pad@1.3.0", "all nodes"} {
		if !strings.Contains(table, want) {
			t.Errorf("the list lacks %s:\n%s", want, table)
		}
	}
	file := filepath.Join(dir, "decisions.vex.json")
	if err := os.WriteFile(file, []byte(patrol("decisions", "export")), 0o600); err != nil {
		t.Fatal(err)
	}
	patrol("decisions", "revoke", taken.ID)
	if out := patrol("decisions", "import", file); !strings.HasPrefix(out, "1 decisions made, 1 were there already, 0 could not be used") {
		t.Errorf("import says %s", out)
	}
	came := decode[finding.Imported](t, patrol("decisions", "import", file, "--output", "json"))
	if len(came.Created) != 0 || len(came.Present) != 2 || len(came.Unused) != 0 {
		t.Errorf("imported again: %+v", came)
	}
	if err := os.WriteFile(file, []byte(`{"@context": "https://openvex.dev/ns/v0.2.0", "statements": [{"vulnerability": {"name": "CVE-2026-1"}, "status": "harmless"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, refused := range [][]string{
		{"decisions", "import", file},
		{"decisions", "import", filepath.Join(dir, "none")},
		{"decisions", "revoke", "none"},
		{"decisions", "create", "CVE-2026-1", "--status", "risk_accepted", "--reason", "r", "--until", "soon"},
		{"decisions", "create", "CVE-2026-1", "--status", "false_positive"},
	} {
		if out, errs, code := ask(refused...); code != 1 || errs == "" {
			t.Errorf("patrol %s: exit %d, %s%s", strings.Join(refused, " "), code, out, errs)
		}
	}
	if _, errs, _ := ask("decisions", "import", file); !strings.Contains(errs, "statements[0].status") {
		t.Errorf("a malformed document: %s", errs)
	}
}
