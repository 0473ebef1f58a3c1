package collect

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"patrol/internal/collect/imagefs"
	"patrol/internal/sbom"
)

// Image collects the components of an image from its layers, lowest first, as
// they would be found in the tree of a container made of it. opts.Root is not
// asked for. Each component names the layer whose entry its file is.
//
// It fails if ctx is cancelled, if a layer cannot be had, or, with opts.Verify,
// if one is not what its digest says. A layer that is damaged is a warning.
func Image(ctx context.Context, layers []imagefs.Layer, opts Options) (*Result, error) {
	owned := newOwnedFiles()
	sources, err := scalibrSources(owned)
	if err != nil {
		return nil, err
	}
	past, err := scalibrSources(nil)
	if err != nil {
		return nil, err
	}
	early := &inventory{}
	keeper := keeper{newSourceIndex(sources), newSkipSet(true, opts.Exclude)}
	progress := func(p Progress) {
		if opts.Progress != nil {
			p.AllLayers = len(layers)
			opts.Progress(p)
		}
	}
	progress(Progress{})
	fsys, err := imagefs.Open(ctx, layers, imagefs.Options{
		Applied: func(n int) { progress(Progress{Layers: n}) },
		Keep:    keeper.keep, Sniff: isExecutable, Verify: opts.Verify, Warn: early.warn, Limits: opts.Limits,
	})
	if err != nil {
		return nil, fmt.Errorf("reading the image: %w", err)
	}
	defer fsys.Close()

	in := newInventory(fsys, owned)
	in.warnings, in.dropped = append(early.warnings, in.warnings...), early.dropped
	w := imageWalker{
		walker: walker{index: keeper.index, skips: keeper.skips, jobs: make(chan job), warn: in.warn, progress: progress},
		fsys:   fsys,
		past:   newSourceIndex(past),
	}
	if err := in.gather(ctx, w.jobs, opts.FileTimeout, func() error { return w.walk(ctx) }); err != nil {
		return nil, fmt.Errorf("collecting from the image: %w", err)
	}
	in.attribute(w.histories)
	return in.result(w.files), nil
}

// keeper decides what of a compressed layer is kept, by the names that the layer
// uses. Where links give a file another name, the walk finds out.
type keeper struct {
	index *sourceIndex
	skips skipSet
}

func (k keeper) keep(file string, info fs.FileInfo) imagefs.Decision {
	dir, name := path.Split(file)
	dir = path.Clean(dir)
	decision := imagefs.Skip
	wanted, sniff := k.index.wanted(&fileAPI{entry: fs.FileInfoToDirEntry(info), dir: dir, name: name})
	switch {
	case sniff:
		decision = imagefs.Sniff
	case len(wanted) > 0, readBesides(dir, name, info.Size()):
		decision = imagefs.Keep
	default:
		return imagefs.Skip
	}
	for ; dir != "."; dir = path.Dir(dir) {
		if k.skips.skips(dir) {
			return imagefs.Skip
		}
	}
	return decision
}

// readBesides tells of the files that are opened by their path, from within
// others or to understand them.
func readBesides(dir, name string, size int64) bool {
	switch path.Ext(name) {
	case ".txt", ".in": // a requirements.txt includes others
		return size <= description
	case ".list":
		return dir == dpkgInfo
	}
	return name == "os-release" || name == "installed" || strings.HasSuffix(name, "-wal")
}

// imageWalker goes through the tree of an image twice: first by name alone, then
// through the files of interest in the order in which the layers have them.
type imageWalker struct {
	walker
	fsys      *imagefs.FS
	past      *sourceIndex // for what layers had before
	planned   []planned
	layers    map[*imagefs.Layer]*sbom.Layer
	histories *histories
}

type planned struct {
	node    *imagefs.Node
	path    string
	wanted  []*source
	sniff   bool
	history *history
	state   int
}

func (w *imageWalker) walk(ctx context.Context) error {
	defer close(w.jobs)
	if err := w.directory(ctx, w.fsys.Root(), ".", 0); err != nil {
		return err
	}
	w.layers = map[*imagefs.Layer]*sbom.Layer{}
	w.planHistories(w.past)
	nodes := make([]*imagefs.Node, len(w.planned))
	for i, p := range w.planned {
		nodes[i] = p.node
	}
	if err := w.fsys.Fetch(ctx, nodes); err != nil {
		return err
	}
	slices.SortStableFunc(w.planned, func(a, b planned) int { return imagefs.InArchiveOrder(a.node, b.node) })
	for _, p := range w.planned {
		if err := w.open(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// directory plans the files below a directory.
func (w *imageWalker) directory(ctx context.Context, d *imagefs.Node, dir string, depth int) error {
	if depth <= 2 {
		w.progress(Progress{Files: w.files, Directory: dir, Layers: w.fsys.Layers()})
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for n := range d.Children() {
		switch {
		case n.IsDir():
			sub := path.Join(dir, n.Name())
			if w.skips.skips(sub) {
				continue
			}
			if depth == maxDepth {
				w.warn(sub, fmt.Sprintf("deeper than %d directories: not read", maxDepth))
				continue
			}
			if err := w.directory(ctx, n, sub, depth+1); err != nil {
				return err
			}
		case n.Type().IsRegular():
			w.files++
			api := fileAPI{entry: n, dir: dir, name: n.Name()}
			if wanted, sniff := w.index.wanted(&api); len(wanted) > 0 && !(sniff && n.Refused()) {
				w.planned = append(w.planned, planned{node: n, path: api.Path(), wanted: wanted, sniff: sniff})
			}
		}
	}
	return nil
}

// open sends the job for a planned file.
func (w *imageWalker) open(ctx context.Context, p planned) error {
	j := job{path: p.path, layer: w.layer(p.node), history: p.history, state: p.state}
	f, err := w.fsys.OpenNode(p.node)
	if err != nil {
		w.warn(p.path, j.where()+err.Error())
		return ctx.Err()
	}
	j.file = f
	j, ok := w.job(j, p.wanted, p.sniff)
	if !ok {
		return ctx.Err()
	}
	return w.send(ctx, j)
}

// layer returns the layer of a file as the document names it; nil if the image
// does not say what its layers are.
func (w *imageWalker) layer(n *imagefs.Node) *sbom.Layer {
	from := w.fsys.Layer(n)
	if from.Digest == "" {
		return nil
	}
	l := w.layers[from]
	if l == nil {
		l = &sbom.Layer{Digest: from.Digest, Instruction: from.Instruction}
		w.layers[from] = l
	}
	return l
}
