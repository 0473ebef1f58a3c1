package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/report"
	"patrol/internal/sbom"
)

func TestParseTarget(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("tree:1", 0o750); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("neither"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("app.cdx.json", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, kind, where, hint, err string }{
		{name: "dir:" + dir, kind: "dir", where: dir},
		{name: "dir:tree:1", kind: "dir", where: "tree:1"},
		{name: "sbom:some.json", kind: "sbom", where: "some.json"},
		{name: dir, kind: "dir", where: dir, hint: "dir:" + dir},
		{name: ".", kind: "dir", where: ".", hint: "dir:."},
		{name: "./tree:1", kind: "dir", where: "./tree:1", hint: "dir:./tree:1"},
		{name: "app.cdx.json", kind: "sbom", where: "app.cdx.json", hint: "sbom:app.cdx.json"},
		{name: "ship:example.org/app", err: "dir:PATH"},
		{name: "dir:", err: "dir:PATH"},
		{name: file, err: "sbom:FILE"},
		{name: dir + "/none", err: "no such file"},
	} {
		var hint bytes.Buffer
		target, err := report.ParseTarget(test.name, &hint)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), test.name) {
				t.Errorf("%s: error %v does not say %q", test.name, err, test.err)
			}
			continue
		}
		if err != nil || target != (report.Target{Name: test.name, Kind: test.kind, Where: test.where}) {
			t.Errorf("%s: %+v, %v", test.name, target, err)
		}
		if !strings.Contains(hint.String(), test.hint) || test.hint == "" && hint.Len() > 0 {
			t.Errorf("%s: hint %q", test.name, &hint)
		}
	}
}

// TestCollectRefuses: what is wrong with a target names it.
func TestCollectRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("no SBOM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ kind, where, err string }{
		{"dir", file, "not a directory"},
		{"dir", dir + "/none", "no such file"},
		{"sbom", dir + "/none", "no such file"},
		{"sbom", dir, "is a directory"},
		{"sbom", file, "CycloneDX"},
		{"ship", file, "dir:PATH"},
	} {
		target := report.Target{Name: test.kind + ":" + test.where, Kind: test.kind, Where: test.where}
		if _, err := target.Collect(t.Context(), report.TargetOptions{}); err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), test.where) {
			t.Errorf("%s: error %v does not say %q", target.Name, err, test.err)
		}
	}
}

// wantNotAssessed: what is not assessed stands beside the findings, and what
// cannot be compared is a warning.
func wantNotAssessed(t *testing.T, sample *feed.Revision) {
	t.Helper()
	doc := &sbom.Document{Components: []sbom.Component{
		component("Debian:12", "apt", "2.6.1", "", ""),
		component("Go", "stdlib", "(devel)", "", ""),
		component("amzn:2023", "bash", "5.2.15-1.amzn2023", "", ""),
	}}
	doc.Normalize()
	later := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := report.Match("sbom:some.json", doc, nil, sample, new(feed.Intelligence), later)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Findings) == 0 || r.Findings[0].Component.Name != "apt" {
		t.Errorf("findings %+v", r.Findings)
	}
	want := []match.NotAssessed{
		{Ecosystem: "amzn:2023", Reason: "the feed has no advisories for it"},
		{Ecosystem: "Debian:12", Reason: "no security support since 2028-06-30"},
	}
	if !slices.Equal(r.NotAssessed, want) {
		t.Errorf("not assessed %v, want %v", r.NotAssessed, want)
	}
	if len(r.Warnings) != 1 || r.Warnings[0].Path != "stdlib" || !strings.Contains(r.Warnings[0].Message, "(devel)") {
		t.Errorf("warnings %v", r.Warnings)
	}
	if r.SBOM.InventoryDigest != sbom.InventoryDigest(doc.Inventory()) || r.SBOM.Components != 3 || r.Engine != match.EngineVersion {
		t.Errorf("%+v", r)
	}
}
