package rpmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// Package is what a header says of an installed package.
type Package struct {
	Name, Version, Release string
	Epoch                  int // 0 if there is none
	Arch, SourceRPM        string
	Vendor                 string

	dirs  [][]byte
	bases []byte // texts, each ended by a zero
	dirOf []byte // for each base the index of its directory, 4 bytes
}

// The tags of interest (rpm's rpmtag.h).
const (
	tagName       = 1000
	tagVersion    = 1001
	tagRelease    = 1002
	tagEpoch      = 1003
	tagVendor     = 1011
	tagArch       = 1022
	tagSourceRPM  = 1044
	tagDirIndexes = 1116
	tagBasenames  = 1117
	tagDirnames   = 1118
)

// The types of values.
const (
	typeInt32       = 4
	typeString      = 6
	typeStringArray = 8
	typeI18N        = 9
)

const (
	introBytes = 8  // number of entries, bytes of data
	entryBytes = 16 // tag, type, offset, count
)

// header is an index of entries, and the data that they point into
// (rpm: docs/manual/format_header.md). All numbers are big-endian.
type header struct {
	index, data []byte
}

func parseHeader(blob []byte) (*Package, error) {
	if len(blob) < introBytes {
		return nil, errors.New("the header is cut off")
	}
	entries := uint64(binary.BigEndian.Uint32(blob))
	data := uint64(binary.BigEndian.Uint32(blob[4:]))
	if entries*entryBytes+data > uint64(len(blob)-introBytes) {
		return nil, fmt.Errorf("the header claims %d entries and %d bytes, and has %d bytes", entries, data, len(blob))
	}
	start := introBytes + entries*entryBytes
	h := header{index: blob[introBytes:start], data: blob[start : start+data]}
	p := &Package{
		Name: h.text(tagName), Version: h.text(tagVersion), Release: h.text(tagRelease),
		Arch: h.text(tagArch), SourceRPM: h.text(tagSourceRPM), Vendor: h.text(tagVendor),
		dirs: h.texts(tagDirnames), dirOf: h.numbers(tagDirIndexes),
	}
	p.bases, _ = h.find(tagBasenames, typeStringArray)
	if epoch := h.numbers(tagEpoch); len(epoch) >= 4 {
		p.Epoch = int(int32(binary.BigEndian.Uint32(epoch)))
	}
	if p.SourceRPM == "(none)" { // how rpm writes that there is none
		p.SourceRPM = ""
	}
	if p.Name == "" || p.Version == "" {
		return nil, errors.New("the header has no name or version")
	}
	return p, nil
}

// find returns the data from where the tag's value begins.
func (h header) find(tag uint32, types ...uint32) (value []byte, count int) {
	for e := h.index; len(e) >= entryBytes; e = e[entryBytes:] {
		if binary.BigEndian.Uint32(e) != tag {
			continue
		}
		kind, offset, n := binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[8:]), binary.BigEndian.Uint32(e[12:])
		for _, t := range types {
			// No value takes less than a byte, so a count beyond the data is a lie.
			if kind == t && uint64(offset)+uint64(n) <= uint64(len(h.data)) {
				return h.data[offset:], int(n)
			}
		}
	}
	return nil, 0
}

func (h header) text(tag uint32) string {
	value, n := h.find(tag, typeString, typeI18N, typeStringArray)
	if n == 0 {
		return ""
	}
	text, _, _ := bytes.Cut(value, []byte{0})
	return string(text)
}

func (h header) texts(tag uint32) [][]byte {
	value, n := h.find(tag, typeStringArray)
	var texts [][]byte
	for range min(n, maxTexts) {
		text, rest, ok := bytes.Cut(value, []byte{0})
		if !ok {
			break
		}
		texts, value = append(texts, text), rest
	}
	return texts
}

// maxTexts bounds what a header full of empty texts can cost.
const maxTexts = 1 << 18

func (h header) numbers(tag uint32) []byte {
	value, n := h.find(tag, typeInt32)
	return value[:min(len(value), 4*n)]
}

// Files are the paths of the package's files, absolute. It may be ranged over
// only while the package is visited.
func (p *Package) Files() iter.Seq[string] {
	return func(yield func(string) bool) {
		bases := p.bases
		for dirOf := p.dirOf; len(dirOf) >= 4; dirOf = dirOf[4:] {
			base, rest, ok := bytes.Cut(bases, []byte{0})
			dir := binary.BigEndian.Uint32(dirOf)
			if !ok || uint64(dir) >= uint64(len(p.dirs)) || !yield(string(p.dirs[dir])+string(base)) {
				return
			}
			bases = rest
		}
	}
}
