// Package sbom holds what is installed: the components of one node, as a
// document with two digests.
//
// The document digest names the exact bytes: an agent offers it, and sends the
// bytes only to a console that lacks them. The inventory digest names what
// matters to matching, so two documents that differ in locations alone share
// one inventory and one match.
//
// The package is pure: no I/O, no clock.
package sbom

import (
	"cmp"
	"slices"
)

// Component is a package at a version in an ecosystem.
type Component struct {
	// Ecosystem is OSV's name with its release ("Debian:12", "Go"); where OSV
	// has none, the distribution's id and release ("amzn:2023").
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	PURL      string `json:"purl,omitempty"`
	// Source is the package that this one was built from, with its own version;
	// empty where the ecosystem has no such thing. Advisories of Debian, Ubuntu
	// and Alpine name the source.
	Source SourcePackage `json:"source,omitzero"`
	// Locations are paths inside the scanned tree, slash-separated, without a
	// leading slash.
	Locations []string `json:"locations,omitempty"`
	// Layer is what of an image has the component; nil outside of images.
	Layer *Layer `json:"layer,omitempty"`
}

// Layer is one layer of an image.
type Layer struct {
	Digest      string `json:"digest"`                // of its uncompressed archive: "sha256:" and 64 hex digits
	Instruction string `json:"instruction,omitempty"` // that made it, from the image's history
}

func (c Component) firstLocation() string {
	if len(c.Locations) == 0 {
		return ""
	}
	return slices.Min(c.Locations)
}

func (l *Layer) compare(o *Layer) int {
	switch {
	case l == o:
		return 0
	case l == nil:
		return -1
	case o == nil:
		return 1
	}
	return cmp.Or(cmp.Compare(l.Digest, o.Digest), cmp.Compare(l.Instruction, o.Instruction))
}

// compare orders components; those that it calls equal are one package.
func compare(a, b Component) int {
	return cmp.Or(a.Key().Compare(b.Key()), cmp.Compare(a.PURL, b.PURL))
}

// SourcePackage is what a distribution built a package from.
type SourcePackage struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Key is what of a component decides its findings, and so what an inventory
// digest is made of.
type Key struct {
	Ecosystem, Name, Version, SourceName, SourceVersion string
}

// Key returns the component's match key.
func (c Component) Key() Key {
	return Key{c.Ecosystem, c.Name, c.Version, c.Source.Name, c.Source.Version}
}

// Compare orders keys by ecosystem, name, version and source.
func (k Key) Compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.Ecosystem, o.Ecosystem),
		cmp.Compare(k.Name, o.Name),
		cmp.Compare(k.Version, o.Version),
		cmp.Compare(k.SourceName, o.SourceName),
		cmp.Compare(k.SourceVersion, o.SourceVersion),
	)
}

// Distribution is the operating system of the scanned tree, from os-release(5).
// It is zero for a tree without one.
type Distribution struct {
	ID      string `json:"id,omitempty"`
	Version string `json:"version,omitempty"`
	Name    string `json:"name,omitempty"`
}

// Document is an SBOM: the components found in one tree.
type Document struct {
	Distribution Distribution `json:"distribution,omitzero"`
	Components   []Component  `json:"components"`
}

// Normalize sorts the components, merges those that are the same package
// (joining their locations) and sorts the locations, so that equal contents
// have equal bytes whatever order they were found in. Of several layers, that of
// the first location stays. Text is made such that a document can hold it: see
// [CleanText].
func (d *Document) Normalize() {
	d.cleanText()
	slices.SortFunc(d.Components, func(a, b Component) int {
		return cmp.Or(compare(a, b), cmp.Compare(a.firstLocation(), b.firstLocation()), a.Layer.compare(b.Layer))
	})
	merged := d.Components[:0]
	for _, c := range d.Components {
		if n := len(merged); n > 0 && compare(merged[n-1], c) == 0 {
			merged[n-1].Locations = append(merged[n-1].Locations, c.Locations...)
			continue
		}
		c.Locations = slices.Clone(c.Locations)
		merged = append(merged, c)
	}
	clear(d.Components[len(merged):])
	d.Components = merged
	for i := range d.Components {
		slices.Sort(d.Components[i].Locations)
		d.Components[i].Locations = slices.Compact(d.Components[i].Locations)
	}
}
