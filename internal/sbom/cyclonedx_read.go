package sbom

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// cdx is what of a CycloneDX document matters here. encoding/json and
// encoding/xml end at a depth of 10,000, and know no external entities.
type cdx struct {
	XMLName    xml.Name     `json:"-"`
	Components []cdxPackage `json:"components" xml:"components>component"`
	Metadata   struct {
		Component  *cdxPackage   `json:"component" xml:"component"`
		Properties []cdxProperty `json:"properties" xml:"properties>property"`
	} `json:"metadata" xml:"metadata"`
}

type cdxPackage struct {
	Type       string        `json:"type" xml:"type,attr"`
	Group      string        `json:"group" xml:"group"`
	Name       string        `json:"name" xml:"name"`
	Version    string        `json:"version" xml:"version"`
	PURL       string        `json:"purl" xml:"purl"`
	Properties []cdxProperty `json:"properties" xml:"properties>property"`
	Evidence   struct {
		Occurrences []struct {
			Location string `json:"location" xml:"location"`
		} `json:"occurrences" xml:"occurrences>occurrence"`
	} `json:"evidence" xml:"evidence"`
	Components []cdxPackage `json:"components" xml:"components>component"`
}

type cdxProperty struct {
	Name  string `json:"name" xml:"name,attr"`
	Value string `json:"value" xml:",chardata"`
}

const cycloneDXNamespace = "http://cyclonedx.org/schema/bom/1."

func (r *reader) cycloneDXJSON(data []byte) (string, error) {
	var bom cdx
	if err := json.Unmarshal(data, &bom); err != nil {
		return "CycloneDX", err
	}
	r.cycloneDX(&bom)
	return "CycloneDX", nil
}

func (r *reader) cycloneDXML(data []byte) (string, error) {
	var bom cdx
	decoder := xml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&bom); err != nil {
		return "CycloneDX", err
	}
	if bom.XMLName.Local != "bom" || !strings.HasPrefix(bom.XMLName.Space, cycloneDXNamespace) {
		return "XML", errNoFormat
	}
	for {
		switch token, err := decoder.Token(); {
		case errors.Is(err, io.EOF):
			r.cycloneDX(&bom)
			return "CycloneDX", nil
		case err != nil:
			return "CycloneDX", err
		default:
			if _, element := token.(xml.StartElement); element {
				return "CycloneDX", errors.New("there is more after the end of the document")
			}
		}
	}
}

func (r *reader) cycloneDX(bom *cdx) {
	known := byName(bom.Metadata.Properties)
	r.distribution = Distribution{
		ID: known[propertyDistributionID], Version: known[propertyDistributionVersion], Name: known[propertyDistributionName],
	}
	var release Release
	walk(bom.Components, func(c *cdxPackage) {
		if c.Type == "operating-system" && release.ID == "" {
			release = Release{ID: c.Name, Version: c.Version}
		}
	})
	if r.distribution == (Distribution{}) {
		r.distribution = release.distribution()
	}
	walk(bom.Components, func(c *cdxPackage) { r.cycloneDXPackage(c, release) })
	// A document about one application may have its purl there alone.
	if c := bom.Metadata.Component; c != nil && c.PURL != "" && c.Type != "container" {
		r.cycloneDXPackage(c, release)
	}
}

func walk(list []cdxPackage, visit func(*cdxPackage)) {
	for i := range list {
		visit(&list[i])
		walk(list[i].Components, visit)
	}
}

func (r *reader) cycloneDXPackage(c *cdxPackage, release Release) {
	known := byName(c.Properties)
	layer := layerOf(known[propertyLayerDigest], known[propertyLayerInstruction])
	var locations []string
	for _, o := range c.Evidence.Occurrences {
		locations = append(locations, o.Location)
	}
	if ecosystem := known[propertyEcosystem]; ecosystem != "" && c.Name != "" {
		r.components = append(r.components, Component{
			Ecosystem: ecosystem, Name: c.Name, Version: c.Version, PURL: c.PURL, Locations: locations, Layer: layer,
			Source: SourcePackage{known[propertySourceName], known[propertySourceVersion]},
		})
		return
	}
	if c.PURL == "" && !packageType(c.Type) {
		return // a file, an operating system, a lock file: nothing that advisories speak of
	}
	f := foreign{name: c.Name, version: c.Version, purl: c.PURL, locations: locations, layer: layer}
	if c.Group != "" {
		f.name = c.Group + "/" + c.Name
	}
	for _, p := range c.Properties {
		switch {
		case p.Name == "aquasecurity:trivy:FilePath", p.Name == "SrcFile",
			strings.HasPrefix(p.Name, "syft:location:") && strings.HasSuffix(p.Name, ":path"):
			f.locations = append(f.locations, p.Value)
		}
	}
	if f.layer == nil {
		f.layer = layerOf(known["aquasecurity:trivy:LayerDiffID"], "")
	}
	if f.layer == nil {
		f.layer = layerOf(known["syft:location:0:layerID"], "")
	}
	f.source = trivySource(known)
	r.add(f, release)
}

// packageType tells whether a component of that type is one that somebody
// publishes and others depend on.
func packageType(t string) bool { return t == "library" || t == "framework" }

// trivySource: Trivy tells sources in properties, with the version in parts.
func trivySource(known map[string]string) SourcePackage {
	s := SourcePackage{known["aquasecurity:trivy:SrcName"], known["aquasecurity:trivy:SrcVersion"]}
	if s.Version == "" {
		return s
	}
	if release := known["aquasecurity:trivy:SrcRelease"]; release != "" {
		s.Version += "-" + release
	}
	if epoch := known["aquasecurity:trivy:SrcEpoch"]; epoch != "" && epoch != "0" {
		s.Version = epoch + ":" + s.Version
	}
	return s
}

func layerOf(digest, instruction string) *Layer {
	if digest == "" {
		return nil
	}
	return &Layer{Digest: digest, Instruction: instruction}
}

func byName(list []cdxProperty) map[string]string {
	values := make(map[string]string, len(list))
	for _, p := range list {
		if _, twice := values[p.Name]; !twice {
			values[p.Name] = p.Value
		}
	}
	return values
}
