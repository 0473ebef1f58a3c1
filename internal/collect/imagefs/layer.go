package imagefs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// layer is a layer with its index.
type layer struct {
	Layer
	opts   *Options
	budget *budget

	entries *queue
	chunk   []entry // being filled
	names   strings.Builder
	spool   spool
	inPlace bool
}

// entry is one entry of a layer, in as little memory as there can be millions.
type entry struct {
	name, link string
	size       int64
	place      place
	mode       fs.FileMode
	kind       byte // a type flag; hidden
}

// hidden stands for what takes a name without being of use here: devices, fifos,
// sparse files. It hides what lower layers have.
const hidden = 'h'

// place is where contents are: an offset in the layer's file or its spool; else,
// in a compressed layer, their offset in the inflated archive, inverted. Since
// contents begin at whole blocks, the last bit can tell that they were looked at
// and are of no interest.
type place int64

func (p place) readable() bool       { return p >= 0 }
func (p place) refused() bool        { return p < 0 && ^p&1 == 1 }
func (p place) archiveOffset() int64 { return int64(^p &^ 1) }

func notKept(offset int64) place { return ^place(offset) }
func refused(offset int64) place { return ^place(offset | 1) }

const entryChunk = 1024

// add takes over an entry. The strings share memory, a chunk at a time.
func (l *layer) add(h *header, kind byte, p place) error {
	if err := l.budget.entry(len(h.name) + len(h.link)); err != nil {
		return err
	}
	if l.chunk == nil {
		l.chunk = make([]entry, 0, entryChunk)
	}
	l.chunk = append(l.chunk, entry{
		name: l.intern(h.name), link: l.intern(h.link), size: h.size, mode: h.mode, kind: kind, place: p,
	})
	if len(l.chunk) == entryChunk {
		l.entries.push(l.chunk)
		l.chunk = nil
	}
	return nil
}

const nameChunk = 64 << 10

func (l *layer) intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if l.names.Len()+len(b) > l.names.Cap() {
		l.names = strings.Builder{}
		l.names.Grow(max(nameChunk, len(b)))
	}
	start := l.names.Len()
	l.names.Write(b)
	return l.names.String()[start:]
}

// index reads the headers of the layer. A layer that is damaged is a warning,
// unless it is to be verified.
func (l *layer) index(ctx context.Context) error {
	defer l.entries.close()
	err := l.read(ctx)
	l.entries.push(l.chunk)
	l.chunk = nil
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case l.opts.Verify, errors.Is(err, errFetch):
		return fmt.Errorf("%s: %w", l.name(), err)
	}
	l.opts.Warn(".", fmt.Sprintf("%s: %v: the rest of it is left out", l.name(), err))
	return nil
}

func (l *layer) read(ctx context.Context) error {
	if l.File == nil {
		return l.indexStream(ctx)
	}
	compressed, err := Compressed(l.File)
	switch {
	case err != nil:
		return err
	case compressed:
		return l.indexStream(ctx)
	}
	l.inPlace = true
	return l.indexFile(ctx)
}

// indexFile indexes a layer that can be read in place.
func (l *layer) indexFile(ctx context.Context) error {
	in := &inPlace{r: l.File, size: l.File.Size()}
	err := l.scan(ctx, in, func(h *header) (place, error) {
		if h.size > in.size-in.pos {
			return 0, io.ErrUnexpectedEOF
		}
		return place(in.pos), nil
	})
	if err != nil || !l.opts.Verify {
		return err
	}
	d := newDigester(io.NewSectionReader(l.File, 0, l.File.Size()))
	if _, err := io.Copy(io.Discard, untilDone{ctx, d}); err != nil {
		return err
	}
	return d.matches(l.Digest)
}

// indexStream indexes a layer while inflating it, and keeps what may be wanted.
func (l *layer) indexStream(ctx context.Context) error {
	return l.inflate(ctx, l.opts.Verify, func(in *stream) error {
		return l.scan(ctx, in, func(h *header) (place, error) { return l.take(in, h) })
	})
}

// scan goes through the archive. content is called with the input at the
// contents of each file; it may read them.
func (l *layer) scan(ctx context.Context, in input, content func(*header) (place, error)) error {
	a := archive{in: in}
	for n := 0; ; n++ {
		if n%entryChunk == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		h, err := a.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		start := in.at()
		if err := l.entry(h, content); err != nil {
			return &FormatError{start, err}
		}
		// The very last padding may be missing.
		rest := start + h.size - in.at()
		if err := in.skip(rest); err != nil {
			return &FormatError{start, fmt.Errorf("%s: %w", clip(h.name), err)}
		}
		if err := in.skip(padded(h.size) - h.size); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return &FormatError{in.at(), err}
		}
	}
}

// entry takes over one entry.
func (l *layer) entry(h *header, content func(*header) (place, error)) error {
	warn := func(message string) {
		l.opts.Warn(clip(h.name), fmt.Sprintf("%s: %s", l.name(), message))
	}
	if len(h.name) > maxPath || len(h.link) > maxPath {
		warn(fmt.Sprintf("the path has more than %d bytes: not read", maxPath))
		return nil
	}
	if h.sparse {
		warn("a sparse file: not read")
		return l.add(h, hidden, 0)
	}
	switch h.kind {
	case typeRegular, typeContiguous:
		p, err := content(h)
		if err != nil {
			return fmt.Errorf("%s: %w", clip(h.name), err)
		}
		return l.add(h, typeRegular, p)
	case typeHardLink, typeSymlink, typeDirectory:
		return l.add(h, h.kind, 0)
	case typeCharDevice, typeBlock, typeFIFO:
		return l.add(h, hidden, 0)
	default:
		warn(fmt.Sprintf("entry of an unknown type %q: not read", h.kind))
		return nil
	}
}

// take keeps the contents of a file that may be wanted.
func (l *layer) take(in *stream, h *header) (place, error) {
	start := in.at()
	if l.opts.Keep != nil {
		name := path.Clean(strings.TrimLeft(string(h.name), "/"))
		switch l.opts.Keep(name, fileInfo{path.Base(name), h.size, h.mode}) {
		case Skip:
			return notKept(start), nil
		case Sniff:
			if head := in.peek(int(min(SniffSize, h.size))); !l.opts.Sniff(head) {
				return refused(start), nil
			}
		}
	}
	return l.keep(in, h.size)
}

// keep appends n bytes to the spool.
func (l *layer) keep(in *stream, n int64) (place, error) {
	if err := l.budget.keep(n); err != nil {
		return 0, err
	}
	offset, err := l.spool.append(func(w io.Writer) error { return in.copyTo(w, n) })
	return place(offset), err
}

// fetch keeps what is at the given offsets of the inflated archive, which are
// sorted, with their sizes; it inflates the layer once more.
func (l *layer) fetch(ctx context.Context, wanted []*Node) error {
	// Whoever sends a layer twice might send another one.
	return l.inflate(ctx, l.opts.Verify, func(in *stream) error {
		for len(wanted) > 0 {
			at := wanted[0].place.archiveOffset()
			if err := in.skip(at - in.at()); err != nil {
				return err
			}
			p, err := l.keep(in, wanted[0].size)
			if err != nil {
				return err
			}
			same := slices.IndexFunc(wanted, func(n *Node) bool { return n.place.archiveOffset() != at })
			if same < 0 {
				same = len(wanted)
			}
			for _, n := range wanted[:same] {
				n.place = p
			}
			wanted = wanted[same:]
		}
		return nil
	})
}

// clip is a name in a message: cleaned, and not without end.
func clip(name []byte) string {
	s := clean(string(name))
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}

// fileInfo is what is known of a file before the tree is there.
type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }
