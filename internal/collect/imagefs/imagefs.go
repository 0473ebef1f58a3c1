// Package imagefs shows the layers of an image as the one tree that a container
// would see, without unpacking them.
//
// A layer is a tar archive of what it changes. Its headers are indexed; then the
// layers are applied in order, as a container runtime does: an entry's parents
// are looked up in the tree as it is so far, links followed, and a whiteout
// hides what lower layers have (OCI image specification, "Image Layer
// Filesystem Changeset"). What comes out is a tree of nodes, each of which knows
// where in which layer its contents are. A layer that is not compressed is read
// in place. From a compressed one, only what [Options.Keep] asks for is written
// to a temporary file while it is inflated; the file has no name, so that nothing
// is left behind however the process ends.
//
// Layers are hostile. No path leads out of the tree, sizes and counts have
// bounds, and a layer that is damaged is a warning that names it and the place;
// what was before that place counts.
package imagefs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Layer is one layer of an image, in a file or from elsewhere.
type Layer struct {
	// Digest is the digest of the inflated archive, "sha256:…", which an image's
	// configuration calls its diff id; empty if there is no saying.
	Digest string
	// Instruction is what made the layer, from the configuration's history.
	Instruction string
	// File is the layer as it is stored, compressed or not.
	File *io.SectionReader
	// Fetch opens a layer that is not in a file. It may be called twice.
	Fetch func(context.Context) (io.ReadCloser, error)
	// Size is that of the stored layer in bytes; 0 if it is not known.
	Size int64
}

// name is what messages call the layer.
func (l *Layer) name() string {
	if l.Digest == "" {
		return "the archive"
	}
	return "layer " + l.Digest
}

// Decision is whether to keep a file of a compressed layer.
type Decision uint8

// What Options.Keep decides.
const (
	Skip  Decision = iota
	Keep           // keep its contents
	Sniff          // keep them if Options.Sniff likes how they begin
)

// Options say how to read layers.
type Options struct {
	// Keep decides by the path, as the layer spells it, and what is known of a
	// file. It is called concurrently. All is kept if it is nil.
	Keep func(path string, info fs.FileInfo) Decision
	// Sniff decides by the first bytes, up to SniffSize.
	Sniff func(head []byte) bool
	// Verify compares each layer with its digest. A layer that cannot be read to
	// its end is then an error.
	Verify bool
	// Warn is told what could not be read. It is called concurrently.
	Warn func(path, message string)
	// Applied, if set, is told of each layer that was put onto the tree, in order.
	Applied func(layers int)
	// Limits bound what layers may cost; zero values are DefaultLimits.
	Limits Limits
}

// SniffSize is how many bytes a file is judged by.
const SniffSize = 4

// Limits bound what one image may cost.
type Limits struct {
	Layers   int
	Entries  int64 // entries of all layers, and directories that they imply
	Paths    int64 // bytes of the paths and link targets of all entries
	Kept     int64 // bytes of compressed layers kept in temporary files
	Inflated int64 // bytes of one layer
	Ratio    int64 // of inflated to compressed bytes of one layer
	Free     int64 // inflated bytes for which the ratio does not count: a few zeros are harmless
	Followed int64 // bytes of targets of symbolic links, each time one is followed
}

// DefaultLimits are several times what the largest images are known to need. An
// index of a million entries takes about 250 MB.
var DefaultLimits = Limits{
	Layers: 1024, Entries: 3_000_000, Paths: 256 << 20, Kept: 16 << 30, Inflated: 128 << 30, Ratio: 250, Free: 1 << 30, Followed: 1 << 30,
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	for _, v := range []struct{ value, standard *int64 }{
		{&l.Entries, &d.Entries},
		{&l.Paths, &d.Paths},
		{&l.Kept, &d.Kept},
		{&l.Inflated, &d.Inflated},
		{&l.Ratio, &d.Ratio},
		{&l.Free, &d.Free},
		{&l.Followed, &d.Followed},
	} {
		if *v.value == 0 {
			*v.value = *v.standard
		}
	}
	if l.Layers == 0 {
		l.Layers = d.Layers
	}
	return l
}

var (
	// ErrDigest is returned for a layer that is not the one its digest names.
	ErrDigest = errors.New("the digest does not match")
	// ErrLimit is returned, or warned of, where a limit ends the reading.
	ErrLimit = errors.New("more than is read of an image")
	// ErrNotKept is returned for a file of a compressed layer that was not kept.
	ErrNotKept = errors.New("the contents were not kept when the layer was inflated")
)

// FS is the tree of an image. It implements fs.ReadDirFS and fs.StatFS. Symbolic
// links lead to where they would in a container, so an absolute one starts at
// the tree's root.
type FS struct {
	layers []*layer
	tree   *tree
	opts   Options
}

// Open indexes the layers, lowest first, and applies them.
func Open(ctx context.Context, layers []Layer, opts Options) (*FS, error) {
	opts.Limits = opts.Limits.withDefaults()
	if opts.Warn == nil {
		opts.Warn = func(string, string) {}
	}
	if n := len(layers); n > opts.Limits.Layers {
		return nil, fmt.Errorf("%w: %d layers, the limit is %d", ErrLimit, n, opts.Limits.Layers)
	}
	f := &FS{opts: opts}
	shared := &budget{limits: opts.Limits, wide: make(chan struct{}, 1)}
	for i := range layers {
		f.layers = append(f.layers, &layer{Layer: layers[i], opts: &f.opts, budget: shared, entries: newQueue()})
	}
	if err := f.index(ctx, shared); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// inflaters is how many layers are inflated at once.
func inflaters() int { return min(4, runtime.GOMAXPROCS(0)) }

// index indexes the layers side by side, and applies them one after the other,
// each while it is still being indexed.
func (f *FS) index(ctx context.Context, shared *budget) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(inflaters())
		for _, l := range f.layers {
			work.Go(func() error { return l.index(ctx) })
		}
		return work.Wait()
	})
	f.tree = newTree(shared, f.opts.Warn)
	group.Go(func() error {
		for i, l := range f.layers {
			if err := f.tree.apply(ctx, uint16(i), l); err != nil {
				return fmt.Errorf("%s: %w", l.name(), err)
			}
			if f.opts.Applied != nil {
				f.opts.Applied(i + 1)
			}
		}
		return nil
	})
	return group.Wait()
}

// Close ends the use of temporary files. The layers' own files stay open.
func (f *FS) Close() error {
	var errs []error
	for _, l := range f.layers {
		errs = append(errs, l.spool.close())
	}
	return errors.Join(errs...)
}

// budget is what is left of the limits that all layers share.
type budget struct {
	limits                         Limits
	entries, paths, kept, followed atomic.Int64
	wide                           chan struct{} // full while a layer has a wide window
}

func spend(what string, of *atomic.Int64, n, limit int64) error {
	if of.Add(n) > limit {
		return fmt.Errorf("%w: %s, the limit is %d", ErrLimit, what, limit)
	}
	return nil
}

func (b *budget) entry(paths int) error {
	if err := spend("entries", &b.entries, 1, b.limits.Entries); err != nil {
		return err
	}
	return spend("bytes of paths", &b.paths, int64(paths), b.limits.Paths)
}

func (b *budget) keep(n int64) error { return spend("bytes to keep", &b.kept, n, b.limits.Kept) }
