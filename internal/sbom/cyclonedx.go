package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// About is what a written SBOM says of itself.
type About struct {
	// Target is what was looked at.
	Target string
	// Version is that of the program.
	Version string
	At      time.Time
}

// The names of CycloneDX properties by which a document that this package wrote
// reads back as it was. "patrol:" is their name space.
const (
	propertyEcosystem           = "patrol:ecosystem"
	propertySourceName          = "patrol:source:name"
	propertySourceVersion       = "patrol:source:version"
	propertyLayerDigest         = "patrol:layer:digest"
	propertyLayerInstruction    = "patrol:layer:instruction"
	propertyDistributionID      = "patrol:distribution:id"
	propertyDistributionVersion = "patrol:distribution:version"
	propertyDistributionName    = "patrol:distribution:name"
)

// CycloneDX returns the document as a CycloneDX BOM. [Component.Ref] is the
// bom-ref of each component.
func (d *Document) CycloneDX(about About) *cyclonedx.BOM {
	bom := cyclonedx.NewBOM()
	bom.SpecVersion = cyclonedx.SpecVersion1_6
	bom.JSONSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"
	bom.SerialNumber = "urn:uuid:" + d.id(about)
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: about.At.UTC().Format(time.RFC3339),
		Tools: &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{
			{Type: cyclonedx.ComponentTypeApplication, Name: "patrol", Version: about.Version},
		}},
		Component: &cyclonedx.Component{BOMRef: "target", Type: cyclonedx.ComponentTypeApplication, Name: about.Target},
		Properties: properties(
			propertyDistributionID, d.Distribution.ID,
			propertyDistributionVersion, d.Distribution.Version,
			propertyDistributionName, d.Distribution.Name,
		),
	}
	components := make([]cyclonedx.Component, len(d.Components))
	for i, c := range d.Components {
		components[i] = c.cycloneDX()
	}
	bom.Components = &components
	return bom
}

func (c Component) cycloneDX() cyclonedx.Component {
	named := []string{
		propertyEcosystem, c.Ecosystem,
		propertySourceName, c.Source.Name,
		propertySourceVersion, c.Source.Version,
	}
	if c.Layer != nil {
		named = append(named, propertyLayerDigest, c.Layer.Digest, propertyLayerInstruction, c.Layer.Instruction)
	}
	out := cyclonedx.Component{
		BOMRef: c.Ref(), Type: cyclonedx.ComponentTypeLibrary, Name: c.Name, Version: c.Version, PackageURL: c.PURL,
		Properties: properties(named...),
	}
	if len(c.Locations) > 0 {
		occurrences := make([]cyclonedx.EvidenceOccurrence, len(c.Locations))
		for i, l := range c.Locations {
			occurrences[i].Location = l
		}
		out.Evidence = &cyclonedx.Evidence{Occurrences: &occurrences}
	}
	return out
}

// Ref names a component within its document: what decides its findings, and its
// purl, make it.
func (c Component) Ref() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{c.Ecosystem, c.Name, c.Version, c.Source.Name, c.Source.Version, c.PURL}))
	return "component-" + hex.EncodeToString(sum[:10])
}

// properties pairs names with values, without those that are empty.
func properties(pairs ...string) *[]cyclonedx.Property {
	var list []cyclonedx.Property
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, cyclonedx.Property{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	if list == nil {
		return nil
	}
	return &list
}

// id is a UUID of the contents, the target and the moment: writing the same again
// gives the same bytes.
func (d *Document) id(about About) string {
	encoded, err := d.Encode()
	if err != nil { // a Document is made of strings
		encoded = nil
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(encoded, "\n%q\n%d", about.Target, about.At.UnixNano())).String()
}
