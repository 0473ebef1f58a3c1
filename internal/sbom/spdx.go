package sbom

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// annotator is who wrote an annotation that [spdxAnnotation] is in.
const annotator = "patrol"

// spdxAnnotation is what SPDX has no place for, as the comment of an annotation:
// by it a document that this package wrote reads back as it was.
type spdxAnnotation struct {
	Distribution *Distribution `json:"distribution,omitempty"` // of the whole document
	Component    *Component    `json:"component,omitempty"`    // of a package
}

// SPDX returns the document as SPDX 2.3. Its JSON is that of encoding/json.
func (d *Document) SPDX(about About) (*spdx.Document, error) {
	created := about.At.UTC().Format(time.RFC3339)
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName: about.Target, DocumentNamespace: "urn:uuid:" + d.id(about),
		CreationInfo: &spdx.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: annotator + "-" + about.Version}},
			Created:  created,
		},
	}
	note, err := annotation(spdxAnnotation{Distribution: &d.Distribution}, created)
	if err != nil {
		return nil, err
	}
	doc.Annotations = []*spdx.Annotation{note}
	for i, c := range d.Components {
		note, err := annotation(spdxAnnotation{Component: &d.Components[i]}, created)
		if err != nil {
			return nil, err
		}
		p := &spdx.Package{
			PackageName: c.Name, PackageSPDXIdentifier: common.ElementID(c.Ref()), PackageVersion: c.Version,
			PackageDownloadLocation: "NOASSERTION", PackageLicenseConcluded: "NOASSERTION", PackageLicenseDeclared: "NOASSERTION",
			PackageCopyrightText: "NOASSERTION", Annotations: []spdx.Annotation{*note},
		}
		if c.Source.Name != "" {
			p.PackageSourceInfo = fmt.Sprintf("built package from: %s %s", c.Source.Name, c.Source.Version)
		}
		if c.PURL != "" {
			p.PackageExternalReferences = []*spdx.PackageExternalReference{
				{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: c.PURL},
			}
		}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, &spdx.Relationship{
			RefA: common.MakeDocElementID("", "DOCUMENT"), RefB: common.MakeDocElementID("", c.Ref()),
			Relationship: common.TypeRelationshipDescribe,
		})
	}
	return doc, nil
}

func annotation(a spdxAnnotation, created string) (*spdx.Annotation, error) {
	comment, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	return &spdx.Annotation{
		Annotator:      common.Annotator{AnnotatorType: "Tool", Annotator: annotator},
		AnnotationDate: created, AnnotationType: "OTHER", AnnotationComment: string(comment),
	}, nil
}
