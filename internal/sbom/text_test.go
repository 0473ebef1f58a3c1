package sbom_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"patrol/internal/sbom"
)

// What a package calls itself is up to whoever wrote it.
func TestNormalizeCleansText(t *testing.T) {
	doc := &sbom.Document{
		Distribution: sbom.Distribution{ID: "deb\x00ian"},
		Components: []sbom.Component{
			{Ecosystem: "npm", Name: "a\x00b", Version: "1\xff", PURL: "pkg:npm/a%00b", Locations: []string{"x\x00", "y\xfe"}, Layer: &sbom.Layer{Digest: "sha256:0", Instruction: "RUN \x00"}},
			{Ecosystem: "npm", Name: "a\xffb", Version: "1\xfe", Source: sbom.SourcePackage{Name: "\x00", Version: "\x00"}},
		},
	}
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := sbom.Decode(encoded)
	if err != nil {
		t.Fatalf("what was normalized is refused: %v", err)
	}
	if len(again.Components) != 2 || again.Components[0].Name != "a\ufffdb" || again.Distribution.ID != "deb\ufffdian" {
		t.Errorf("document = %+v", again)
	}
	if text := string(encoded); strings.Contains(text, `\u0000`) || !utf8.ValidString(text) {
		t.Errorf("the document holds what a database cannot: %q", text)
	}
}

func TestDecodeRefusesNUL(t *testing.T) {
	for field, document := range map[string]string{
		"components[0].name":           `{"components":[{"ecosystem":"npm","name":"a\u0000","version":"1"}]}`,
		"components[0].version":        `{"components":[{"ecosystem":"npm","name":"a","version":"\u0000"}]}`,
		"components[0].source.version": `{"components":[{"ecosystem":"npm","name":"a","version":"1","source":{"name":"a","version":"\u0000"}}]}`,
		"components[1].locations":      `{"components":[{"ecosystem":"npm","name":"a","version":"1"},{"ecosystem":"npm","name":"b","version":"1","locations":["a","\u0000"]}]}`,
		"components[0].layer":          `{"components":[{"ecosystem":"npm","name":"a","version":"1","layer":{"digest":"\u0000"}}]}`,
	} {
		if _, err := sbom.Decode([]byte(document)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("Decode = %v; want it to name %s", err, field)
		}
	}
}

// A foreign document can percent-encode what it may not write.
func TestReadCleansText(t *testing.T) {
	for _, document := range []string{
		`{"bomFormat":"CycloneDX","components":[{"type":"library","name":"a","purl":"pkg:npm/a%00b@1%ff"}]}`,
		`{"bomFormat":"CycloneDX","components":[{"type":"library","name":"a\u0000","purl":"pkg:npm/a@1","evidence":{"occurrences":[{"location":"x\u0000"}]}}]}`,
		"SPDXVersion: SPDX-2.3\nPackageName: a\x00\xff\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a\x00b@1\n",
	} {
		read, err := sbom.Read([]byte(document))
		if err != nil {
			t.Errorf("%s: %v", document, err)
			continue
		}
		encoded, err := read.Document.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sbom.Decode(encoded); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
}
