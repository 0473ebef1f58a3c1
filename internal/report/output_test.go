package report_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/policy"
	"patrol/internal/report"
)

func TestOutputs(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "report.json")
	if err := os.WriteFile(file, []byte("of before"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	out, err := report.OpenOutputs([]string{"table", "json=" + file, "csv=" + filepath.Join(dir, "a=b.csv")}, &stdout, report.Options{Color: true})
	if err != nil {
		t.Fatal(err)
	}
	if before, err := os.ReadFile(file); err != nil || string(before) != "of before" {
		t.Errorf("%q, %v: written before it is complete", before, err)
	}
	if err := errors.Join(out.Write(example()), out.Close()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout.String(), "\x1b[") {
		t.Error("no colour")
	}
	for name, want := range map[string]string{file: written(t, "json", example()), filepath.Join(dir, "a=b.csv"): written(t, "csv", example())} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %v, %s", name, err, got)
		}
	}
	left(t, dir, 2)
}

// left: nothing is left over beside the files that were asked for.
func left(t *testing.T, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != want {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestOutputsOfAFailedScan(t *testing.T) {
	dir := t.TempDir()
	out, err := report.OpenOutputs([]string{"json=" + filepath.Join(dir, "report.json")}, &bytes.Buffer{}, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	left(t, dir, 0)
}

func TestOutputsRefuse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	for reason, specs := range map[string][]string{
		"papyrus":                 {"papyrus"},
		"is none of table, json":  {"papyrus=" + file},
		"only one of them":        {"table", "json"},
		"name the file":           {"json="},
		"is a directory":          {"json=" + dir},
		"no such file":            {"json=" + dir + "/none/file"},
		"another format goes":     {"json=" + file, "csv=" + dir + "/./file"},
		"--output json=FILE":      {"csv=" + file, "table", "json"},
		"is none of table, json,": {""},
	} {
		out, err := report.OpenOutputs(specs, &bytes.Buffer{}, report.Options{})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v, error %v does not say %q", specs, out, err, reason)
		}
	}
	left(t, dir, 0)
}

// TestOutputsToADevice: what is no regular file is written to, never replaced.
func TestOutputsToADevice(t *testing.T) {
	out, err := report.OpenOutputs([]string{"json=/dev/null"}, &bytes.Buffer{}, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Write(example()), out.Close()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}

func rules(t *testing.T, ignored, failOn string, failWhen ...string) *report.Policy {
	t.Helper()
	list, err := policy.ParseIgnores("ignore.yaml", []byte(ignored))
	if err != nil {
		t.Fatal(err)
	}
	p := &report.Policy{Ignores: []*policy.Ignores{list}}
	if failOn != "" {
		if p.FailOn, err = policy.ParseFailOn(failOn); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range failWhen {
		compiled, err := policy.CompileFailWhen(text)
		if err != nil {
			t.Fatal(err)
		}
		p.FailWhen = append(p.FailWhen, compiled)
	}
	return p
}

// TestPolicyApplies: what is ignored is moved, counted nowhere else, and judged
// no more.
func TestPolicyApplies(t *testing.T) {
	r := example()
	r.Ignored = nil
	p := rules(t, "- id: CVE-2099-0001\n  package: openssl\n  reason: behind a wall\n- id: CVE-2099-9999\n", "critical", `findings.exists(f, f.vulnerability == "CVE-2099-0001")`)
	p.OnlyFixed = true
	notes := p.Apply(r)
	if len(notes) != 1 || !strings.Contains(notes[0], "CVE-2099-9999") {
		t.Errorf("notes %q", notes)
	}
	if len(r.Findings) != 1 || r.Findings[0].Vulnerability != "GHSA-made-up00" || len(r.Ignored) != 4 {
		t.Errorf("%d findings, %d ignored", len(r.Findings), len(r.Ignored))
	}
	if s := r.Summary; s.Medium != 1 || s.Critical+s.Malicious+s.Unknown != 0 {
		t.Errorf("summary %+v", s)
	}
	for _, i := range r.Ignored {
		if byRule := i.By == "ignore.yaml:1" && i.Reason == "behind a wall"; byRule != (i.Vulnerability == "CVE-2099-0001") {
			t.Errorf("%s: %+v", i.Vulnerability, i)
		}
	}
	if notes, err := p.Judge(r); err != nil || notes != nil {
		t.Errorf("%q, %v", notes, err)
	}
}

func TestPolicyJudges(t *testing.T) {
	for _, test := range []struct {
		name, says string
		policy     *report.Policy
	}{
		{"nothing asked", "", rules(t, "", "")},
		{"a severity", "--fail-on critical: 2 of 4", rules(t, "", "critical")},
		{"a true expression", `--fail-when counts.medium == 1`, rules(t, "", "", `counts.medium == 1`)},
		{"a false one", "", rules(t, "", "", `counts.medium == 2`)},
		{"two binaries of one source are one", "", rules(t, "", "", `size(findings) != 4`)},
		{"the source's version", "", rules(t, "", "", `!findings.exists(f, f.package == "openssl" && f.version == "3.0.11-1" && f.score == 9.8)`)},
	} {
		_, err := test.policy.Judge(example())
		if report.IsFailure(err) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	notes, err := rules(t, "", "", `findings.exists(f, f.epss > 0.9)`).Judge(example())
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "epss") {
		t.Errorf("%q, %v", notes, err)
	}
}
