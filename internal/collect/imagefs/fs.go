package imagefs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

var errNotRegular = errors.New("not a regular file")

// Root returns the root directory.
func (f *FS) Root() *Node { return f.tree.root }

// Open opens a regular file. It offers io.ReaderAt and io.Seeker.
func (f *FS) Open(name string) (fs.File, error) {
	n, err := f.lookup("open", name)
	if err != nil {
		return nil, err
	}
	file, err := f.OpenNode(n)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return file, nil
}

// Stat follows symbolic links.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.lookup("stat", name) }

// ReadDir lists a directory, sorted.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.lookup("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	var list []fs.DirEntry
	for c := range n.Children() {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return list, nil
}

func (f *FS) lookup(op, name string) (*Node, error) {
	n, err := f.tree.walk(name, true, nil)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return n, nil
}

// Layers is how many there are.
func (f *FS) Layers() int { return len(f.layers) }

// Layer returns the layer whose entry the node is.
func (f *FS) Layer(n *Node) *Layer { return &f.layers[n.layer].Layer }

// OpenNode opens a regular file.
func (f *FS) OpenNode(n *Node) (*File, error) {
	if !n.mode.IsRegular() {
		return nil, errNotRegular
	}
	if !n.place.readable() {
		return nil, ErrNotKept
	}
	l := f.layers[n.content]
	from := io.ReaderAt(&l.spool)
	if l.inPlace {
		from = l.File
	}
	return &File{io.NewSectionReader(from, int64(n.place), n.size), n}, nil
}

// Fetch makes sure that the files can be opened: a file that Options.Keep did not
// ask for under its layer's name of it may be wanted under the one it has in the
// tree, through a link. Those layers are inflated once more.
func (f *FS) Fetch(ctx context.Context, files []*Node) error {
	missing := map[uint16][]*Node{}
	for _, n := range files {
		if !n.place.readable() && !n.Refused() {
			missing[n.content] = append(missing[n.content], n)
		}
	}
	for i, nodes := range missing {
		// Places are inverted offsets.
		slices.SortFunc(nodes, func(a, b *Node) int { return cmp.Compare(b.place, a.place) })
		l := f.layers[i]
		err := l.fetch(ctx, nodes)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && l.opts.Verify || errors.Is(err, errFetch) {
			return fmt.Errorf("%s: %w", l.name(), err)
		}
		if err != nil {
			f.opts.Warn(".", fmt.Sprintf("%s: %v: not all of its files are read", l.name(), err))
		}
	}
	return nil
}

// File is an open file of the tree.
type File struct {
	*io.SectionReader
	node *Node
}

// Stat returns what is known of the file.
func (f *File) Stat() (fs.FileInfo, error) { return f.node, nil }

// Close does nothing: the layers stay open.
func (f *File) Close() error { return nil }
