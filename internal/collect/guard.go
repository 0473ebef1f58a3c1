package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/wheelegg"
	scalibr "github.com/google/osv-scalibr/inventory"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
)

// SCALIBR's extractors, and the parsers under them, take a file's own word for how
// many packages, how much depth and how large a section it has. A guard stands
// before them, and ends the file where no honest one goes on.

type construct = func(*cpb.PluginConfig) (filesystem.Extractor, error)

// guarded is an extractor whose files come through a guard.
type guarded struct {
	filesystem.Extractor
	// guard returns what the extractor is to read instead, and, to be asked
	// afterwards, why that ended early.
	guard func(*io.SectionReader) (_ io.Reader, cut func() error, _ error)
}

func (g guarded) Extract(ctx context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	file, ok := input.Reader.(*io.SectionReader)
	if !ok {
		return scalibr.Inventory{}, errors.New("reading it needs random access")
	}
	r, cut, err := g.guard(file)
	if err != nil {
		return scalibr.Inventory{}, err
	}
	limited := *input
	limited.Reader = r
	found, err := g.Extractor.Extract(ctx, &limited)
	return found, errors.Join(err, cut())
}

func with(guard func(*io.SectionReader) (io.Reader, func() error, error), inner construct) construct {
	return func(cfg *cpb.PluginConfig) (filesystem.Extractor, error) {
		ex, err := inner(cfg)
		return guarded{ex, guard}, err
	}
}

const (
	// maxPackages is how many one package database may have: more than any
	// distribution has in all.
	maxPackages = 100_000
	// maxLines is how many lines one package may have; apk writes some four for
	// each of its files.
	maxLines = 1_000_000
)

var errPackages = fmt.Errorf("more than %d packages: the rest is left out", maxPackages)

// stanzas is for databases of paragraphs, one a package, each ended by a blank
// line: dpkg's and apk's. In 100 MB there is room for ten million packages.
func stanzas(inner construct) construct {
	return with(func(file *io.SectionReader) (io.Reader, func() error, error) {
		r := &stanzaReader{r: file}
		return r, func() error { return r.cut }, nil
	}, inner)
}

type stanzaReader struct {
	r          io.Reader
	packages   int // stanzas so far
	lines      int // of this stanza
	insideLine bool
	cut        error
}

func (s *stanzaReader) Read(p []byte) (int, error) {
	if s.cut != nil {
		return 0, io.EOF
	}
	n, err := s.r.Read(p)
	for i, c := range p[:n] {
		if c != '\n' {
			s.insideLine = s.insideLine || c != '\r'
			continue
		}
		if s.line(); s.cut != nil {
			return i + 1, io.EOF
		}
	}
	return n, err
}

// line counts one that has ended.
func (s *stanzaReader) line() {
	switch {
	case s.insideLine:
		s.lines++
	case s.lines > 0:
		s.packages, s.lines = s.packages+1, 0
	}
	s.insideLine = false
	switch {
	case s.packages >= maxPackages:
		s.cut = errPackages
	case s.lines >= maxLines:
		s.cut = fmt.Errorf("a package of more than %d lines: the rest is left out", maxLines)
	}
}

// shallow is for TOML: its parser takes a stack frame for each bracket, and Go
// ends a process whose stack has a gigabyte, which nobody can recover from.
func shallow(inner construct) construct {
	return with(func(file *io.SectionReader) (io.Reader, func() error, error) {
		text, err := io.ReadAll(file)
		if brackets, dots := nesting(text); err == nil && max(brackets, dots) > maxNestedTOML {
			err = fmt.Errorf("nested more than %d deep: not read", maxNestedTOML)
		}
		return bytes.NewReader(text), func() error { return nil }, err
	}, inner)
}

// maxExecutable is how many bytes of an executable are read: its headers, its
// names of sections, what was built in. Packages debug/elf and others hold in
// memory as much as the headers say, and a file may be sparse.
const maxExecutable = 16 * mib

// metered is for executables.
func metered(inner construct) construct {
	return with(func(file *io.SectionReader) (io.Reader, func() error, error) {
		m := &meteredReader{file, maxExecutable}
		return io.NewSectionReader(m, 0, file.Size()), func() error { return nil }, nil
	}, inner)
}

type meteredReader struct {
	r    io.ReaderAt
	left int64
}

var errMetered = errors.New("more of it would have to be read than is read of any")

func (m *meteredReader) ReadAt(p []byte, off int64) (int, error) {
	if int64(len(p)) > m.left {
		return 0, errMetered
	}
	n, err := m.r.ReadAt(p, off)
	m.left -= int64(n)
	return n, err
}

// eggs are zip files with what describes the package in them, to be as small there
// as it would have to be in the tree.
type eggs struct{ filesystem.Extractor }

func newEggs(*cpb.PluginConfig) (filesystem.Extractor, error) {
	ex, err := wheelegg.New(&cpb.PluginConfig{MaxFileSizeBytes: description})
	return eggs{ex}, err
}

func (eggs) FileRequired(api filesystem.FileAPI) bool { return path.Ext(api.Path()) == ".egg" }
