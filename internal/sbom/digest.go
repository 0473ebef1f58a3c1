package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Encode returns the deterministic bytes of a normalized document. They carry
// no time and no name of the machine, so equal machines have equal documents.
func (d *Document) Encode() ([]byte, error) {
	doc := *d
	if doc.Components == nil {
		doc.Components = []Component{}
	}
	return json.Marshal(&doc)
}

// Decode reads what Encode wrote. A document without a list of components, and a
// component without ecosystem or name, are refused: they could match nothing, and
// would be clean without having been looked at.
func Decode(data []byte) (*Document, error) {
	var doc Document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("decode SBOM document: %w", err)
	}
	if doc.Components == nil {
		return nil, errors.New("decode SBOM document: it lacks the list of components, which may be empty")
	}
	// JSON has no other way to write it.
	suspect := bytes.Contains(data, []byte(`\u0000`))
	for i, c := range doc.Components {
		if i > 0 && compare(doc.Components[i-1], c) >= 0 {
			return nil, fmt.Errorf("decode SBOM document: components[%d] is not in order: the document was not normalized", i)
		}
		if c.Ecosystem == "" || c.Name == "" {
			return nil, fmt.Errorf("decode SBOM document: components[%d] lacks an ecosystem or a name", i)
		}
		if field := c.unclean(suspect); field != "" {
			return nil, fmt.Errorf("decode SBOM document: components[%d].%s holds the character U+0000, which no name has", i, field)
		}
	}
	return &doc, nil
}

// Digest names a document by its encoded bytes, as "sha256:" and 64 hex digits.
func Digest(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Inventory returns the sorted, unique match keys of the document.
func (d *Document) Inventory() []Key {
	keys := make([]Key, len(d.Components))
	for i, c := range d.Components {
		keys[i] = c.Key()
	}
	slices.SortFunc(keys, Key.Compare)
	return slices.Compact(keys)
}

// InventoryDigest names an inventory as returned by [Document.Inventory], as
// "sha256:" and 64 hex digits. Each field comes after its length, so that no two
// inventories share their bytes, whatever a machine puts into a field: the
// digest names results that other machines share.
func InventoryDigest(keys []Key) string {
	h := sha256.New()
	var text []byte
	for _, k := range keys {
		text = AppendKey(text[:0], k)
		h.Write(text)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// AppendKey appends the bytes that digests are made of: each field after its
// length.
func AppendKey(to []byte, k Key) []byte {
	for _, field := range [...]string{k.Ecosystem, k.Name, k.Version, k.SourceName, k.SourceVersion} {
		to = strconv.AppendInt(to, int64(len(field)), 10)
		to = append(append(to, ':'), field...)
	}
	return to
}

// Ecosystems returns the distinct ecosystems of an inventory, sorted.
func Ecosystems(keys []Key) []string {
	seen := make([]string, len(keys))
	for i, k := range keys {
		seen[i] = k.Ecosystem
	}
	slices.Sort(seen)
	return slices.Compact(seen)
}
