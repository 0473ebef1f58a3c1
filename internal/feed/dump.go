package feed

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// A dump is the content of a compiled file, for a bundle: of each bucket
//
//	text(name) count, count times text(key) text(value)
//
// with texts and counts as in encoding.go. A bundle has no compiled file itself,
// because that is mapped into memory as it is, and whoever wrote it could make the
// process that maps it read anything.

// maxPair is how many bytes a key or a value of a dump may have.
const maxPair = 256 << 20

// writeDump writes the buckets, and the manifest first.
func writeDump(ctx context.Context, db *bolt.DB, buckets []string, path string) (one BundleFile, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return one, err
	}
	h := sha256.New()
	to := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<16)
	err = db.View(func(tx *bolt.Tx) error {
		for _, name := range append([]string{manifestBucket}, buckets...) {
			if err := dumpBucket(ctx, tx, name, to); err != nil {
				return err
			}
		}
		return nil
	})
	err = errors.Join(err, to.Flush())
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return one, err
	}
	return BundleFile{Size: info.Size(), SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

func dumpBucket(ctx context.Context, tx *bolt.Tx, name string, to *bufio.Writer) error {
	b := tx.Bucket([]byte(name))
	if b == nil {
		return fmt.Errorf("%w (no bucket %s)", errCorrupt, name)
	}
	var scratch []byte
	text := func(data []byte) {
		scratch = binary.AppendUvarint(scratch[:0], uint64(len(data)))
		to.Write(scratch) // whose first error every later call returns
		to.Write(data)
	}
	text([]byte(name))
	to.Write(binary.AppendUvarint(nil, uint64(b.Stats().KeyN)))
	cursor := b.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		text(key)
		text(value)
	}
	_, err := to.Write(nil)
	return err
}

// readDump writes what is dumped into a new compiled file.
func readDump(ctx context.Context, from io.Reader, path string) (err error) {
	w, err := newFileWriter(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.db.Close()) }()
	d := &dumpReader{Reader: bufio.NewReaderSize(from, 1<<16)}
	for {
		name, err := d.text()
		if errors.Is(err, io.EOF) {
			return w.db.Sync()
		}
		if err == nil {
			err = w.fill(string(name), part{}, func(put func(key, value []byte) error) error { return d.pairs(ctx, put) })
		}
		if err != nil {
			return fmt.Errorf("bucket %.80q: %w", name, err)
		}
	}
}

type dumpReader struct{ *bufio.Reader }

func (d *dumpReader) pairs(ctx context.Context, put func(key, value []byte) error) error {
	count, err := binary.ReadUvarint(d)
	for ; err == nil && count > 0; count-- {
		var key, value []byte
		if key, err = d.text(); err == nil {
			value, err = d.text()
		}
		if err == nil {
			err = errors.Join(put(key, value), ctx.Err())
		}
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// text returns io.EOF if there is nothing more at all.
func (d *dumpReader) text() ([]byte, error) {
	n, err := binary.ReadUvarint(d)
	if err != nil {
		return nil, err
	}
	if n > maxPair {
		return nil, fmt.Errorf("a text of %d bytes", n)
	}
	// Grown as it is read: a length that is wrong costs nothing.
	var text bytes.Buffer
	if _, err := io.CopyN(&text, d, int64(n)); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	return text.Bytes(), nil
}
