package sbom_test

import (
	"slices"
	"strings"
	"testing"

	"patrol/internal/sbom"
)

// Of one package in several layers the layer of the first location stays,
// whatever order they were found in, and no layer changes the inventory.
func TestLayer(t *testing.T) {
	base := &sbom.Layer{Digest: "sha256:aa", Instruction: "RUN apt-get install a"}
	components := []sbom.Component{
		{Ecosystem: "npm", Name: "a", Version: "1", Locations: []string{"z/package.json"}, Layer: &sbom.Layer{Digest: "sha256:bb"}},
		{Ecosystem: "npm", Name: "a", Version: "1", Locations: []string{"x/package.json", "b/package.json"}, Layer: base},
		{Ecosystem: "npm", Name: "b", Version: "1"},
	}
	for range 2 {
		slices.Reverse(components)
		d := &sbom.Document{Components: slices.Clone(components)}
		d.Normalize()
		if len(d.Components) != 2 || d.Components[0].Layer != base || d.Components[1].Layer != nil {
			t.Fatalf("%+v", d.Components)
		}
		encoded := string(encode(t, d))
		if want := `"layer":{"digest":"sha256:aa","instruction":"RUN apt-get install a"}`; !strings.Contains(encoded, want) || strings.Count(encoded, `"layer"`) != 1 {
			t.Errorf("%s lacks %s", encoded, want)
		}
		digest := sbom.InventoryDigest(d.Inventory())
		d.Components[0].Layer = nil
		if sbom.InventoryDigest(d.Inventory()) != digest {
			t.Error("a layer changes the inventory")
		}
	}
}
