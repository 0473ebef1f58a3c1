package imagefs

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compression is how a layer is stored, as its first bytes tell. What a manifest
// calls it is not asked.
type compression uint8

const (
	none compression = iota
	gzipped
	zstandard
	unknown
)

// What was inflated, zstd may refer back to, and a window of it is held in memory,
// twice.
const (
	// maxWindow is the widest; "zstd --ultra" and "zstd --long" use as much.
	maxWindow = 128 << 20
	// narrow is a window with which layers are inflated side by side. Those with a
	// wider one take turns.
	narrow = 16 << 20
)

func compressionOf(head []byte) compression {
	begins := func(magic string) bool { return len(head) >= len(magic) && string(head[:len(magic)]) == magic }
	switch {
	case begins("\x1f\x8b"):
		return gzipped
	case begins("\x28\xb5\x2f\xfd"), len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18":
		return zstandard // or a frame to be skipped, which comes before one (RFC 8878, 3.1.2)
	case begins("BZh"), begins("\xfd7zXZ\x00"):
		return unknown
	}
	return none
}

var errCompression = errors.New("compressed neither with gzip nor with zstd: not read")

// Compressed tells whether Inflate would have something to do, or refuse.
func Compressed(r io.ReaderAt) (bool, error) {
	var head [6]byte
	n, err := r.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	return compressionOf(head[:n]) != none, nil
}

// errFetch marks that a layer could not be had, as opposed to being damaged.
var errFetch = errors.New("cannot be fetched")

// inflate calls read with the inflated layer. With verify it then reads on to
// the end, and compares the digest.
func (l *layer) inflate(ctx context.Context, verify bool, read func(*stream) error) error {
	var stored io.ReadCloser
	if l.File != nil {
		stored = io.NopCloser(io.NewSectionReader(l.File, 0, l.File.Size()))
	} else {
		var err error
		if stored, err = l.Fetch(ctx); err != nil {
			return fmt.Errorf("%w: %w", errFetch, err)
		}
	}
	defer stored.Close()
	counted := &counter{r: untilDone{ctx, stored}}
	buffered := bufio.NewReaderSize(counted, inflateBuffer)
	window, done, err := l.budget.window(ctx, buffered)
	if err != nil {
		return err
	}
	defer done()
	inflated, err := inflate(buffered, window)
	if err != nil {
		return err
	}
	defer inflated.Close()
	d := newDigester(&bounded{r: inflated, stored: counted, limits: l.budget.limits})
	if !verify {
		d.hash = nil
	}
	if err := read(newStream(d)); err != nil || !verify {
		return err
	}
	if _, err := io.Copy(io.Discard, d); err != nil {
		return err
	}
	// A blob's own digest is compared by whoever fetches it, at its end.
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return err
	}
	return d.matches(l.Digest)
}

// window is the widest that a layer may have. Before one wider than narrow it
// waits until no other such layer is being inflated.
func (b *budget) window(ctx context.Context, r *bufio.Reader) (window uint64, done func(), err error) {
	head, _ := r.Peek(zstd.HeaderMaxSize) // what is wrong with it, reading will tell
	var h zstd.Header
	err = h.Decode(head)
	if h.SingleSegment { // it has no window of its own (RFC 8878, 3.1.1.1.2)
		h.WindowSize = h.FrameContentSize
	}
	if err != nil || h.WindowSize <= narrow {
		return narrow, func() {}, nil
	}
	select {
	case b.wide <- struct{}{}:
		return maxWindow, func() { <-b.wide }, nil
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

const inflateBuffer = 64 << 10

// Inflate undoes the compression of r, if any: gzip or zstd.
func Inflate(r io.Reader) (io.ReadCloser, error) {
	return inflate(bufio.NewReaderSize(r, inflateBuffer), maxWindow)
}

func inflate(buffered *bufio.Reader, window uint64) (io.ReadCloser, error) {
	head, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch compressionOf(head) {
	case gzipped:
		return gzip.NewReader(buffered)
	case zstandard:
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(window))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case unknown:
		return nil, errCompression
	}
	return io.NopCloser(buffered), nil
}

// bounded ends a layer that inflates to more than any honest one.
type bounded struct {
	r      io.Reader
	stored *counter
	limits Limits
	n      int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limits.Inflated:
		return 0, fmt.Errorf("%w: inflates to more than %d bytes", ErrLimit, b.limits.Inflated)
	case b.n > b.limits.Free && b.n/b.limits.Ratio > b.stored.n:
		return 0, fmt.Errorf("%w: inflates to more than %d times its size", ErrLimit, b.limits.Ratio)
	}
	return n, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// untilDone fails once the context is done.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// digester hashes what is read through it.
type digester struct {
	r    io.Reader
	hash hash.Hash // nil: not at all
}

func newDigester(r io.Reader) *digester { return &digester{r, sha256.New()} }

func (d *digester) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if d.hash != nil {
		d.hash.Write(p[:n])
	}
	return n, err
}

// matches compares with "sha256:…". Without a digest there is nothing to compare.
func (d *digester) matches(digest string) error {
	if got := "sha256:" + hex.EncodeToString(d.hash.Sum(nil)); digest != "" && got != digest {
		return fmt.Errorf("%w: it is %s", ErrDigest, got)
	}
	return nil
}
