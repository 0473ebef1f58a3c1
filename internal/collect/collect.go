// Package collect makes an SBOM of a directory, or of a whole system at its root.
//
// It walks the tree once. By name, then by type, then by the first bytes it
// decides which files tell what is installed: package databases, the
// descriptions that language packages carry, binaries with their modules built
// in, lock files of deployed applications. Those it hands, open, to SCALIBR's
// extractors, and translates what they find into components under OSV's names.
//
// The tree is hostile: somebody else wrote it. Nothing outside of it is reached
// (os.Root), nothing in it is written, run or unpacked, and no file can hold up
// or bring down the scan: what fails is a [Warning], and the rest goes on.
package collect

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"patrol/internal/collect/imagefs"
	"patrol/internal/sbom"
)

// Options say what to collect from.
type Options struct {
	// Root is the directory to read; "/" for this host.
	Root string
	// Process, if set, is the process whose root directory Root is, as of a
	// container: its mounts count, not this process's, and the tree is a system.
	Process int
	// Exclude are directories that are not read, by their path below Root.
	Exclude []string
	// FileTimeout is how long the extraction from one file may take; zero is
	// DefaultFileTimeout.
	FileTimeout time.Duration
	// Progress, if set, is told how far the walk has come, now and then and at
	// its end, on the goroutine that called Dir.
	Progress func(Progress)
	// Verify compares each layer of an image with its digest.
	Verify bool
	// Limits bound what the layers of an image may cost; zero values are
	// imagefs.DefaultLimits.
	Limits imagefs.Limits
}

// DefaultFileTimeout is long enough for the largest databases and archives on
// slow disks.
const DefaultFileTimeout = 30 * time.Second

// Progress is how far a walk has come.
type Progress struct {
	Files     int    // walked so far
	Directory string // being read, below the root
	// Layers of an image are put together before files are walked: so many of so
	// many. Both are zero outside of images.
	Layers, AllLayers int
}

// Warning is a place in the tree that could not be read in full. The document
// may lack components because of it.
type Warning struct {
	Path    string `json:"path"` // below the root, slash-separated; "." is the root
	Message string `json:"message"`
}

// Result is what Dir found.
type Result struct {
	// Document is normalized: equal trees have equal documents.
	Document *sbom.Document
	// Warnings are sorted by path and message.
	Warnings []Warning
	// Files is how many files were walked.
	Files int
}

// Dir collects the components of the tree below opts.Root. It fails if the root
// cannot be read, and soon after ctx is cancelled; all else is a warning.
func Dir(ctx context.Context, opts Options) (*Result, error) {
	owned := newOwnedFiles()
	sources, err := scalibrSources(owned)
	if err != nil {
		return nil, err
	}
	return collect(ctx, opts, sources, owned)
}

func collect(ctx context.Context, opts Options, sources []*source, owned *ownedFiles) (*Result, error) {
	root, err := os.OpenRoot(opts.Root)
	if err != nil {
		return nil, fmt.Errorf("reading the tree to collect from: %w; name a directory that exists", err)
	}
	defer root.Close()

	in := newInventory(tree{root}, owned)
	w := walker{
		index:    newSourceIndex(sources),
		skips:    newSkipSet(opts.Process > 0 || in.isSystem(opts.Root), opts.Exclude),
		jobs:     make(chan job),
		warn:     in.warn,
		progress: opts.Progress,
	}
	if mounts, err := unscannedMounts(opts); err != nil {
		in.warn(".", "the mount table cannot be read, so file systems of other machines are not told apart: "+err.Error())
	} else {
		w.skips.add(mounts...)
	}
	if err := in.gather(ctx, w.jobs, opts.FileTimeout, func() error { return w.walk(ctx, root) }); err != nil {
		return nil, fmt.Errorf("collecting from %s: %w", opts.Root, err)
	}
	return in.result(w.files), nil
}

// gather reads what walk sends as jobs.
func (in *inventory) gather(ctx context.Context, jobs <-chan job, timeout time.Duration, walk func() error) error {
	wait := in.extractAll(ctx, jobs, cmp.Or(timeout, DefaultFileTimeout))
	err := walk()
	wait()
	if err != nil {
		return err
	}
	in.dropOwned(ctx)
	return ctx.Err()
}

// workers is how many files are read at once. More gain nothing on the small
// machines that an agent shares with the real work, and cost memory.
func workers() int { return min(2, runtime.GOMAXPROCS(0)) }
