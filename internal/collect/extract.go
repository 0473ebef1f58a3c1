package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
)

// extractAll starts the workers that read the files of jobs into the inventory,
// until jobs is closed. It returns a function that waits for them to end.
func (in *inventory) extractAll(ctx context.Context, jobs <-chan job, timeout time.Duration) (wait func()) {
	var running sync.WaitGroup
	for range workers() {
		running.Go(func() {
			for j := range jobs {
				in.extract(ctx, j, timeout)
			}
		})
	}
	return running.Wait
}

// grace is how long a file is waited for after its time was up: an extractor that
// looks at its context, or reads, comes back with what it has found by then.
const grace = time.Second

// extract reads one file in at most the given time, which begins when it is the
// file's turn. An extractor that neither reads nor looks at its context cannot be
// stopped: it is left behind, and what it finds is dropped.
func (in *inventory) extract(ctx context.Context, j job, timeout time.Duration) {
	if j.isLarge() {
		select {
		case in.large <- struct{}{}:
			defer func() { <-in.large }()
		case <-ctx.Done():
			j.file.Close()
			return
		}
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	finished := make(chan []finding, 1)
	go func() {
		defer cancel()
		defer j.file.Close()
		finished <- in.read(limited, j)
	}()
	waiting, stop := context.WithTimeout(ctx, timeout+grace)
	defer stop()
	select {
	case found := <-finished:
		in.add(j, found)
	case <-waiting.Done():
		if ctx.Err() == nil {
			in.warn(j.path, j.where()+fmt.Sprintf("not finished after %s: left out", timeout))
		}
	}
}

// finding is what one source says of one file.
type finding struct {
	source   *source
	packages []*extractor.Package
	err      error
}

func (in *inventory) read(ctx context.Context, j job) []finding {
	found := make([]finding, 0, len(j.sources))
	tree := in.tree
	if j.state > 0 {
		tree = withoutLogs{tree}
	}
	for _, s := range j.sources {
		f, opened := finding{source: s}, &besides{FS: tree, ctx: ctx}
		f.packages, f.err = run(ctx, s.extractor, &filesystem.ScanInput{
			FS: opened, Path: j.path, Info: j.info,
			// To its size when opened, so a file that grows has an end.
			Reader: io.NewSectionReader(cancellable{ctx, j.file}, 0, j.info.Size()),
		})
		f.err = errors.Join(f.err, opened.cut)
		found = append(found, f)
	}
	return found
}

// largeFile is the size in bytes from which files that are held in memory are
// read one at a time.
const largeFile = 256 << 10

// isLarge tells whether a large file is held in memory as a whole.
func (j job) isLarge() bool {
	return j.info.Size() > largeFile && slices.ContainsFunc(j.sources, func(s *source) bool { return s.limit != streamed })
}

// run calls an extractor, and makes an error of a panic.
func run(ctx context.Context, ex filesystem.Extractor, input *filesystem.ScanInput) (found []*extractor.Package, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed: the extractor panicked: %v", p)
		}
	}()
	inv, err := ex.Extract(ctx, input)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("not finished in time: the rest is left out")
	}
	return inv.Packages, err
}

// cancellable fails once the context is done, which ends whoever reads on.
type cancellable struct {
	ctx context.Context
	r   io.ReaderAt
}

func (c cancellable) ReadAt(p []byte, off int64) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.ReadAt(p, off)
}
