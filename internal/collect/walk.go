package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"patrol/internal/sbom"
)

// maxDepth bounds the directories that are held open at once. Real trees stay
// below 40.
const maxDepth = 200

// walker goes through a tree depth first, in one goroutine, with a handle on
// each directory of the path it is on: a step costs one openat relative to the
// parent, however deep, and cannot lead out of the tree.
type walker struct {
	index    *sourceIndex
	skips    skipSet
	jobs     chan job
	warn     func(path, message string)
	progress func(Progress)
	files    int
	entries  []entry // of the directory being listed, a few at a time
}

// job is an open file with the sources that want it. Who takes it closes it.
type job struct {
	path    string
	file    file
	info    fs.FileInfo
	sources []*source
	layer   *sbom.Layer // that has the file; nil outside of images
	// history, of a package database that layers rewrite, is told what this state
	// of it holds; nil for all other files.
	history *history
	state   int // which one: 0 is the one that a container sees
}

// where is the beginning of a message about a file of an image: the layer that has
// it, or had it once.
func (j job) where() string {
	switch {
	case j.layer == nil:
		return ""
	case j.state > 0:
		return "as of layer " + j.layer.Digest + ": "
	}
	return "layer " + j.layer.Digest + ": "
}

// file is what extractors need of an open file.
type file interface {
	fs.File
	io.ReaderAt
}

// walk sends a job for each file that tells what is installed, then closes
// jobs. Its errors are those of the context, and of a root that cannot be read.
func (w *walker) walk(ctx context.Context, root *os.Root) error {
	defer close(w.jobs)
	return w.directory(ctx, root, ".", 0)
}

func (w *walker) directory(ctx context.Context, d *os.Root, dir string, depth int) error {
	if w.progress != nil && depth <= 2 {
		w.progress(Progress{Files: w.files, Directory: dir})
	}
	subdirs, err := w.list(ctx, d, dir)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		if depth == 0 {
			return err
		}
		w.failed(dir, err)
	}
	for _, name := range subdirs {
		sub := path.Join(dir, name)
		if w.skips.skips(sub) {
			continue
		}
		if depth == maxDepth {
			w.warn(sub, fmt.Sprintf("deeper than %d directories: not read", maxDepth))
			continue
		}
		if err := w.descend(ctx, d, name, sub, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) descend(ctx context.Context, parent *os.Root, name, dir string, depth int) error {
	d, err := parent.OpenRoot(name)
	if err != nil {
		w.failed(dir, err)
		return nil
	}
	defer d.Close()
	return w.directory(ctx, d, dir, depth)
}

// list handles the files of one directory and returns its subdirectories,
// sorted. Its entries are not held all at once: a spool with millions of files
// must not cost memory.
func (w *walker) list(ctx context.Context, d *os.Root, dir string) (subdirs []string, err error) {
	f, err := d.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for {
		w.entries, err = list(d, f, w.entries[:0])
		for i := range w.entries {
			switch e := &w.entries[i]; {
			case e.IsDir():
				subdirs = append(subdirs, e.Name())
			case e.Type().IsRegular():
				w.files++
				if err := w.file(ctx, d, &fileAPI{entry: e, dir: dir, name: e.Name()}); err != nil {
					return nil, err
				}
			}
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			slices.Sort(subdirs)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return subdirs, err
		}
	}
}

// file sends a job if any source wants the file.
func (w *walker) file(ctx context.Context, d *os.Root, api *fileAPI) error {
	wanted, sniff := w.index.wanted(api)
	if len(wanted) == 0 {
		return nil
	}
	f, err := openRegular(d, api.name)
	if err != nil {
		w.failed(api.Path(), err)
		return nil
	}
	j, ok := w.job(job{path: api.Path(), file: f}, wanted, sniff)
	if !ok {
		f.Close()
		return nil
	}
	return w.send(ctx, j)
}

func (w *walker) send(ctx context.Context, j job) error {
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		j.file.Close()
		return ctx.Err()
	}
}

// wanted returns the sources that want the file; with sniff if that still
// depends on its first bytes.
func (x *sourceIndex) wanted(api *fileAPI) (wanted []*source, sniff bool) {
	for _, sources := range x.candidates(api.dir, api.name) {
		for _, s := range sources {
			if s.extractor.FileRequired(api) && (s.accepts == nil || s.accepts(api.Path())) && !slices.Contains(wanted, s) {
				wanted = append(wanted, s)
			}
		}
	}
	if len(wanted) == 0 && mayBeExecutable(api) {
		return x.executables, true
	}
	return wanted, false
}

// job completes the job for an open file, unless it turns out to be of no interest.
func (w *walker) job(j job, wanted []*source, sniff bool) (job, bool) {
	if sniff && !beginsExecutable(j.file) {
		return job{}, false
	}
	info, err := j.file.Stat()
	if err != nil {
		w.failed(j.path, err)
		return job{}, false
	}
	j.info = info
	for _, s := range wanted {
		if info.Size() > s.limit {
			w.warn(j.path, j.where()+fmt.Sprintf("%s: not read: %d MiB, more than %d", s.extractor.Name(), info.Size()/mib, s.limit/mib))
			continue
		}
		j.sources = append(j.sources, s)
	}
	return j, len(j.sources) > 0
}

// failed warns, unless the place has only changed since it was listed: on a live
// host files come and go.
func (w *walker) failed(place string, err error) {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) {
		return
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err // the warning names the path from the root
	}
	w.warn(place, err.Error())
}

// fileAPI is a file as extractors see it before it is opened.
type fileAPI struct {
	entry           fs.DirEntry
	dir, name, path string
}

// Path is made when first asked for: few files are of interest.
func (f *fileAPI) Path() string {
	if f.path == "" {
		f.path = path.Join(f.dir, f.name)
	}
	return f.path
}

// Stat describes the file; links are not followed.
func (f *fileAPI) Stat() (fs.FileInfo, error) { return f.entry.Info() }

// text are endings of files that are never binaries, though some are marked as
// executable, and whole file systems always are.
var text = map[string]bool{
	".c": true, ".cc": true, ".cfg": true, ".conf": true, ".cpp": true, ".css": true, ".csv": true, ".d": true, ".go": true,
	".gz": true, ".h": true, ".hpp": true, ".html": true, ".ini": true, ".java": true, ".js": true, ".json": true, ".jpg": true,
	".lock": true, ".log": true, ".lua": true, ".map": true, ".md": true, ".mjs": true, ".cjs": true, ".mo": true, ".mod": true,
	".pem": true, ".php": true, ".pl": true, ".pm": true, ".png": true, ".po": true, ".proto": true, ".py": true, ".pyc": true,
	".pyi": true, ".rb": true, ".rs": true, ".rst": true, ".s": true, ".sh": true, ".sum": true, ".svg": true, ".tar": true,
	".toml": true, ".ts": true, ".tsx": true, ".txt": true, ".xml": true, ".xz": true, ".yaml": true, ".yml": true, ".zip": true,
	".zst": true,
}

// mayBeExecutable tells by name and mode. Shared libraries count whatever their
// mode: Debian's are not marked as executable.
func mayBeExecutable(f *fileAPI) bool {
	ending := path.Ext(f.name)
	if text[ending] {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Size() < 64 { // the least header of an executable
		return false
	}
	return info.Mode()&0o111 != 0 || ending == ".so" || ending == ".exe" || strings.Contains(f.name, ".so.")
}

func beginsExecutable(f io.ReaderAt) bool {
	var magic [4]byte
	_, err := f.ReadAt(magic[:], 0)
	return err == nil && isExecutable(magic[:])
}

// isExecutable tells by the first four bytes: ELF, PE, Mach-O of either byte
// order and width, and Mach-O for several architectures.
func isExecutable(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	switch string(magic[:4]) {
	case "\x7fELF", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe":
		return true
	}
	return string(magic[:2]) == "MZ"
}
