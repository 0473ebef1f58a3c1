package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/report"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

var update = flag.Bool("update", false, "write the golden files")

func written(t *testing.T, name string, r *report.Report) string {
	t.Helper()
	var out bytes.Buffer
	format, err := report.NewFormat(name, &out, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(format); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func some[T any](v T) *T { return &v }

// example has one of everything that formats tell apart.
func example() *report.Report {
	libssl := component("Debian:12", "libssl3", "3.0.11-1", "openssl", "3.0.11-1")
	libssl.PURL, libssl.Locations = "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12", []string{"var/lib/dpkg/status"}
	tool := component("Debian:12", "openssl", "3.0.11-1", "openssl", "3.0.11-1")
	tool.PURL, tool.Locations = "pkg:deb/debian/openssl@3.0.11-1?arch=amd64&distro=debian-12", []string{"var/lib/dpkg/status"}
	pad := component("npm", "@made/up", "1.2.3", "", "")
	pad.PURL, pad.Locations = "pkg:npm/%40made/up@1.2.3", []string{"srv/a b/package-lock.json", "srv/c/package-lock.json"}
	pad.Layer = &sbom.Layer{Digest: "sha256:" + strings.Repeat("1", 64), Instruction: "COPY srv /srv"}
	bare := component("Go", "example.org/bare", "0.1.0", "", "")

	known := func(f report.Finding, advisory string, vectors ...risk.CVSS) report.Finding {
		f.Aliases, f.Advisories, f.CVSS = []string{}, []string{advisory}, vectors
		return f
	}
	critical := risk.CVSS{Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Score: 9.8, Source: "NVD"}
	exploited := known(found("CVE-2099-0001", "openssl", libssl, risk.Critical, "3.0.15-1"), "DEBIAN-CVE-2099-0001", critical)
	exploited.KEV, exploited.EPSS, exploited.Summary = some(true), some(0.421), "A <made-up> overflow & more"
	again := exploited
	again.Component = tool
	medium := known(found("GHSA-made-up00", "@made/up", pad, risk.Medium, "1.2.4", "1.3.0"), "GHSA-made-up00",
		risk.CVSS{Vector: "CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:L/VI:L/VA:L/SC:N/SI:N/SA:N", Score: 4.8, Source: "GHSA-made-up00"})
	medium.Aliases = []string{"CVE-2099-0002"}
	malicious := known(found("MAL-2099-1", "@made/up", pad, risk.Malicious), "MAL-2099-1")
	unknown := known(found("CVE-2099-0003", "example.org/bare", bare, risk.Unknown), "GO-2099-0003")
	low := known(found("CVE-2099-0004", "openssl", tool, risk.Low), "DEBIAN-CVE-2099-0004")
	r := &report.Report{
		Head: report.Head{
			Target: "dir:/srv/example", SBOM: report.SBOM{InventoryDigest: "sha256:" + strings.Repeat("0", 64), Components: 4},
			Feed: report.Feed{Revision: "0123456789abcdef", Intelligence: "fedcba98", Sources: []feed.Source{
				{Name: "osv/Debian", AsOf: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), Records: 3, URL: "https://feed.example/Debian"},
			}},
			Engine: "1", At: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC),
			Document: &sbom.Document{
				Distribution: sbom.Distribution{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
				Components:   []sbom.Component{libssl, tool, bare, pad},
			},
		},
		Findings: []report.Finding{exploited, again, unknown, malicious, medium},
		Tail: report.Tail{
			Ignored: []report.Ignored{
				{Finding: low, By: "ignore.yaml:1", Reason: "not reachable", Until: "2099-12-31"},
				{Finding: known(found("CVE-2099-0005", "openssl", tool, risk.High, "3.0.16-1"), "DEBIAN-CVE-2099-0005"), By: "vex.json: statement 1", Status: "not_affected", Justification: "vulnerable_code_not_present"},
			},
			NotAssessed: []match.NotAssessed{{Ecosystem: "amzn:2023", Reason: "the feed has no advisories for it"}},
			Warnings:    []collect.Warning{{Path: "var/lib/rpm/Packages", Message: "it cannot be read"}},
		},
	}
	r.Summary = report.Summarize(r.Findings)
	return r
}

// hostile says the same text everywhere.
func hostile(evil string) *report.Report {
	c := sbom.Component{Ecosystem: evil, Name: evil, Version: evil, PURL: evil, Locations: []string{evil}, Layer: &sbom.Layer{Digest: evil, Instruction: evil}}
	f := found(evil, evil, c, risk.High, evil)
	f.Aliases, f.Advisories, f.Summary, f.CVSS = []string{evil}, []string{evil}, evil, []risk.CVSS{{Vector: evil, Score: 7, Source: evil}}
	return &report.Report{
		Head:     report.Head{Target: evil, Document: &sbom.Document{Components: []sbom.Component{c}}},
		Findings: []report.Finding{f},
		Tail: report.Tail{
			Ignored:     []report.Ignored{{Finding: f, By: evil, Reason: evil, Until: evil}},
			NotAssessed: []match.NotAssessed{{Ecosystem: evil, Reason: evil}},
			Warnings:    []collect.Warning{{Path: evil, Message: evil}},
		},
	}
}

var extensions = map[string]string{
	"table": "txt", "json": "json", "sarif": "sarif", "cyclonedx": "cdx.json", "spdx": "spdx.json", "openvex": "vex.json", "csv": "csv", "html": "html",
}

func TestFormats(t *testing.T) {
	for _, name := range strings.Split(report.Formats(), ", ") {
		t.Run(name, func(t *testing.T) {
			got := written(t, name, example())
			golden := filepath.Join("testdata", "example."+extensions[name])
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("it differs from %s; look, and run with -update:\n%s", golden, got)
			}
		})
	}
}

// schemas compiles the public schemas, by format. CycloneDX's come with the
// module that writes it.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	cyclonedx := filepath.Join(strings.TrimSpace(string(module)), "schema")
	compiler := jsonschema.NewCompiler()
	for url, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json":  filepath.Join(cyclonedx, "bom-1.6.schema.json"),
		"http://cyclonedx.org/schema/spdx.schema.json":     filepath.Join(cyclonedx, "spdx.schema.json"),
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": filepath.Join(cyclonedx, "jsf-0.82.schemax.json"),
		"sarif.json": "testdata/schema/sarif-2.1.0.json",
		"spdx.json":  "testdata/schema/spdx-2.3.json",
	} {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(url, schema); err != nil {
			t.Fatal(err)
		}
	}
	compiled := make(map[string]*jsonschema.Schema)
	for name, url := range map[string]string{
		"sarif": "sarif.json", "spdx": "spdx.json", "cyclonedx": "http://cyclonedx.org/schema/bom-1.6.schema.json",
	} {
		if compiled[name], err = compiler.Compile(url); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

// TestSchemas: what is written is what the formats' owners say it is, for nothing
// found and for hostile text, too.
func TestSchemas(t *testing.T) {
	for name, schema := range schemas(t) {
		for what, r := range map[string]*report.Report{
			"example": example(), "nothing": {}, "hostile": hostile("<a>\x1b[2J\n=1+1\u202e\xff%zz ../..//\x00"),
		} {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(written(t, name, r)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s of %s: %v", name, what, err)
			}
		}
	}
}

type sarifLog struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct {
					ID         string
					Properties map[string]any
				}
			}
		}
		Results []struct {
			RuleID              string
			RuleIndex           int
			Level               string
			PartialFingerprints map[string]string
			Locations           []struct {
				PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
			}
		}
	}
}

// TestSARIFOutlivesUpgrades: GitHub knows an alert again after an upgrade that
// does not mend it, and opens another for another place.
func TestSARIFOutlivesUpgrades(t *testing.T) {
	prints := func(r *report.Report) (all []string) {
		var log sarifLog
		if err := json.Unmarshal([]byte(written(t, "sarif", r)), &log); err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, result := range log.Runs[0].Results {
			print := result.PartialFingerprints["primaryLocationLineHash"]
			if seen[print] {
				t.Errorf("%s has the fingerprint of another", result.RuleID)
			}
			seen[print] = true
			all = append(all, print)
			if uri := result.Locations[0].PhysicalLocation.ArtifactLocation.URI; strings.HasPrefix(uri, "/") || strings.Contains(uri, " ") {
				t.Errorf("%q is no relative URI", uri)
			}
			if rule := log.Runs[0].Tool.Driver.Rules[result.RuleIndex]; rule.ID != result.RuleID {
				t.Errorf("%s points to the rule %s", result.RuleID, rule.ID)
			}
		}
		return all
	}
	before := prints(example())
	if len(before) != 4 {
		t.Errorf("%d results, want 4: two binaries of one source are one", len(before))
	}
	upgraded := example()
	for i := range upgraded.Findings {
		upgraded.Findings[i].Component.Version += ".1"
		upgraded.Findings[i].Component.Ecosystem = strings.Replace(upgraded.Findings[i].Component.Ecosystem, "12", "13", 1)
	}
	if after := prints(upgraded); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after an upgrade %v, before it %v", after, before)
	}
	elsewhere := example()
	elsewhere.Findings[3].Component.Locations = []string{"elsewhere"}
	if after := prints(elsewhere); fmt.Sprint(after) == fmt.Sprint(before) {
		t.Error("another place has the same fingerprint")
	}
}

// TestCSVIsInert: no cell of a spreadsheet is taken for a formula.
func TestCSVIsInert(t *testing.T) {
	for _, evil := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1", " =1", "\n@x", "＝1+1"} {
		lines, err := csv.NewReader(strings.NewReader(written(t, "csv", hostile(evil)))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) != 3 {
			t.Errorf("%d lines, want 3", len(lines))
		}
		for _, line := range lines[1:] {
			for i, cell := range line {
				if trimmed := strings.TrimSpace(cell); trimmed != "" && strings.ContainsRune("=+-@＝", []rune(trimmed)[0]) {
					t.Errorf("%s is %q", lines[0][i], cell)
				}
			}
		}
	}
}

// TestHTMLIsInert: nothing of the text becomes markup, and the page asks nobody
// for anything.
func TestHTMLIsInert(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>' javascript:alert(1)`
	page := written(t, "html", hostile(evil))
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") {
		t.Errorf("markup gets through: %s", page)
	}
	if !strings.Contains(page, html.EscapeString("<script>alert(1)</script>")) {
		t.Error("the text is not shown")
	}
	for _, policy := range []string{"Content-Security-Policy", "default-src 'none'"} {
		if !strings.Contains(page, policy) {
			t.Errorf("%s is not there", policy)
		}
	}
	for _, found := range regexp.MustCompile(`(?:src|href|url)\s*[=(]\s*"?([^"\s>]*)`).FindAllStringSubmatch(written(t, "html", example()), -1) {
		if !strings.HasPrefix(found[1], "https://osv.dev/vulnerability/") {
			t.Errorf("the page asks for %s", found[1])
		}
	}
}

// TestOpenVEX: the rules of the specification that a schema cannot have.
func TestOpenVEX(t *testing.T) {
	var doc struct {
		Context    string `json:"@context"`
		ID         string `json:"@id"`
		Statements []struct {
			Vulnerability struct{ Name string }
			Status        string
			Justification string
			Impact        string `json:"impact_statement"`
			Action        string `json:"action_statement"`
			Products      []struct {
				ID string `json:"@id"`
			}
		}
	}
	if err := json.Unmarshal([]byte(written(t, "openvex", example())), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Context != "https://openvex.dev/ns/v0.2.0" || !strings.HasPrefix(doc.ID, "urn:uuid:") {
		t.Errorf("%q, %q", doc.Context, doc.ID)
	}
	status := make(map[string]string)
	for _, s := range doc.Statements {
		status[s.Vulnerability.Name] = s.Status
		if s.Status == "affected" && s.Action == "" {
			t.Errorf("%s is affected without an action", s.Vulnerability.Name)
		}
		if s.Status == "not_affected" && (s.Justification == "") == (s.Impact == "") {
			t.Errorf("%s is not affected without one reason", s.Vulnerability.Name)
		}
		for _, p := range s.Products {
			if !strings.HasPrefix(p.ID, "pkg:") {
				t.Errorf("the product %q is no purl", p.ID)
			}
		}
	}
	want := map[string]string{
		"CVE-2099-0001": "affected", "GHSA-made-up00": "affected", "MAL-2099-1": "affected",
		"CVE-2099-0003": "under_investigation", "CVE-2099-0004": "under_investigation", "CVE-2099-0005": "not_affected",
	}
	if fmt.Sprint(status) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", status, want)
	}
}
