package collect

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"

	scalibrfs "github.com/google/osv-scalibr/fs"
)

// besides is the tree as one extraction sees it: what an extractor opens besides
// the file that it was given. Which files, that file says: a requirements.txt
// includes others, each any number more, and links give each any number of names.
type besides struct {
	scalibrfs.FS
	ctx   context.Context
	files int
	bytes int64
	cut   error
}

const (
	maxBesideFiles = 100
	maxBesideBytes = 2 * mib // together
)

// Open opens a regular file for reading. A write-ahead log has a bound of its own.
func (b *besides) Open(name string) (fs.File, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	f, err := b.FS.Open(name)
	if err != nil || strings.HasSuffix(name, "-wal") {
		return f, err
	}
	info, err := f.Stat()
	if err == nil {
		b.files, b.bytes = b.files+1, b.bytes+info.Size()
		if b.files > maxBesideFiles || b.bytes > maxBesideBytes {
			err = fmt.Errorf("%s: not read: more than %d files or %d MiB are opened besides", name, maxBesideFiles, maxBesideBytes/mib)
			b.cut = err
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return beside{f, io.LimitReader(f, info.Size())}, nil
}

// beside ends where the file did when it was opened.
type beside struct {
	fs.File
	r io.Reader
}

func (b beside) Read(p []byte) (int, error) { return b.r.Read(p) }
