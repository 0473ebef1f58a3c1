package collect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	scalibrfs "github.com/google/osv-scalibr/fs"

	"patrol/internal/sbom"
)

// inventory gathers what the workers find.
type inventory struct {
	tree    scalibrfs.FS
	release release
	owned   *ownedFiles

	large chan struct{} // full while a large file is in memory

	mu         sync.Mutex // guards what follows
	components []sbom.Component
	warnings   []Warning
	dropped    int // warnings beyond maxWarnings
	lost       int // components beyond maxComponents
	// distribution tells of each dpkg package whether the distribution built it.
	distribution map[string]bool
}

// What a tree that somebody else wrote can cost. Packages of the distribution have
// twice as much room more: nothing in a home directory can keep them from being seen.
const (
	maxWarnings   = 1_000
	maxMessage    = 500 // bytes
	maxComponents = 100_000
)

func newInventory(t scalibrfs.FS, owned *ownedFiles) *inventory {
	in := &inventory{tree: t, owned: owned, distribution: map[string]bool{}, large: make(chan struct{}, 1)}
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

// isSystem tells whether the tree is the root of a system, not some directory.
func (in *inventory) isSystem(root string) bool { return root == "/" || len(in.release) > 0 }

// add takes over what the sources found in the file.
func (in *inventory) add(j job, found []finding) {
	for _, f := range found {
		if f.err != nil {
			in.warn(j.path, j.where()+fmt.Sprintf("%s: %v", f.source.extractor.Name(), f.err))
		}
		for _, p := range f.packages {
			if f.source.keeps != nil && !f.source.keeps(p) {
				continue
			}
			c, ok := component(p, j.path, in.release)
			if ok && j.history != nil {
				j.history.add(j.state, c)
			}
			if j.state > 0 {
				continue
			}
			in.claim(p)
			if ok {
				c.Layer = j.layer
				in.keep(c)
			}
		}
	}
}

func (in *inventory) keep(c sbom.Component) {
	in.mu.Lock()
	defer in.mu.Unlock()
	limit := maxComponents
	if c.Ecosystem == in.release.ecosystem() {
		limit *= 3
	}
	if len(in.components) >= limit {
		in.lost++
		return
	}
	in.components = append(in.components, c)
}

func (in *inventory) warn(place, message string) {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + " …"
	}
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
	if in.lost > 0 {
		in.warnings = append(in.warnings, Warning{Path: ".", Message: fmt.Sprintf("more than %d components: %d are left out", maxComponents, in.lost)})
	}
	if in.dropped > 0 {
		in.warnings = append(in.warnings, Warning{Path: ".", Message: fmt.Sprintf("%d more warnings are not listed", in.dropped)})
	}
	slices.SortFunc(in.warnings, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return &Result{Document: document, Warnings: in.warnings, Files: files}
}
