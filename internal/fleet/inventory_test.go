package fleet_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
)

func TestPutAndDocument(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		golang := sbom.Component{Ecosystem: "Go", Name: "golang.org/x/net", Version: "0.17.0", Locations: []string{"usr/bin/a", "usr/bin/b"}}
		doc := &sbom.Document{Distribution: sbom.Distribution{ID: "debian", Version: "12"}, Components: []sbom.Component{openssl("var/lib/dpkg/status"), golang}}
		digest := h.put(doc)
		got, err := h.Document(t.Context(), digest)
		if err != nil || !reflect.DeepEqual(got, doc) {
			t.Errorf("Document = %+v, %v; want %+v", got, err, doc)
		}
		found := h.lookup(digest)
		if found.Digest != digest || found.Inventory.Digest != sbom.InventoryDigest(doc.Inventory()) ||
			!slices.Equal(found.Inventory.Ecosystems, []string{"Debian:12", "Go"}) {
			t.Errorf("Lookup = %+v", found)
		}
	})
}

func TestPutTwice(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first := h.lookup(h.put(&sbom.Document{Components: []sbom.Component{openssl("a")}}))
		second := h.lookup(h.put(&sbom.Document{Components: []sbom.Component{openssl("a")}}))
		if !reflect.DeepEqual(first, second) {
			t.Errorf("put twice: %+v and %+v", first, second)
		}
	})
}

func TestPutRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		good := encode(t, &sbom.Document{Components: []sbom.Component{openssl("a")}})
		other := sbom.Digest([]byte("something else"))
		wantProblem(t, h.Put(t.Context(), other, good), problem.KindInvalid)
		for _, garbage := range []string{"", "garbage", "[]", `{"components":[{}]}`, `{"components":`, `{"components":[{"ecosystem":"Go"}]}`} {
			wantProblem(t, h.Put(t.Context(), sbom.Digest([]byte(garbage)), []byte(garbage)), problem.KindInvalid)
		}
		for _, field := range []string{"ecosystem", "name", "version", "purl"} {
			document := strings.Replace(`{"components":[{"ecosystem":"npm","name":"a","version":"1","purl":"pkg:npm/a@1"}]}`, `"`+field+`":"`, `"`+field+`":"\u0000`, 1)
			err := h.Put(t.Context(), sbom.Digest([]byte(document)), []byte(document))
			wantProblem(t, err, problem.KindInvalid)
			if err != nil && !strings.Contains(err.Error(), "components[0]."+field) {
				t.Errorf("%v does not name the %s", err, field)
			}
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM sbom`); n != 0 {
			t.Errorf("%d documents were kept", n)
		}
		if _, ok, err := h.Lookup(t.Context(), other); ok || err != nil {
			t.Errorf("Lookup of what was refused = %v, %v", ok, err)
		}
		_, err := h.Document(t.Context(), other)
		wantProblem(t, err, problem.KindNotFound)
	})
}

// What matching needs is kept once for documents that differ in places, and once
// for components that differ in purl.
func TestInventoryIsShared(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		arm := openssl("a")
		arm.PURL = "pkg:deb/debian/libssl3@3.0.11-1?arch=arm64"
		documents := []*sbom.Document{
			{Components: []sbom.Component{openssl("a")}},
			{Components: []sbom.Component{openssl("b")}},
			{Components: []sbom.Component{openssl("a"), arm}},
		}
		inventories := map[int64]bool{}
		digests := map[string]bool{}
		for _, doc := range documents {
			digest := h.put(doc)
			digests[digest], inventories[h.lookup(digest).Inventory.ID] = true, true
		}
		if len(digests) != 3 || len(inventories) != 1 {
			t.Errorf("%d documents have %d inventories; want 3 and 1", len(digests), len(inventories))
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM inventory_component`); n != 1 {
			t.Errorf("the inventory has %d components; want 1", n)
		}
		upgraded := openssl("a")
		upgraded.Version = "3.0.15-1"
		other := h.lookup(h.put(&sbom.Document{Components: []sbom.Component{upgraded}}))
		if inventories[other.Inventory.ID] {
			t.Error("another version has the same inventory")
		}
	})
}

func TestEmptyDocument(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		digest := h.put(new(sbom.Document))
		if found := h.lookup(digest); found.Inventory.Ecosystems == nil || len(found.Inventory.Ecosystems) != 0 {
			t.Errorf("Lookup = %+v", found)
		}
		if doc, err := h.Document(t.Context(), digest); err != nil || doc.Components == nil {
			t.Errorf("Document = %+v, %v", doc, err)
		}
	})
}

func TestInstalledTellsEcosystems(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.put(&sbom.Document{Components: []sbom.Component{{Ecosystem: "PyPI", Name: "flask", Version: "3.0.0"}}}) // on no node
		installed := h.lookup(h.put(&sbom.Document{Components: []sbom.Component{openssl("a"), {Ecosystem: "Debian:8", Name: "bash", Version: "4.3"}}}))
		for _, name := range []string{"web-1", "web-2"} {
			node := h.register(name).Node
			dbtest.Write(t, h.db, func(tx *db.Tx) error { return h.Installed(t.Context(), tx, node, installed) })
			notAssessed := h.node(node).NotAssessed
			if len(notAssessed) != 1 || notAssessed[0].Ecosystem != "Debian:8" {
				t.Errorf("not assessed = %+v; want the release without support", notAssessed)
			}
		}
		got, err := h.Ecosystems(t.Context())
		if err != nil || !slices.Equal(got, []string{"Debian:12", "Debian:8"}) {
			t.Errorf("Ecosystems = %q, %v; want those of nodes", got, err)
		}
	})
}

// What a package calls itself is up to whoever made it.
func TestPutOfNamesThatNoDatabaseHolds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		odd := sbom.Component{
			Ecosystem: "npm\x00", Name: "a\x00\xff", Version: "1\x00", PURL: "pkg:npm/\x00", Locations: []string{"\x00\xfe"},
			Source: sbom.SourcePackage{Name: "\x00", Version: "\xff"}, Layer: &sbom.Layer{Digest: "\x00"},
		}
		digest := h.put(&sbom.Document{Components: []sbom.Component{openssl("a"), odd}})
		if doc, err := h.Document(t.Context(), digest); err != nil || len(doc.Components) != 2 {
			t.Errorf("Document = %+v, %v", doc, err)
		}
	})
}

// namesOf returns the names of the components of an inventory.
func (h house) namesOf(inventory int64) []string {
	h.t.Helper()
	rows, err := h.db.Read().QueryContext(h.t.Context(), `SELECT c.name FROM inventory_component AS i JOIN component AS c ON c.id = i.component_id
		WHERE i.inventory_id = $1 ORDER BY c.name`, inventory)
	names, err := db.All(rows, err, db.Value[string])
	if err != nil {
		h.t.Fatal(err)
	}
	return names
}

// Whatever of a document is known already, and whatever is remembered of what was
// deleted since, its inventory has all of its components.
func TestComponentsAreKeptOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		named := func(names ...string) fleet.SBOM {
			doc := new(sbom.Document)
			for _, name := range names {
				doc.Components = append(doc.Components, sbom.Component{Ecosystem: "npm", Name: name, Version: "1"})
			}
			return h.lookup(h.put(doc))
		}
		for _, names := range [][]string{{"a", "b", "c"}, {"a", "b", "c", "d"}, {"b", "d"}, {"e", "f"}, {"a", "f", "g"}, {"a", "b", "c", "d", "e", "f", "g"}} {
			if got := h.namesOf(named(names...).Inventory.ID); !slices.Equal(got, names) {
				t.Errorf("inventory of %q has %q", names, got)
			}
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM component`); n != 7 {
			t.Errorf("%d components; want 7", n)
		}
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			for _, table := range []string{"sbom", "inventory_component", "inventory", "component"} {
				if _, err := tx.ExecContext(t.Context(), `DELETE FROM `+table); err != nil {
					return err
				}
			}
			return nil
		})
		for _, names := range [][]string{{"a", "b", "new"}, {"a", "c"}} {
			if got := h.namesOf(named(names...).Inventory.ID); !slices.Equal(got, names) {
				t.Errorf("after the deletion, the inventory of %q has %q", names, got)
			}
		}
	})
}
