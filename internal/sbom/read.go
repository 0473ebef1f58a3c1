package sbom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MaxDocument is the size in bytes of the largest document that is read.
const MaxDocument = 256 << 20

// maxObjects is how many objects or elements a document may have; a component has
// about ten.
const maxObjects = 1_000_000

// ReadDocument is an SBOM that somebody wrote, as a document.
type ReadDocument struct {
	// Format is what it was: "CycloneDX", "SPDX" or "Syft".
	Format   string
	Document *Document
	Warnings []Warning
}

// Warning is a component that cannot be matched, and so is not in the document.
type Warning struct{ Component, Message string }

// maxWarnings bounds what a document full of nonsense can cost.
const maxWarnings = 10_000

// Read reads CycloneDX 1.2 to 1.6 (JSON, XML), SPDX 2.2 and 2.3 (JSON, tag-value)
// and Syft's JSON. The format is told by the contents.
//
// What this package wrote reads back as it was. From others' documents the
// ecosystem with its release, the name and the source come from each component's
// purl; see [FromPURL].
func Read(data []byte) (*ReadDocument, error) {
	if len(data) > MaxDocument {
		return nil, fmt.Errorf("the SBOM is larger than %d MiB", MaxDocument>>20)
	}
	// Decoded, an object takes some three hundred bytes, be it empty.
	if n := max(bytes.Count(data, []byte("{")), bytes.Count(data, []byte("</"))+bytes.Count(data, []byte("/>"))); n > maxObjects {
		return nil, fmt.Errorf("the SBOM has %d objects, more than the %d that are read", n, maxObjects)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	r := &reader{}
	read, err := r.format(data)
	if err != nil {
		return nil, err
	}
	format, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", format, err)
	}
	doc := &Document{Distribution: r.distribution, Components: r.components}
	if doc.Components == nil {
		doc.Components = []Component{}
	}
	doc.Normalize()
	if r.dropped > 0 {
		r.warnings = append(r.warnings, Warning{".", fmt.Sprintf("%d more warnings are not listed", r.dropped)})
	}
	return &ReadDocument{format, doc, r.warnings}, nil
}

// format tells which reader understands the document.
func (r *reader) format(data []byte) (func([]byte) (string, error), error) {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case bytes.HasPrefix(trimmed, []byte("<")):
		return r.cycloneDXML, nil
	case !bytes.HasPrefix(trimmed, []byte("{")):
		if bytes.Contains(data[:min(len(data), 64<<10)], []byte("SPDXVersion:")) {
			return r.spdxTagValue, nil
		}
		return nil, errNoFormat
	}
	var mark struct {
		BOMFormat   string          `json:"bomFormat"`
		SPDXVersion string          `json:"spdxVersion"`
		Artifacts   json.RawMessage `json:"artifacts"`
		Schema      struct {
			Version string `json:"version"`
		} `json:"schema"`
	}
	if err := json.Unmarshal(data, &mark); err != nil {
		return nil, fmt.Errorf("reading the SBOM as JSON: %w", err)
	}
	switch {
	case mark.BOMFormat == "CycloneDX":
		return r.cycloneDXJSON, nil
	case strings.HasPrefix(mark.SPDXVersion, "SPDX-2."):
		return r.spdxJSON, nil
	case mark.SPDXVersion != "":
		return nil, fmt.Errorf("%s is not read; write the SBOM as SPDX 2.3", mark.SPDXVersion)
	case mark.Artifacts != nil && mark.Schema.Version != "":
		return r.syft, nil
	}
	return nil, errNoFormat
}

var errNoFormat = errors.New("it is no SBOM that can be read: CycloneDX (JSON, XML), SPDX 2.3 (JSON, tag-value) and Syft's JSON can be")

// reader gathers what a document holds.
type reader struct {
	distribution Distribution
	components   []Component
	warnings     []Warning
	dropped      int
}

func (r *reader) warn(component, message string) {
	if len(r.warnings) == maxWarnings {
		r.dropped++
		return
	}
	r.warnings = append(r.warnings, Warning{component, message})
}

// foreign is a component of a document that somebody else wrote.
type foreign struct {
	name, version, purl string
	source              SourcePackage
	locations           []string
	layer               *Layer
}

// add takes over a component, if its purl tells what it is.
func (r *reader) add(f foreign, release Release) {
	c, err := FromPURL(f.purl, release)
	if err != nil {
		name := f.name
		if f.version != "" {
			name += "@" + f.version
		}
		r.warn(name, err.Error())
		return
	}
	if _, subpath, ok := strings.Cut(f.purl, "#"); ok && c.Ecosystem == "Go" && f.name == c.Name+"/"+subpath {
		c.Name = f.name // Syft's way with modules below their repository's root
	}
	if c.Ecosystem == "Go" && strings.EqualFold(f.name, c.Name) {
		c.Name = f.name
	}
	if f.source.Name != "" {
		c.Source = f.source
		if c.Source.Version == "" {
			c.Source.Version = c.Version
		}
	}
	c.Locations, c.Layer = cleanLocations(f.locations), f.layer
	r.components = append(r.components, c)
}

// cleanLocations are paths without a leading slash, as ours are.
func cleanLocations(paths []string) []string {
	var clean []string
	for _, p := range paths {
		if p = strings.TrimLeft(p, "/"); p != "" {
			clean = append(clean, p)
		}
	}
	return clean
}
