package sbom_test

import (
	"fmt"
	"slices"
	"testing"

	"patrol/internal/sbom"
)

func TestLocations(t *testing.T) {
	net := func(purl string, locations ...string) sbom.Component {
		return sbom.Component{Ecosystem: "Go", Name: `golang.org/x/"net"`, Version: "0.17.0", PURL: purl, Locations: locations}
	}
	doc := &sbom.Document{Components: []sbom.Component{
		net("pkg:a", "usr/bin/b", "usr/bin/a"), net("pkg:b", "opt/c", "usr/bin/a"),
		{Ecosystem: "Go", Name: `golang.org/x/"net"`, Version: "0.17.0", Source: sbom.SourcePackage{Name: "other"}, Locations: []string{"other"}},
		{Ecosystem: "npm", Name: "none", Version: "1"},
		{Ecosystem: "npm", Name: "trap", Version: "1", Locations: []string{`{"ecosystem":"npm","name":"none","version":"1"}`}},
	}}
	for i := range 30 {
		doc.Components = append(doc.Components, sbom.Component{Ecosystem: "PyPI", Name: fmt.Sprint("p", i), Version: "1", Locations: []string{"x"}})
	}
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := map[sbom.Key][]string{
		net("").Key(): {"opt/c", "usr/bin/a", "usr/bin/b"},
		{Ecosystem: "npm", Name: "none", Version: "1"}: {},
	}
	few := []sbom.Key{}
	for key := range want {
		few = append(few, key)
	}
	many := slices.Clone(few)
	for _, c := range doc.Components {
		many = append(many, c.Key())
	}
	for _, keys := range [][]sbom.Key{few, many, append(few, sbom.Key{Name: "absent"})} {
		got, err := sbom.Locations(encoded, keys)
		if err != nil {
			t.Fatal(err)
		}
		for key, locations := range want {
			if !slices.Equal(got[key], locations) {
				t.Errorf("of %d keys: %+v stands in %q; want %q", len(keys), key, got[key], locations)
			}
		}
	}
	if _, err := sbom.Locations([]byte("damaged"), few); err == nil {
		t.Error("what is no document has locations")
	}
}
