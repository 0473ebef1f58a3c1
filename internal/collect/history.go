package collect

import (
	"fmt"
	"hash/maphash"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	scalibrfs "github.com/google/osv-scalibr/fs"

	"patrol/internal/collect/imagefs"
	"patrol/internal/sbom"
)

// A layer that installs one package rewrites the database of all. So the layer
// that brought a package is not the one whose database a container sees, but the
// lowest one since which every state of the database has had it, in that version.

// histories are those of an image's package databases, by path.
type histories struct {
	seed   maphash.Seed
	mu     sync.Mutex
	byPath map[string]*history
	kept   int // packages of all states
}

// history is what the states of one package database hold.
type history struct {
	of     *histories
	layers []*sbom.Layer // of each state; the first is the one that a container sees
	states []map[uint64]struct{}
}

const (
	// maxStates bounds the reading of one database. Images have had at most 127
	// layers since overlay file systems; hardly any has ten that install.
	maxStates = 128
	// maxKept bounds the memory that all states cost, about 40 MB.
	maxKept = 1_000_000
)

// add notes that a state has the component.
func (h *history) add(state int, c sbom.Component) {
	h.of.mu.Lock()
	defer h.of.mu.Unlock()
	if h.of.kept++; h.of.kept <= maxKept {
		h.states[state][h.of.hash(c)] = struct{}{}
	}
}

func (s *histories) hash(c sbom.Component) uint64 { return maphash.Comparable(s.seed, c.Key()) }

// layer returns the layer that brought a component.
func (h *history) layer(c sbom.Component) *sbom.Layer {
	sum, since := h.of.hash(c), 0
	for i, state := range h.states {
		if _, ok := state[sum]; !ok {
			break
		}
		since = i
	}
	return h.layers[since]
}

// attribute gives the components of databases with a history their layers.
func (in *inventory) attribute(s *histories) {
	if s.kept > maxKept {
		in.warn(".", fmt.Sprintf("more than %d packages in the layers' states of package databases: packages name the layer of their database", maxKept))
		return
	}
	for i := range in.components {
		c := &in.components[i]
		if h := s.byPath[c.Locations[0]]; h != nil {
			c.Layer = h.layer(*c)
		}
	}
}

// planHistories plans to read the earlier states of package databases too. past
// are the sources for these, which claim no files: who had a file once says
// nothing about it now.
func (w *imageWalker) planHistories(past *sourceIndex) {
	w.histories = &histories{seed: maphash.MakeSeed(), byPath: map[string]*history{}}
	for i := range w.planned {
		p := &w.planned[i]
		isDatabase := slices.ContainsFunc(p.wanted, func(s *source) bool { return s.database })
		if !isDatabase || p.node.Earlier() == nil {
			continue
		}
		h := &history{of: w.histories}
		w.histories.byPath[p.path], p.history = h, h
		for n := p.node; n != nil && len(h.layers) < maxStates; n = n.Earlier() {
			h.layers = append(h.layers, w.layer(n))
			h.states = append(h.states, map[uint64]struct{}{})
		}
		w.planned = append(w.planned, earlierStates(*p, len(h.layers), past)...)
	}
}

func earlierStates(p planned, states int, past *sourceIndex) []planned {
	all := make([]planned, 0, states)
	for p.state = 1; p.state < states; p.state++ {
		p.node = p.node.Earlier()
		p.wanted = pastSources(p.node, p.path, past)
		all = append(all, p)
	}
	return all
}

func pastSources(n *imagefs.Node, file string, past *sourceIndex) []*source {
	wanted, _ := past.wanted(&fileAPI{entry: n, dir: path.Dir(file), name: path.Base(file)})
	return wanted
}

// withoutLogs is a tree as an earlier state of a database sees it: the log of
// writes that stands beside the database is that of the last state.
type withoutLogs struct{ scalibrfs.FS }

// Open opens what is no write-ahead log.
func (f withoutLogs) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "-wal") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.FS.Open(name)
}
