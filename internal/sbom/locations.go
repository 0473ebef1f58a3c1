package sbom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// few is for how many components it pays to look for each alone.
const few = 20

// Locations returns where the components of the keys stand, sorted and each once,
// out of an encoded document. Components of one key differ in purl. A few of
// thousands are decoded without the others.
func Locations(encoded []byte, keys []Key) (map[Key][]string, error) {
	found := make(map[Key][]string, len(keys))
	if len(keys) <= few {
		for _, key := range keys {
			if found[key] = locate(encoded, key); found[key] == nil {
				return decodeLocations(encoded)
			}
		}
		return found, nil
	}
	return decodeLocations(encoded)
}

// locate decodes the components of one key; nil if none is found, as in a document
// that another program has encoded.
func locate(encoded []byte, key Key) (found []string) {
	// How Encode begins a component. In a text of the document its quotation marks
	// would be escaped, so it is one wherever this is found.
	begin, err := json.Marshal(Component{Ecosystem: key.Ecosystem, Name: key.Name, Version: key.Version})
	if err != nil {
		return nil
	}
	begin = bytes.TrimSuffix(begin, []byte("}"))
	for {
		at := bytes.Index(encoded, begin)
		if at < 0 {
			slices.Sort(found)
			return slices.Compact(found)
		}
		var c Component
		if err := json.NewDecoder(bytes.NewReader(encoded[at:])).Decode(&c); err != nil {
			return nil
		}
		if c.Key() == key {
			found = append(append([]string{}, found...), c.Locations...)
		}
		encoded = encoded[at+len(begin):]
	}
}

func decodeLocations(encoded []byte) (map[Key][]string, error) {
	doc, err := Decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("find locations: %w", err)
	}
	found := make(map[Key][]string)
	for _, c := range doc.Components {
		found[c.Key()] = append(found[c.Key()], c.Locations...)
	}
	for key, locations := range found {
		slices.Sort(locations)
		found[key] = slices.Compact(locations)
	}
	return found, nil
}
