package collect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"patrol/internal/sbom"
)

// inventory gathers what the workers find.
type inventory struct {
	tree    tree
	release release
	owned   *ownedFiles

	large sync.Mutex // held while a large file is in memory

	mu         sync.Mutex // guards what follows
	components []sbom.Component
	warnings   []Warning
	dropped    int // warnings beyond maxWarnings
	// distribution tells of each dpkg package whether the distribution built it.
	distribution map[string]bool
}

// maxWarnings bounds what a tree full of broken files can cost.
const maxWarnings = 10_000

func newInventory(t tree, owned *ownedFiles) *inventory {
	in := &inventory{tree: t, owned: owned, distribution: map[string]bool{}}
	for _, place := range []string{"etc/os-release", "usr/lib/os-release"} { // in os-release(5)'s order
		f, err := t.Open(place)
		if err == nil {
			in.release = parseRelease(f)
			f.Close()
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			in.warn(place, err.Error())
		}
	}
	return in
}

// add takes over what the sources found in the file.
func (in *inventory) add(file string, found []finding) {
	for _, f := range found {
		if f.err != nil {
			in.warn(file, fmt.Sprintf("%s: %v", f.source.extractor.Name(), f.err))
		}
		for _, p := range f.packages {
			if f.source.keeps != nil && !f.source.keeps(p) {
				continue
			}
			in.claim(p)
			if c, ok := component(p, file, in.release); ok {
				in.mu.Lock()
				in.components = append(in.components, c)
				in.mu.Unlock()
			}
		}
	}
}

func (in *inventory) warn(place, message string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.warnings) == maxWarnings {
		in.dropped++
		return
	}
	in.warnings = append(in.warnings, Warning{Path: place, Message: message})
}

// result puts everything in order.
func (in *inventory) result(files int) *Result {
	document := &sbom.Document{Distribution: in.release.distribution(), Components: in.components}
	if document.Components == nil {
		document.Components = []sbom.Component{}
	}
	document.Normalize()
	if in.dropped > 0 {
		in.warnings = append(in.warnings, Warning{Path: ".", Message: fmt.Sprintf("%d more warnings are not listed", in.dropped)})
	}
	slices.SortFunc(in.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return &Result{Document: document, Warnings: in.warnings, Files: files}
}
