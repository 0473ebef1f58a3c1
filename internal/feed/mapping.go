package feed

import (
	"errors"
	"fmt"
	"iter"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// mapping is an index in memory: one read transaction for all look-ups, because
// to begin one costs several times what the look-up does. A bucket of a read
// transaction is never written, so any number of readers may share it; the lock
// keeps the end of the mapping away from them.
type mapping struct {
	mu      sync.RWMutex
	db      *bolt.DB
	tx      *bolt.Tx // nil once closed
	buckets map[string]*bolt.Bucket
}

// newMapping takes over the database.
func newMapping(db *bolt.DB, names []string) (*mapping, error) {
	tx, err := db.Begin(false)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	m := &mapping{db: db, tx: tx, buckets: make(map[string]*bolt.Bucket)}
	for _, name := range names {
		if m.buckets[name] = tx.Bucket([]byte(name)); m.buckets[name] == nil {
			return nil, errors.Join(fmt.Errorf("%w (no bucket %s)", errCorrupt, name), m.close())
		}
	}
	return m, nil
}

// close waits for the look-ups that are under way.
func (m *mapping) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tx == nil {
		return nil
	}
	err := m.tx.Rollback()
	m.tx, m.buckets = nil, nil
	return errors.Join(err, m.db.Close())
}

var errClosed = errors.New("the feed is closed")

// get calls f with the value of the key, if there is one. The value is part of
// the mapping: f keeps nothing of it.
func (m *mapping) get(bucket, key string, f func(value []byte) error) (found bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.tx == nil {
		return false, errClosed
	}
	value := m.buckets[bucket].Get([]byte(key))
	if value == nil {
		return false, nil
	}
	return true, f(value)
}

// pairs yields the keys and values of a bucket in order. They are part of the
// mapping, which must not be closed meanwhile.
func (m *mapping) pairs(bucket string) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		cursor := m.cursor(bucket)
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			if !yield(key, value) {
				return
			}
		}
	}
}

// cursor walks a bucket in order, under the same condition.
func (m *mapping) cursor(bucket string) *bolt.Cursor { return m.buckets[bucket].Cursor() }
