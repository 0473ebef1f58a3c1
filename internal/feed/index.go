package feed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"
)

// An index is one bbolt file: the buckets of a content, and one more with the
// manifest. It is written once, in one transaction and in the order of its
// keys, which fills its pages.
const (
	// formatVersion changes with the layout of the buckets or the rules of what
	// goes into them; a file of another version is not read.
	formatVersion = 2

	manifestBucket = "manifest"
	manifestKey    = "manifest"
)

// manifest describes an index. Of it, only the format and whether it is a
// sample are part of the revision's id.
type manifest struct {
	Format   int            `json:"format"`
	Revision string         `json:"revision"`
	Sample   bool           `json:"sample,omitempty"`
	Sources  []Source       `json:"sources"`
	Counts   map[string]int `json:"counts"` // bucket → keys
}

// manifest describes the content, and so names the revision that it makes.
func (c content) manifest(sample bool) manifest {
	m := manifest{Format: formatVersion, Sample: sample, Sources: c.sources, Counts: make(map[string]int)}
	h := newContentHash(sample)
	for _, b := range c.buckets {
		m.Counts[b.name] = len(b.pairs)
		h.bucket(b.name, len(b.pairs))
		for _, p := range b.pairs {
			h.pair(p.key, p.value)
		}
	}
	m.Revision = h.revision()
	return m
}

// writeIndex writes the content to a new file and syncs it.
func writeIndex(path string, c content, m manifest) (err error) {
	db, err := bolt.Open(path, 0o640, &bolt.Options{
		Timeout:        lockTimeout,
		NoFreelistSync: true,
		NoSync:         true, // one sync at the end: until then nobody knows the file
		NoStatistics:   true,
		// Room for all, because to map the file again costs a copy of its content.
		InitialMmapSize: 2*c.size() + 1<<20,
	})
	if err != nil {
		return fmt.Errorf("create the index %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.AllocSize = 1 << 20
	err = db.Update(func(tx *bolt.Tx) error {
		for _, b := range c.buckets {
			if err := putAll(tx, b); err != nil {
				return fmt.Errorf("bucket %s: %w", b.name, err)
			}
		}
		encoded, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return putAll(tx, bucket{manifestBucket, []pair{{[]byte(manifestKey), encoded}}})
	})
	if err != nil {
		return fmt.Errorf("write the index %s: %w", path, err)
	}
	return db.Sync()
}

func putAll(tx *bolt.Tx, b bucket) error {
	target, err := tx.CreateBucket([]byte(b.name))
	if err != nil {
		return err
	}
	target.FillPercent = 1
	for _, p := range b.pairs {
		if err := target.Put(p.key, p.value); err != nil {
			return fmt.Errorf("%.80q: %w", p.key, err)
		}
	}
	return nil
}

// lockTimeout bounds the wait for bbolt's file lock, which nobody holds for
// longer than it takes to ask whether a file is in use.
const lockTimeout = time.Second

// openIndex maps an index into memory and reads its manifest.
func openIndex(path string) (*bolt.DB, manifest, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, manifest{}, err
	}
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true, Timeout: lockTimeout, NoStatistics: true})
	if err != nil {
		return nil, manifest{}, fmt.Errorf("%s: %w (%w)", path, errCorrupt, err)
	}
	var m manifest
	err = db.View(func(tx *bolt.Tx) error {
		if err := readManifest(path, tx, &m); err != nil {
			return err
		}
		if m.Format != formatVersion {
			return fmt.Errorf("the index has format %d and this version of Patrol reads format %d: run `patrol feed update`", m.Format, formatVersion)
		}
		return nil
	})
	if err != nil {
		return nil, manifest{}, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	return db, m, nil
}

// readManifest decodes the manifest of a file into m.
func readManifest(path string, tx *bolt.Tx, m any) error {
	// A page that the file no longer has is a fault of the whole process when
	// it is read, so the size comes first.
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w (%d of %d bytes)", errCorrupt, info.Size(), tx.Size())
	}
	b := tx.Bucket([]byte(manifestBucket))
	if b == nil {
		return errCorrupt
	}
	if err := json.Unmarshal(b.Get([]byte(manifestKey)), m); err != nil {
		return fmt.Errorf("%w (manifest: %w)", errCorrupt, err)
	}
	return nil
}

// verifyIndex reads a written index as a whole, and compares its counts and the
// hash of its content with what was to be written.
func verifyIndex(path string, want manifest) error {
	db, _, err := openIndex(path)
	if err != nil {
		return err
	}
	written, err := newMapping(db, bucketNames[:])
	if err != nil {
		return err
	}
	defer written.close()
	h := newContentHash(want.Sample)
	for _, name := range bucketNames {
		h.bucket(name, want.Counts[name])
		n := 0
		for key, value := range written.pairs(name) {
			h.pair(key, value)
			n++
		}
		if n != want.Counts[name] {
			return fmt.Errorf("%s: bucket %s has %d keys after writing %d", path, name, n, want.Counts[name])
		}
	}
	if got := h.revision(); got != want.Revision {
		return fmt.Errorf("%s: content is %s after writing %s", path, got, want.Revision)
	}
	return nil
}

// contentHash makes the id of a revision: a SHA-256 over its buckets, with the
// length of everything before it.
type contentHash struct {
	hash    hash.Hash
	scratch []byte
}

func newContentHash(sample bool) *contentHash {
	h := &contentHash{hash: sha256.New()}
	fmt.Fprintf(h.hash, "patrol feed %d\n", formatVersion)
	if sample {
		fmt.Fprintln(h.hash, "sample") // never the id of a feed that holds the same
	}
	return h
}

func (h *contentHash) bucket(name string, count int) {
	h.scratch = appendText(h.scratch[:0], name)
	h.scratch = binary.AppendUvarint(h.scratch, uint64(count))
	h.hash.Write(h.scratch)
}

func (h *contentHash) pair(key, value []byte) {
	h.scratch = binary.AppendUvarint(h.scratch[:0], uint64(len(key)))
	h.scratch = append(h.scratch, key...)
	h.scratch = binary.AppendUvarint(h.scratch, uint64(len(value)))
	h.scratch = append(h.scratch, value...)
	h.hash.Write(h.scratch)
}

// revisionDigits is how many hex digits of the hash name a revision.
const revisionDigits = 32

func (h *contentHash) revision() string {
	return hex.EncodeToString(h.hash.Sum(nil))[:revisionDigits]
}
