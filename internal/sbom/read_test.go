package sbom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	spdxjson "github.com/spdx/tools-golang/json"

	"patrol/internal/sbom"
)

var about = sbom.About{Target: "dir:/srv/example", Version: "1", At: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)}

func read(t *testing.T, file string) *sbom.ReadDocument {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	r, err := sbom.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReadForeign: what others write, in each of their ways.
func TestReadForeign(t *testing.T) {
	for _, test := range []struct {
		file, format string
		want         []string
		warnings     string
	}{
		{"syft.cdx.json", "CycloneDX", []string{
			"Debian:12 libgcc-s1 12.2.0-14 from gcc-12 12.2.0-14",
			"Debian:12 libssl3 3.0.11-1~deb12u2 from openssl 3.0.11-1~deb12u2 in usr/share/doc/libssl3/copyright,var/lib/dpkg/status by sha256:1111",
			"Go github.com/Made/Up/sub/v2 2.0.1",
			"npm @made/up 1.2.3",
		}, "nameless@1.0"},
		{"trivy.cdx.json", "CycloneDX", []string{
			"Maven org.made:inner 4",
			"Maven org.made:up 1.2.3 in srv/app/up-1.2.3.jar",
			"Red Hat:enterprise_linux:9::baseos openssl-libs 1:3.0.7-27.el9 from openssl 1:3.0.7-27.el9 by sha256:2222",
		}, ""},
		{"cdxgen.cdx.xml", "CycloneDX", []string{
			"Alpine:v3.19 busybox 1.36.1-r5 from busybox 1.36.1-r5 in lib/apk/db/installed",
			"Packagist made/up v1.2.3",
			"crates.io inner 0.1",
		}, ""},
		{"trivy.spdx.json", "SPDX", []string{"Ubuntu:22.04:LTS libssl3 3.0.2-0ubuntu1.10 from openssl 3.0.2-0ubuntu1.10"}, "nameless@1"},
		{"made-up.spdx", "SPDX", []string{"PyPI django 4.2", "crates.io serde 1.0.1"}, ""},
		{"syft.json", "Syft", []string{
			"Go stdlib 1.22.3 in usr/bin/tool",
			"Red Hat:enterprise_linux:9::baseos openssl-libs 1:3.0.7-27.el9 from openssl 1:3.0.7-27.el9 in var/lib/rpm/rpmdb.sqlite by sha256:3333",
		}, "mystery@1"},
	} {
		r := read(t, test.file)
		var got, warned []string
		for _, c := range r.Document.Components {
			got = append(got, text(c))
		}
		for _, w := range r.Warnings {
			warned = append(warned, w.Component)
		}
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") || r.Format != test.format {
			t.Errorf("%s, %s:\n%s\nwant\n%s", test.file, r.Format, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
		}
		if strings.Join(warned, " ") != test.warnings {
			t.Errorf("%s: warnings %v, want %q", test.file, r.Warnings, test.warnings)
		}
	}
	if d := read(t, "trivy.cdx.json").Document.Distribution; d.ID != "redhat" || d.Version != "9.4" {
		t.Errorf("distribution %+v", d)
	}
}

func text(c sbom.Component) string {
	s := fmt.Sprintf("%s %s %s", c.Ecosystem, c.Name, c.Version)
	if c.Source.Name != "" {
		s += " from " + c.Source.Name + " " + c.Source.Version
	}
	if len(c.Locations) > 0 {
		s += " in " + strings.Join(c.Locations, ",")
	}
	if c.Layer != nil {
		s += " by " + c.Layer.Digest
	}
	return s
}

func TestFromPURL(t *testing.T) {
	debian := sbom.Release{ID: "debian", Version: "12", PrettyName: "Debian GNU/Linux 12 (bookworm)"}
	for _, test := range []struct {
		purl    string
		release sbom.Release
		want    string
	}{
		{"pkg:deb/debian/bash@5.2.15-2%2Bb2?distro=debian-12.5", sbom.Release{}, "Debian:12 bash 5.2.15-2+b2 from bash 5.2.15-2+b2"},
		{"pkg:deb/debian/bash@5.2.15-2%2Bb2?distro=bookworm&source=bash&sourceversion=5.2.15-2", sbom.Release{}, "Debian:12 bash 5.2.15-2+b2 from bash 5.2.15-2"},
		{"pkg:deb/debian/bash@5.2?epoch=1", debian, "Debian:12 bash 1:5.2 from bash 1:5.2"},
		{"pkg:deb/debian/bash@1%3A5.2?epoch=1&distro=debian-12", sbom.Release{}, "Debian:12 bash 1:5.2 from bash 1:5.2"},
		{"pkg:deb/debian/bash@5.2?epoch=0", debian, "Debian:12 bash 5.2 from bash 5.2"},
		{"pkg:deb/debian/bash@5.2?epoch=x", debian, "Debian:12 bash 5.2 from bash 5.2"},
		{"pkg:deb/debian/bash@5.2", sbom.Release{}, "debian:unknown bash 5.2 from bash 5.2"},
		{"pkg:deb/ubuntu/bash@5.2", debian, "ubuntu:unknown bash 5.2 from bash 5.2"},
		{"pkg:deb/ubuntu/libssl3@3.0.2?distro=jammy&upstream=openssl%403.0.2-0", sbom.Release{}, "Ubuntu:22.04:LTS libssl3 3.0.2 from openssl 3.0.2-0"},
		{"pkg:deb/bash@5.2", sbom.Release{}, "linux:unknown bash 5.2 from bash 5.2"},
		{"pkg:apk/alpine/busybox@1.36?distro=3.20.1", sbom.Release{}, "Alpine:v3.20 busybox 1.36 from busybox 1.36"},
		{"pkg:apk/alpine/ssl_client@1.36?distro=edge&upstream=busybox", sbom.Release{}, "Alpine:edge ssl_client 1.36 from busybox 1.36"},
		{"pkg:apk/wolfi/busybox@1.36?distro=wolfi-20230201", sbom.Release{}, "Wolfi busybox 1.36 from busybox 1.36"},
		{"pkg:rpm/redhat/bash@5.1?distro=rhel-9.2&upstream=bash-5.1.8-6.el9.src.rpm", sbom.Release{}, "Red Hat:enterprise_linux:9::baseos bash 5.1 from bash 5.1.8-6.el9"},
		{"pkg:rpm/redhat/bash@5.1?distro=rhel-10.0", sbom.Release{}, "rhel:10.0 bash 5.1"},
		{"pkg:rpm/almalinux/bash@5.1?distro=almalinux-9.4", sbom.Release{}, "AlmaLinux:9 bash 5.1"},
		{"pkg:rpm/alma/bash@5.1?distro=alma-9.4", sbom.Release{}, "AlmaLinux:9 bash 5.1"},
		{"pkg:rpm/rocky/bash@5.1?distro=rocky-9.4&epoch=2&sourcerpm=bash-5.1-1.src.rpm", sbom.Release{}, "Rocky Linux:9 bash 2:5.1 from bash 2:5.1-1"},
		{"pkg:rpm/suse/bash@5.1?distro=sles-15.5", sbom.Release{}, "SUSE:Linux Enterprise Server 15 SP5 bash 5.1"},
		{"pkg:rpm/opensuse/bash@5.1?distro=opensuse-leap-15.6", sbom.Release{}, "openSUSE:Leap 15.6 bash 5.1"},
		{"pkg:rpm/amzn/bash@5.1?distro=amzn-2023", sbom.Release{}, "amzn:2023 bash 5.1"},
		{"pkg:alpm/arch/bash@5.2", sbom.Release{}, "arch:rolling bash 5.2"},
		{"pkg:npm/left-pad@1.3.0", debian, "npm left-pad 1.3.0"},
		{"pkg:golang/github.com/BurntSushi/toml@v1.3.2", sbom.Release{}, "Go github.com/BurntSushi/toml 1.3.2"},
		{"pkg:golang/golang.org/x/net@0.1.0", sbom.Release{}, "Go golang.org/x/net 0.1.0"},
		{"pkg:maven/org.made/up@1?type=jar", sbom.Release{}, "Maven org.made:up 1"},
		{"pkg:nuget/Newtonsoft.Json@13", sbom.Release{}, "NuGet Newtonsoft.Json 13"},
		{"pkg:gem/rails@7", sbom.Release{}, "RubyGems rails 7"},
		{"pkg:cargo/serde@1", sbom.Release{}, "crates.io serde 1"},
		{"pkg:pypi/Made_Up@1", sbom.Release{}, "PyPI made-up 1"},
		{"pkg:swift/github.com/made/up@1", sbom.Release{}, "SwiftURL github.com/made/up 1"},
		{"pkg:hex/phoenix@1", sbom.Release{}, "Hex phoenix 1"},
	} {
		c, err := sbom.FromPURL(test.purl, test.release)
		if got := text(c); err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", test.purl, got, err, test.want)
		}
	}
	for purl, reason := range map[string]string{
		"":                     "no purl",
		"npm/left-pad":         "cannot be read",
		"pkg:npm/left-pad":     "no version",
		"pkg:generic/x@1":      "type generic",
		"pkg:npm/%zz@1":        "cannot be read",
		"pkg:deb/debian/@1":    "",
		"pkg:":                 "",
		"pkg:golang/@v":        "",
		"pkg:golang/x@v":       "no version",
		"pkg:rpm/a/b?distro=-": "no version",
	} {
		if c, err := sbom.FromPURL(purl, sbom.Release{}); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %+v, error %v does not say %q", purl, c, err, reason)
		}
	}
}

// layered is a document with one of everything that must survive.
func layered() *sbom.Document {
	d := document()
	d.Components[0].Layer = &sbom.Layer{Digest: "sha256:" + strings.Repeat("1", 64), Instruction: `RUN /bin/sh -c "a" && b`}
	d.Components[4].Ecosystem = "Red Hat:enterprise_linux:9::baseos"
	d.Normalize()
	return d
}

func encoders(t *testing.T) map[string]func(*sbom.Document) []byte {
	cdx := func(format cyclonedx.BOMFileFormat) func(*sbom.Document) []byte {
		return func(d *sbom.Document) []byte {
			var out bytes.Buffer
			if err := cyclonedx.NewBOMEncoder(&out, format).EncodeVersion(d.CycloneDX(about), cyclonedx.SpecVersion1_6); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
	}
	return map[string]func(*sbom.Document) []byte{
		"CycloneDX JSON": cdx(cyclonedx.BOMFileFormatJSON),
		"CycloneDX XML":  cdx(cyclonedx.BOMFileFormatXML),
		"SPDX": func(d *sbom.Document) []byte {
			doc, err := d.SPDX(about)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			return data
		},
	}
}

// TestRoundTripOfFormats: what was written reads back as it was, to the byte, and
// is written again the same way.
func TestRoundTripOfFormats(t *testing.T) {
	for name, write := range encoders(t) {
		for _, d := range []*sbom.Document{layered(), {Components: []sbom.Component{}}} {
			written := write(d)
			r, err := sbom.Read(written)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got, want := encode(t, r.Document), encode(t, d); string(got) != string(want) || len(r.Warnings) > 0 {
				t.Errorf("%s: %v\n%s\nwant\n%s", name, r.Warnings, got, want)
			}
			if again := write(r.Document); string(again) != string(written) {
				t.Errorf("%s is written in another way the second time", name)
			}
		}
	}
}

// TestOthersReadIt: the libraries of the formats' owners understand what is written.
func TestOthersReadIt(t *testing.T) {
	d := layered()
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(encoders(t)["CycloneDX JSON"](d)), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.SpecVersion != cyclonedx.SpecVersion1_6 || len(*bom.Components) != len(d.Components) {
		t.Errorf("%s with %d components", bom.SpecVersion, len(*bom.Components))
	}
	doc, err := spdxjson.Read(bytes.NewReader(encoders(t)["SPDX"](d)))
	if err != nil {
		t.Fatal(err)
	}
	if doc.SPDXVersion != "SPDX-2.3" || len(doc.Packages) != len(d.Components) {
		t.Errorf("%s with %d packages", doc.SPDXVersion, len(doc.Packages))
	}
}

func TestReadRefuses(t *testing.T) {
	const deep = 100_000
	const cdx = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":`
	const bom = `<bom xmlns="http://cyclonedx.org/schema/bom/1.6">`
	for name, test := range map[string]struct{ data, want string }{
		"nothing":                 {"", "CycloneDX"},
		"text":                    {"hello", "CycloneDX"},
		"another JSON":            {`{"a":1}`, "CycloneDX"},
		"a list":                  {`[]`, "CycloneDX"},
		"half of one":             {`{"bomFormat":"CycloneDX"`, "JSON"},
		"of another type":         {cdx + `"none"}`, "CycloneDX"},
		"SPDX 3":                  {`{"spdxVersion":"SPDX-3.0"}`, "SPDX-3.0"},
		"deep JSON":               {cdx + strings.Repeat("[", deep), "depth"},
		"deep components":         {cdx + strings.Repeat(`[{"components":`, deep) + strings.Repeat(`}]`, deep) + "}", "depth"},
		"deep elsewhere":          {`{"x":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}", "depth"},
		"deep SPDX":               {`{"spdxVersion":"SPDX-2.3","packages":` + strings.Repeat(`[`, deep) + strings.Repeat(`]`, deep) + "}", "depth"},
		"another XML":             {`<html></html>`, "CycloneDX"},
		"another name space":      {`<bom xmlns="http://example.org/"></bom>`, "CycloneDX"},
		"half an XML":             {bom, "EOF"},
		"two documents":           {bom + "</bom><bom/>", "more after the end"},
		"deep XML":                {bom + strings.Repeat("<components><component>", deep), "depth"},
		"an external entity":      {`<!DOCTYPE bom [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + bom + `<components><component type="library"><name>&x;</name></component></components></bom>`, "entity"},
		"an entity of entities":   {`<!DOCTYPE bom [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + bom + `<components>&b;</components></bom>`, "entity"},
		"another encoding":        {`<?xml version="1.0" encoding="UTF-7"?>` + bom + `</bom>`, "UTF-7"},
		"tag-value without a tag": {"SPDXVersion: SPDX-2.3\nhello\n", "line 2"},
		"text without an end":     {"SPDXVersion: SPDX-2.3\nComment: <text>hello\n", "does not end"},
		"tag-value of another":    {"SPDXVersion: SPDX-3.0\n", "SPDX-3.0"},
	} {
		r, err := sbom.Read([]byte(test.data))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, error %v does not say %q", name, r, err, test.want)
		}
	}
}

// TestReadTruncated: of a document that is cut off nothing is taken, unless it is a
// list of lines.
func TestReadTruncated(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.*"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole := len(bytes.TrimSpace(data))
		for i := range 40 {
			cut := whole * i / 40
			if r, err := sbom.Read(data[:cut]); err == nil && filepath.Ext(file) != ".spdx" {
				t.Errorf("%s: of %d bytes %d are taken for %+v", file, whole, cut, r)
			}
		}
	}
}

// TestReadIsBounded: a document is refused for its size before it is looked at.
func TestReadIsBounded(t *testing.T) {
	if _, err := sbom.Read(make([]byte, sbom.MaxDocument+1)); err == nil || !strings.Contains(err.Error(), "256 MiB") {
		t.Errorf("error %v", err)
	}
}

// TestReadLies: a component that says it is ours is taken as it says, but never
// without a name, and nothing points out of the tree.
func TestReadLies(t *testing.T) {
	r, err := sbom.Read([]byte(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
		{"type":"library","properties":[{"name":"patrol:ecosystem","value":"Go"}]},
		{"type":"library","name":"x","version":"1","purl":"pkg:npm/x@1","evidence":{"occurrences":[{"location":"//etc/passwd"},{"location":""}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Document.Components) != 1 || len(r.Warnings) != 1 || text(r.Document.Components[0]) != "npm x 1 in etc/passwd" {
		t.Errorf("%+v, %v", r.Document.Components, r.Warnings)
	}
}

func FuzzReadCycloneDX(f *testing.F)    { fuzzRead(f, "syft.cdx.json", "trivy.cdx.json") }
func FuzzReadCycloneDXXML(f *testing.F) { fuzzRead(f, "cdxgen.cdx.xml") }
func FuzzReadSPDX(f *testing.F)         { fuzzRead(f, "trivy.spdx.json") }
func FuzzReadSPDXTagValue(f *testing.F) { fuzzRead(f, "made-up.spdx") }
func FuzzReadSyft(f *testing.F)         { fuzzRead(f, "syft.json") }

// fuzzRead: whatever is read can be written and read again, and is the same then.
func fuzzRead(f *testing.F, files ...string) {
	f.Helper()
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := sbom.Read(data)
		if err != nil {
			return
		}
		encoded := encode(t, r.Document)
		if _, err := sbom.Decode(encoded); err != nil {
			t.Fatalf("%s does not decode: %v", encoded, err)
		}
		again, err := sbom.Read(encoders(t)["SPDX"](r.Document))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sbom.InventoryDigest(again.Document.Inventory()), sbom.InventoryDigest(r.Document.Inventory()); got != want {
			t.Errorf("the inventory changes: %s", encoded)
		}
	})
}

func FuzzFromPURL(f *testing.F) {
	f.Add("pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&upstream=openssl%403.0.2&distro=debian-12&epoch=1")
	f.Add("pkg:rpm/redhat/bash@5.1?distro=rhel-9.2&upstream=bash-5.1.8-6.el9.src.rpm")
	f.Add("pkg:golang/github.com/Made/Up@v2.0.1#sub/v2")
	f.Fuzz(func(t *testing.T, purl string) {
		c, err := sbom.FromPURL(purl, sbom.Release{ID: "debian", Version: "12"})
		if err == nil && (c.Ecosystem == "" || c.Name == "" || c.Version == "") {
			t.Errorf("%q gives %+v", purl, c)
		}
	})
}
