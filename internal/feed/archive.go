package feed

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/flate"
	"golang.org/x/sync/errgroup"
)

// archive is a source that is at hand: an ecosystem's all.zip.
type archive struct {
	ecosystem string
	url       string // where it is published, for people
	fsys      fs.FS
	path      string // in fsys
	// sum is the SHA-256 of the archive, where it is known to be the same as
	// when it was last compiled if that is.
	sum string
}

// limits bound what an archive may inflate to, so that a zip bomb is an error.
type limits struct {
	entry int64 // bytes of one record
	total int64 // bytes of all records of one archive
}

// OSV's largest records are a few MiB; its largest archives inflate to a few GiB.
var defaultLimits = limits{entry: 64 << 20, total: 16 << 30}

// read decodes every record of the archive. The names of its entries serve only
// to say where an error is.
func (a archive) read(ctx context.Context, limit limits) ([]advisory, error) {
	return readArchive(ctx, a, limit, func(_ string, record []byte) (advisory, error) { return decodeRecord(record) })
}

// readArchive calls decode with every record of the archive and the name of its
// entry, on every processor; the result has the order of the entries.
func readArchive[T any](ctx context.Context, a archive, limit limits, decode func(entry string, record []byte) (T, error)) ([]T, error) {
	file, err := a.fsys.Open(a.path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.url, errors.Unwrap(err))
	}
	defer file.Close()
	reader, err := zipReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.url, err)
	}
	entries := recordEntries(reader)
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: no records in it", a.url)
	}
	decoded, err := decodeEntries(ctx, entries, limit, decode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.url, err)
	}
	return decoded, nil
}

// zipReader reads the directory of a zip archive that is a file.
func zipReader(file fs.File) (*zip.Reader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	content, ok := file.(io.ReaderAt)
	if !ok || !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	reader, err := zip.NewReader(content, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("truncated or not a zip archive: %w", err)
	}
	reader.RegisterDecompressor(zip.Deflate, new(inflaters).open)
	return reader, nil
}

func recordEntries(reader *zip.Reader) (entries []*zip.File) {
	for _, entry := range reader.File {
		if strings.HasSuffix(entry.Name, ".json") {
			entries = append(entries, entry)
		}
	}
	return entries
}

func decodeEntries[T any](ctx context.Context, entries []*zip.File, limit limits, decode func(entry string, record []byte) (T, error)) ([]T, error) {
	decoded := make([]T, len(entries))
	var next, total atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), 8) {
		group.Go(func() error {
			var buffer bytes.Buffer
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(len(entries)) {
					return nil
				}
				if err := inflate(&buffer, entries[i], limit.entry); err != nil {
					return fmt.Errorf("entry %q: %w", entries[i].Name, err)
				}
				if total.Add(int64(buffer.Len())) > limit.total {
					return fmt.Errorf("entry %q: the archive inflates to more than %d bytes", entries[i].Name, limit.total)
				}
				var err error
				if decoded[i], err = decode(entries[i].Name, buffer.Bytes()); err != nil {
					return fmt.Errorf("entry %q: %w", entries[i].Name, err)
				}
			}
			return ctx.Err()
		})
	}
	return decoded, group.Wait()
}

// inflate reads the entry into the buffer. The size that the entry states is
// not trusted; its checksum is verified at its end.
func inflate(buffer *bytes.Buffer, entry *zip.File, limit int64) error {
	buffer.Reset()
	content, err := entry.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	n, err := buffer.ReadFrom(io.LimitReader(content, limit+1))
	if err != nil {
		return err
	}
	if n > limit {
		return fmt.Errorf("more than %d bytes", limit)
	}
	return nil
}

// inflaters keeps decompressors for the next entry: they are large and the
// entries are small.
type inflaters struct{ pool sync.Pool }

func (p *inflaters) open(compressed io.Reader) io.ReadCloser {
	inflater, ok := p.pool.Get().(io.ReadCloser)
	if !ok {
		inflater = flate.NewReader(compressed)
	} else if err := inflater.(flate.Resetter).Reset(compressed, nil); err != nil {
		inflater = flate.NewReader(compressed)
	}
	return &pooledInflater{inflater, p}
}

type pooledInflater struct {
	io.ReadCloser
	inflaters *inflaters
}

func (r *pooledInflater) Close() error {
	err := r.ReadCloser.Close()
	r.inflaters.pool.Put(r.ReadCloser)
	return err
}
