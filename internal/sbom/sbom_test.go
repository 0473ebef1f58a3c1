package sbom_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"patrol/internal/sbom"
)

// document returns a new document of a few components, in no good order.
func document() *sbom.Document {
	return &sbom.Document{
		Distribution: sbom.Distribution{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"},
		Components: []sbom.Component{
			{Ecosystem: "npm", Name: "left-pad", Version: "1.3.0", PURL: "pkg:npm/left-pad@1.3.0", Locations: []string{"srv/b/package.json", "srv/a/package.json"}},
			{Ecosystem: "Debian:12", Name: "bash", Version: "5.2.15-2+b13", Source: sbom.SourcePackage{Name: "bash", Version: "5.2.15-2"}, Locations: []string{"var/lib/dpkg/status"}},
			{Ecosystem: "npm", Name: "left-pad", Version: "1.3.0", PURL: "pkg:npm/left-pad@1.3.0", Locations: []string{"srv/c/package.json", "srv/a/package.json"}},
			{Ecosystem: "npm", Name: "left-pad", Version: "1.2.0", PURL: "pkg:npm/left-pad@1.2.0"},
			{Ecosystem: "Go", Name: "stdlib", Version: "1.22.3", Locations: []string{"usr/bin/tool"}},
			{Ecosystem: "npm", Name: "left-pad", Version: "1.3.0", PURL: "pkg:npm/left-pad@1.3.0?vcs_url=x", Locations: []string{"srv/d"}},
		},
	}
}

func normalized() *sbom.Document {
	d := document()
	d.Normalize()
	return d
}

func encode(t *testing.T, d *sbom.Document) []byte {
	t.Helper()
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestNormalize(t *testing.T) {
	want := []sbom.Component{
		{Ecosystem: "Debian:12", Name: "bash", Version: "5.2.15-2+b13", Source: sbom.SourcePackage{Name: "bash", Version: "5.2.15-2"}, Locations: []string{"var/lib/dpkg/status"}},
		{Ecosystem: "Go", Name: "stdlib", Version: "1.22.3", Locations: []string{"usr/bin/tool"}},
		{Ecosystem: "npm", Name: "left-pad", Version: "1.2.0", PURL: "pkg:npm/left-pad@1.2.0"},
		{Ecosystem: "npm", Name: "left-pad", Version: "1.3.0", PURL: "pkg:npm/left-pad@1.3.0", Locations: []string{"srv/a/package.json", "srv/b/package.json", "srv/c/package.json"}},
		{Ecosystem: "npm", Name: "left-pad", Version: "1.3.0", PURL: "pkg:npm/left-pad@1.3.0?vcs_url=x", Locations: []string{"srv/d"}},
	}
	d := normalized()
	if !reflect.DeepEqual(d.Components, want) {
		t.Errorf("got  %+v\nwant %+v", d.Components, want)
	}
	again := encode(t, d)
	d.Normalize()
	if got := encode(t, d); string(got) != string(again) {
		t.Errorf("normalized twice: %s", got)
	}
}

// TestNormalizeLeavesLocationsAlone: slices that a caller still holds are not
// written to.
func TestNormalizeLeavesLocationsAlone(t *testing.T) {
	shared := make([]string, 2, 8)
	shared[0], shared[1] = "z", "a"
	d := &sbom.Document{Components: []sbom.Component{
		{Ecosystem: "npm", Name: "a", Locations: shared},
		{Ecosystem: "npm", Name: "a", Locations: []string{"b"}},
	}}
	d.Normalize()
	if !slices.Equal(shared, []string{"z", "a"}) || shared[:3][2] != "" {
		t.Errorf("written to: %q", shared[:3])
	}
	if !slices.Equal(d.Components[0].Locations, []string{"a", "b", "z"}) {
		t.Errorf("locations %q", d.Components[0].Locations)
	}
}

// TestOrderNeverMatters: two collections of one tree find things in another
// order and have the same bytes.
func TestOrderNeverMatters(t *testing.T) {
	want := normalized()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := document()
		r.Shuffle(len(d.Components), func(i, j int) { d.Components[i], d.Components[j] = d.Components[j], d.Components[i] })
		for _, c := range d.Components {
			r.Shuffle(len(c.Locations), func(i, j int) { c.Locations[i], c.Locations[j] = c.Locations[j], c.Locations[i] })
		}
		if got := sbom.InventoryDigest(d.Inventory()); got != sbom.InventoryDigest(want.Inventory()) {
			t.Fatalf("seed %d: another inventory", seed)
		}
		d.Normalize()
		if got := encode(t, d); string(got) != string(encode(t, want)) {
			t.Fatalf("seed %d: %s", seed, got)
		}
	}
}

// TestDigests: what matching does not ask for changes the document and not the
// inventory.
func TestDigests(t *testing.T) {
	base := normalized()
	for _, test := range []struct {
		name                string
		change              func(*sbom.Document)
		document, inventory bool // whether the digest changes
	}{
		{"nothing", func(*sbom.Document) {}, false, false},
		{"a location", func(d *sbom.Document) { d.Components[0].Locations = []string{"elsewhere"} }, true, false},
		{"a purl", func(d *sbom.Document) { d.Components[0].PURL = "pkg:deb/debian/bash" }, true, false},
		{"the distribution's name", func(d *sbom.Document) { d.Distribution.Name = "Debian" }, true, false},
		{"one more of the same", func(d *sbom.Document) { d.Components = append(d.Components, d.Components[0]) }, false, false},
		{"an ecosystem", func(d *sbom.Document) { d.Components[0].Ecosystem = "Debian:13" }, true, true},
		{"a name", func(d *sbom.Document) { d.Components[0].Name = "dash" }, true, true},
		{"a version", func(d *sbom.Document) { d.Components[0].Version = "5.2.15-2" }, true, true},
		{"a source's name", func(d *sbom.Document) { d.Components[0].Source.Name = "dash" }, true, true},
		{"a source's version", func(d *sbom.Document) { d.Components[0].Source.Version = "5.2.15-3" }, true, true},
		{"a component less", func(d *sbom.Document) { d.Components = d.Components[1:] }, true, true},
	} {
		d := normalized()
		test.change(d)
		d.Normalize()
		if changed := sbom.Digest(encode(t, d)) != sbom.Digest(encode(t, base)); changed != test.document {
			t.Errorf("%s: the document digest changes: %t", test.name, changed)
		}
		if changed := sbom.InventoryDigest(d.Inventory()) != sbom.InventoryDigest(base.Inventory()); changed != test.inventory {
			t.Errorf("%s: the inventory digest changes: %t", test.name, changed)
		}
	}
}

// TestInventoryDigestIsUnambiguous: whoever could make two inventories share a
// digest would have another machine's findings replaced by none.
func TestInventoryDigestIsUnambiguous(t *testing.T) {
	two := []sbom.Key{
		{Ecosystem: "npm", Name: "a", Version: "1", SourceName: "s", SourceVersion: "1"},
		{Ecosystem: "npm", Name: "b", Version: "2", SourceName: "s", SourceVersion: "2"},
	}
	seen := map[string][]sbom.Key{sbom.InventoryDigest(two): two}
	for _, keys := range [][]sbom.Key{
		nil,
		{{}},
		{{}, {}},
		two[:1],
		{{Ecosystem: "npm", Name: "a", Version: "1", SourceName: "s", SourceVersion: "1\x00\nnpm\x00b\x002\x00s\x002"}},
		{{Ecosystem: "npm", Name: "a", Version: "1", SourceName: "s", SourceVersion: "13:npm1:b1:21:s1:2"}},
		{{Ecosystem: "npm\x00a", Name: "1", Version: "s", SourceName: "1"}},
		{{Ecosystem: "npm", Name: "a\x001", Version: "s", SourceName: "1"}},
		{{Ecosystem: "npma", Version: "1"}},
		{{Ecosystem: "npm", Name: "a1"}},
		{{Ecosystem: "npm", Version: "a1"}},
		{{Ecosystem: "npm1:a"}},
	} {
		digest := sbom.InventoryDigest(keys)
		if other, clash := seen[digest]; clash {
			t.Errorf("%q and %q share a digest", keys, other)
		}
		seen[digest] = keys
	}
}

func TestDigestForm(t *testing.T) {
	// SHA-256 of nothing.
	const nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if got := sbom.Digest(nil); got != nothing {
		t.Errorf("digest %s", got)
	}
	if got := sbom.InventoryDigest(nil); got != nothing {
		t.Errorf("inventory digest %s", got)
	}
}

func TestInventory(t *testing.T) {
	want := []sbom.Key{
		{Ecosystem: "Debian:12", Name: "bash", Version: "5.2.15-2+b13", SourceName: "bash", SourceVersion: "5.2.15-2"},
		{Ecosystem: "Go", Name: "stdlib", Version: "1.22.3"},
		{Ecosystem: "npm", Name: "left-pad", Version: "1.2.0"},
		{Ecosystem: "npm", Name: "left-pad", Version: "1.3.0"},
	}
	got := document().Inventory()
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if ecosystems := sbom.Ecosystems(got); !slices.Equal(ecosystems, []string{"Debian:12", "Go", "npm"}) {
		t.Errorf("ecosystems %q", ecosystems)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, d := range []*sbom.Document{normalized(), {}, {Components: []sbom.Component{}}} {
		data := encode(t, d)
		decoded, err := sbom.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if again := encode(t, decoded); string(again) != string(data) {
			t.Errorf("got  %s\nwant %s", again, data)
		}
	}
	if got := string(encode(t, &sbom.Document{})); got != `{"components":[]}` {
		t.Errorf("an empty document is %s", got)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ data, want string }{
		{"", "decode SBOM document"},
		{"{", "decode SBOM document"},
		{"[]", "decode SBOM document"},
		{`{"components":[]}{"components":[]}`, "decode SBOM document"},
		{`{"components":"none"}`, "decode SBOM document"},
		{"null", "list of components"},
		{"{}", "list of components"},
		{`{"components":null}`, "list of components"},
		{`{"spdxVersion":"SPDX-2.3","packages":[]}`, "list of components"},
		{`{"components":[{"name":"bash","version":"5"}]}`, "components[0]"},
		{`{"components":[{"ecosystem":"npm","name":"a"},{"ecosystem":"npm","version":"5"}]}`, "components[1]"},
	} {
		d, err := sbom.Decode([]byte(test.data))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, error %v does not say %q", test.data, d, err, test.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	d := normalized()
	data, err := d.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"components":[]}`))
	f.Add([]byte(`{"components":[{"ecosystem":"npm","name":"a","locations":["b","a","b"]},{"ecosystem":"npm","name":"a"}]}`))
	f.Add([]byte(`{"components":[{"ecosystem":"\u0000","name":"\ud800"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := sbom.Decode(data)
		if err != nil {
			return
		}
		before := sbom.InventoryDigest(d.Inventory())
		d.Normalize()
		if after := sbom.InventoryDigest(d.Inventory()); after != before {
			t.Errorf("normalizing changed the inventory of %q", data)
		}
		encoded := encode(t, d)
		again, err := sbom.Decode(encoded)
		if err != nil {
			t.Fatalf("%s does not decode: %v", encoded, err)
		}
		again.Normalize()
		if got := encode(t, again); string(got) != string(encoded) {
			t.Errorf("got  %s\nwant %s", got, encoded)
		}
	})
}

// A purl that does not tell the release of its distribution names any.
func TestNamedBy(t *testing.T) {
	for purl, want := range map[string]string{
		"pkg:deb/debian/bash@2": "Debian", "pkg:deb/ubuntu/bash": "Ubuntu", "pkg:apk/alpine/x@1": "Alpine", "pkg:rpm/redhat/x@1": "Red Hat",
		"pkg:rpm/almalinux/x@1": "AlmaLinux", "pkg:rpm/rocky/x?distro=rocky-9": "Rocky Linux:9", "pkg:apk/wolfi/x@1": "Wolfi",
		"pkg:rpm/amazon/x@1": "amzn", "pkg:alpm/arch/x@1": "arch", "pkg:deb/debian/bash?distro=debian-12.5": "Debian:12", "pkg:npm/%40babel/core": "npm",
	} {
		c, err := sbom.NamedBy(purl)
		if err != nil || c.Ecosystem != want {
			t.Errorf("%s: %+v, %v; want the ecosystem %s", purl, c, err, want)
		}
	}
}
