package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"patrol/internal/report"
)

// TestDocumentedScans runs every command of docs/scanning.md, with the ignore
// file that stands there.
func TestDocumentedScans(t *testing.T) {
	text, err := os.ReadFile("../../docs/scanning.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tree, err := filepath.Abs(fixture)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tree, filepath.Join(dir, "debian12")); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(console|yaml)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	var commands []string
	for _, b := range blocks {
		if b[1] == "console" {
			commands = append(commands, strings.Split(strings.TrimSpace(b[2]), "\n")...)
		} else if err := os.WriteFile(filepath.Join(dir, "ignore.yaml"), []byte(b[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(commands) < 15 {
		t.Fatalf("%d commands found", len(commands))
	}
	for _, command := range commands {
		line, exit, _ := strings.Cut(strings.TrimPrefix(command, "$ "), " # exit ")
		want, _ := strconv.Atoi(exit) // without the word: 0
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary(t))+":"+os.Getenv("PATH"), "PATROL_DATA_DIR="+filepath.Join(dir, "data"))
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%s: exit %d, want %d; %v\n%s", line, code, want, err, out)
		}
	}
}

// TestScanPolicy: the report is written whatever the policy says of it, and what
// is ignored is said.
func TestScanPolicy(t *testing.T) {
	dir := t.TempDir()
	ignore := filepath.Join(dir, "ignore.yaml")
	const entries = "- id: CVE-2024-28757\n  reason: not reachable\n- id: CVE-2024-28757\n  until: 2020-01-01\n- id: CVE-2099-0001\n"
	if err := os.WriteFile(ignore, []byte(entries), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := run(t, "scan", "dir:"+fixture, "--data-dir", dir, "--output", "json", "--ignore", ignore, "--fail-on", "unknown")
	if code != 2 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	r := decode[report.Report](t, out)
	if len(r.Ignored) == 0 || r.Ignored[0].Vulnerability != "CVE-2024-28757" || r.Ignored[0].Reason != "not reachable" || r.Summary.Unknown != fixturePairs-1 {
		t.Errorf("ignored %+v, summary %+v", r.Ignored, r.Summary)
	}
	for _, want := range []string{"EXPIRED", "matched nothing: CVE-2099-0001", "the policy says fail: --fail-on unknown"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not said in %s", want, errs)
		}
	}
}

func TestScanMistakes(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"--output", "table", "--output", "json"}, "stdout"},
		{[]string{"--output", "json=" + dir}, "is a directory"},
		{[]string{"--fail-on", "severe"}, "critical"},
		{[]string{"--fail-when", "size(findings)"}, "is int"},
		{[]string{"--fail-when", "size(findings) >"}, "1:17"},
		{[]string{"--ignore", filepath.Join(dir, "none")}, "no such file"},
	} {
		_, errs, code := run(t, append([]string{"scan", "dir:" + fixture, "--data-dir", dir}, test.args...)...)
		if code != 1 || !strings.Contains(errs, test.says) {
			t.Errorf("%q: exit %d, %q; want 1 and %q", test.args, code, errs, test.says)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "feed")); err == nil {
		t.Error("the feed was opened before the flags were understood")
	}
}
