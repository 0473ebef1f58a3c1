package sbom

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// spdxDocument is what of an SPDX document matters here.
type spdxDocument struct {
	Packages    []spdxPackage `json:"packages"`
	Annotations []spdxComment `json:"annotations"`
}

type spdxPackage struct {
	Name         string `json:"name"`
	Version      string `json:"versionInfo"`
	SourceInfo   string `json:"sourceInfo"`
	Purpose      string `json:"primaryPackagePurpose"`
	ExternalRefs []struct {
		Type    string `json:"referenceType"`
		Locator string `json:"referenceLocator"`
	} `json:"externalRefs"`
	Annotations []spdxComment `json:"annotations"`
}

type spdxComment struct {
	Annotator string `json:"annotator"`
	Comment   string `json:"comment"`
}

func (r *reader) spdxJSON(data []byte) (string, error) {
	var doc spdxDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return "SPDX", err
	}
	r.spdx(&doc)
	return "SPDX", nil
}

// maxLine is the length in bytes of the longest line of a tag-value document.
const maxLine = 16 << 20

// spdxTagValue reads SPDX's "Tag: value" lines (SPDX 2.3, annex E). Of them only
// packages matter. A value between <text> and </text> may have several lines.
func (r *reader) spdxTagValue(data []byte) (string, error) {
	var doc spdxDocument
	var p *spdxPackage
	lines := bufio.NewScanner(bytes.NewReader(bytes.ToValidUTF8(data, []byte("\ufffd"))))
	lines.Buffer(nil, maxLine)
	inText, number := false, 0
	for lines.Scan() {
		number++
		line := lines.Text()
		if inText {
			inText = !strings.Contains(line, "</text>")
			continue
		}
		tag, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if strings.HasPrefix(tag, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		if !ok {
			return "SPDX", fmt.Errorf("line %d is no tag with a value", number)
		}
		if text, starts := strings.CutPrefix(value, "<text>"); starts {
			value, _, ok = strings.Cut(text, "</text>")
			inText = !ok
		}
		switch tag {
		case "SPDXVersion":
			if !strings.HasPrefix(value, "SPDX-2.") {
				return "SPDX", fmt.Errorf("%s is not read; write the SBOM as SPDX 2.3", value)
			}
		case "PackageName":
			doc.Packages = append(doc.Packages, spdxPackage{Name: value})
			p = &doc.Packages[len(doc.Packages)-1]
		case "FileName", "SnippetSPDXID", "LicenseID":
			p = nil
		}
		if p != nil {
			p.set(tag, value)
		}
	}
	if err := lines.Err(); err != nil {
		return "SPDX", fmt.Errorf("line %d: %w", number+1, err)
	}
	if inText {
		return "SPDX", fmt.Errorf("a <text> does not end")
	}
	r.spdx(&doc)
	return "SPDX", nil
}

func (p *spdxPackage) set(tag, value string) {
	switch tag {
	case "PackageVersion":
		p.Version = value
	case "PackageSourceInfo":
		p.SourceInfo = value
	case "PrimaryPackagePurpose":
		p.Purpose = value
	case "ExternalRef": // category, type, locator
		if fields := strings.Fields(value); len(fields) == 3 {
			p.ExternalRefs = append(p.ExternalRefs, struct {
				Type    string `json:"referenceType"`
				Locator string `json:"referenceLocator"`
			}{fields[1], fields[2]})
		}
	}
}

func (r *reader) spdx(doc *spdxDocument) {
	for _, a := range doc.Annotations {
		if noted, ok := a.ours(); ok && noted.Distribution != nil {
			r.distribution = *noted.Distribution
		}
	}
	var release Release
	for _, p := range doc.Packages {
		if strings.EqualFold(p.Purpose, "OPERATING-SYSTEM") && release.ID == "" {
			release = Release{ID: p.Name, Version: p.Version}
		}
	}
	if r.distribution == (Distribution{}) {
		r.distribution = release.distribution()
	}
	for i := range doc.Packages {
		r.spdxPackage(&doc.Packages[i], release)
	}
}

func (r *reader) spdxPackage(p *spdxPackage, release Release) {
	for _, a := range p.Annotations {
		if noted, ok := a.ours(); ok && noted.Component != nil && noted.Component.Ecosystem != "" && noted.Component.Name != "" {
			r.components = append(r.components, *noted.Component)
			return
		}
	}
	f := foreign{name: p.Name, version: p.Version, source: spdxSource(p.SourceInfo)}
	for _, ref := range p.ExternalRefs {
		if ref.Type == "purl" && f.purl == "" {
			f.purl = ref.Locator
		}
	}
	if f.purl == "" && notAPackage[strings.ToUpper(p.Purpose)] {
		return
	}
	r.add(f, release)
}

// notAPackage are purposes of what no advisory speaks of (SPDX 2.3, section 7.24).
var notAPackage = map[string]bool{
	"OPERATING-SYSTEM": true, "OPERATING_SYSTEM": true, "CONTAINER": true, "FILE": true, "SOURCE": true, "DEVICE": true, "FIRMWARE": true, "ARCHIVE": true,
	"APPLICATION": true, // a lock file, or what the document is about
}

// ours returns what this package wrote into an annotation.
func (a spdxComment) ours() (noted spdxAnnotation, ok bool) {
	if a.Annotator != "Tool: "+annotator {
		return noted, false
	}
	return noted, json.Unmarshal([]byte(a.Comment), &noted) == nil
}

// spdxSource reads what Trivy writes: "built package from: openssl 3.0.11-1".
func spdxSource(info string) SourcePackage {
	built, ok := strings.CutPrefix(info, "built package from: ")
	if !ok {
		return SourcePackage{}
	}
	name, version, _ := strings.Cut(strings.TrimSpace(built), " ")
	return SourcePackage{name, version}
}
