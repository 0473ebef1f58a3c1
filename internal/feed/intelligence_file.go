package feed

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// A file of intelligence is a bbolt file with one bucket a part, CVE →
// risk.Intelligence as JSON, with only what that source says, and one more with
// the manifest. A part that has not changed is copied from the file before it.
// Unlike an index, it is written in many transactions, because it may have
// hundreds of thousands of keys and none of them is to be held in memory.

// intelligenceFormat changes with the layout of the file.
const intelligenceFormat = 1

// keeper takes what a source says of a CVE. Of what a source says twice, the
// last counts.
type keeper func(cve string, known risk.Intelligence) error

// checkCVE refuses what is no CVE, before it becomes a key.
func checkCVE(id string) error {
	if len(id) > maxID || !match.IsCVE(id) {
		return fmt.Errorf("%.80q is no CVE", id)
	}
	return nil
}

// fileWriter writes a file that nobody knows yet.
type fileWriter struct {
	db    *bolt.DB
	tx    *bolt.Tx
	parts parts
}

func newFileWriter(path string) (*fileWriter, error) {
	db, err := bolt.Open(path, 0o640, &bolt.Options{
		Timeout:        lockTimeout,
		NoFreelistSync: true,
		NoSync:         true, // one sync at the end: until then nobody knows the file
		NoStatistics:   true,
	})
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return &fileWriter{db: db, parts: parts{}}, nil
}

// perTransaction is how many bytes are in memory before they are written.
const perTransaction = 4 << 20

// fill makes the bucket of a part. write is given a function that puts a pair.
func (w *fileWriter) fill(bucket string, p part, write func(put func(key, value []byte) error) error) error {
	pending := 0
	begin := func() (target *bolt.Bucket, err error) {
		if w.tx, err = w.db.Begin(true); err != nil {
			return nil, err
		}
		if target, err = w.tx.CreateBucketIfNotExists([]byte(bucket)); err != nil {
			return nil, errors.Join(err, w.tx.Rollback())
		}
		target.FillPercent = 0.95 // keys come sorted, or nearly so
		return target, nil
	}
	target, err := begin()
	if err != nil {
		return err
	}
	err = write(func(key, value []byte) (err error) {
		if pending += len(key) + len(value); pending > perTransaction {
			pending = 0
			if err := w.tx.Commit(); err != nil {
				return err
			}
			if target, err = begin(); err != nil {
				return err
			}
		}
		return target.Put(key, value)
	})
	if err != nil {
		_ = w.tx.Rollback() // where it was not a commit that failed
		return err
	}
	w.parts[bucket] = p
	return w.tx.Commit()
}

// decode compiles a part that was fetched.
func (w *fileWriter) decode(ctx context.Context, s source, f fetched) (part, error) {
	p := f.part
	p.Source, p.Records = s.name, 0
	err := w.fill(f.name, p, func(put func(key, value []byte) error) (err error) {
		p.AsOf, err = s.decode(ctx, f.file, func(cve string, known risk.Intelligence) error {
			if err := checkCVE(cve); err != nil {
				return err
			}
			value, err := json.Marshal(known)
			if err != nil {
				return err
			}
			p.Records++
			return put([]byte(cve), value)
		})
		return err
	})
	w.parts[f.name] = p
	return p, malformed(p.URL, err)
}

// malformed says of which file an error is.
func malformed(url string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("truncated: %w", err)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", url, err)
	}
	return err
}

// copy takes over a part of the file before.
func (w *fileWriter) copy(ctx context.Context, from *bolt.DB, bucket string, p part) error {
	return w.fill(bucket, p, func(put func(key, value []byte) error) error {
		return from.View(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			if b == nil {
				return fmt.Errorf("%w (no bucket %s)", errCorrupt, bucket)
			}
			cursor := b.Cursor()
			for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
				if err := errors.Join(put(key, value), ctx.Err()); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// drop takes back a part that came to nothing.
func (w *fileWriter) drop(bucket string) error {
	delete(w.parts, bucket)
	return w.db.Update(func(tx *bolt.Tx) error {
		err := tx.DeleteBucket([]byte(bucket))
		if errors.Is(err, bolterrors.ErrBucketNotFound) {
			return nil
		}
		return err
	})
}

// finish names the revision by its content, and writes the manifest.
func (w *fileWriter) finish() (intelligenceManifest, error) {
	m := intelligenceManifest{Format: intelligenceFormat, Parts: w.parts}
	err := w.db.View(func(tx *bolt.Tx) (err error) {
		m.Revision, err = hashIntelligence(tx, m)
		return err
	})
	if err != nil {
		return m, err
	}
	encoded, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	err = w.db.Update(func(tx *bolt.Tx) error {
		return putAll(tx, bucket{manifestBucket, []pair{{[]byte(manifestKey), encoded}}})
	})
	return m, errors.Join(err, w.db.Sync())
}

// hashIntelligence makes the id of a revision: a SHA-256 over the pairs of its
// buckets, as that of an index.
func hashIntelligence(tx *bolt.Tx, m intelligenceManifest) (string, error) {
	h := &contentHash{hash: sha256.New()}
	fmt.Fprintf(h.hash, "patrol intelligence %d\n", intelligenceFormat)
	for _, name := range m.buckets() {
		b := tx.Bucket([]byte(name))
		if b == nil {
			return "", fmt.Errorf("%w (no bucket %s)", errCorrupt, name)
		}
		count := 0
		cursor := b.Cursor()
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			h.pair(key, value)
			count++
		}
		h.bucket(name, count)
	}
	return h.revision(), nil
}

// openIntelligenceFile maps a file into memory and reads its manifest.
func openIntelligenceFile(path string) (*bolt.DB, intelligenceManifest, error) {
	var m intelligenceManifest
	if _, err := os.Stat(path); err != nil {
		return nil, m, err
	}
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true, Timeout: lockTimeout, NoStatistics: true})
	if err != nil {
		return nil, m, fmt.Errorf("%s: %w (%w)", path, errCorrupt, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		if err := readManifest(path, tx, &m); err != nil {
			return err
		}
		if m.Format != intelligenceFormat {
			return fmt.Errorf("it has format %d and this version of Patrol reads format %d: run `patrol feed update`", m.Format, intelligenceFormat)
		}
		return nil
	})
	if err != nil {
		return nil, m, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	return db, m, nil
}

// verifyIntelligence reads a file as a whole and compares the hash of its content
// with the revision that it says to be.
func verifyIntelligence(path string) (intelligenceManifest, error) {
	db, m, err := openIntelligenceFile(path)
	if err != nil {
		return m, err
	}
	err = db.View(func(tx *bolt.Tx) error {
		got, err := hashIntelligence(tx, m)
		if err == nil && got != m.Revision {
			err = fmt.Errorf("%s: content is %s where %s is written", path, got, m.Revision)
		}
		return err
	})
	return m, errors.Join(err, db.Close())
}
