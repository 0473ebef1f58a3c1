// Package blob keeps large objects where every console that shares a database
// reaches them: in a directory, or in a bucket of S3 or of what speaks its
// protocol. Small ones that must not be lost stand in the database.
//
// A store has an id of its own, which the database remembers: a console that was
// given another place than the others is told so when it starts, not when an
// object is missing.
package blob

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"patrol/internal/platform/db"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of this package.
var Migrations = db.Migrations{Room: "blob", Files: files}

// ErrNotFound says that there is no object of that key.
var ErrNotFound = errors.New("no such object")

// place is where objects stand. Errors need not name it.
type place interface {
	// put writes an object, which is there as a whole or not at all; with first,
	// only if there is none of that key.
	put(ctx context.Context, key string, from io.Reader, first bool) error
	// get returns ErrNotFound where there is no such object.
	get(ctx context.Context, key string) (io.ReadCloser, error)
	// remove does nothing where there is no such object.
	remove(ctx context.Context, key string) error
}

// Store is an open store.
type Store struct {
	place
	address string
}

// identity is the object that holds the store's id.
const identity = "patrol-store"

// Open opens the store at a URL: file:///DIRECTORY, which is made if it is
// missing, or s3://BUCKET/PREFIX?region=…&endpoint=…, with credentials where
// Amazon's tools look for them. The database must have no other store.
func Open(ctx context.Context, address string, d *db.DB) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("--blob-url: %w", err)
	}
	s := &Store{address: u.Redacted()}
	switch u.Scheme {
	case "file":
		s.place, err = openDirectory(u)
	case "s3":
		s.place, err = openBucket(u)
	default:
		err = errors.New("it is no s3:// or file:// URL")
	}
	if err == nil {
		err = s.belong(ctx, d)
	}
	if err != nil {
		return nil, fmt.Errorf("--blob-url %s: %w", s.address, err)
	}
	return s, nil
}

// belong compares the store's id with the one that the database knows.
func (s *Store) belong(ctx context.Context, d *db.DB) error {
	id, err := s.id(ctx)
	if err != nil {
		return err
	}
	known := ""
	err = d.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO blob_store (id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM blob_store)`, id); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT id FROM blob_store`).Scan(&known)
	})
	if err == nil && known != id {
		err = fmt.Errorf("it is another store (%s) than that of this database (%s): give every console the same --blob-url", id, known)
	}
	return err
}

// id reads the id of the store, which the first to come writes.
func (s *Store) id(ctx context.Context) (string, error) {
	id, err := s.read(ctx, identity)
	if !errors.Is(err, ErrNotFound) {
		return id, err
	}
	if err := s.put(ctx, identity, strings.NewReader(db.NewID()), true); err != nil {
		return "", err
	}
	return s.read(ctx, identity)
}

func (s *Store) read(ctx context.Context, key string) (string, error) {
	r, err := s.get(ctx, key)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(r, 1<<10))
	return string(text), errors.Join(err, r.Close())
}

// Put writes an object, which is there as a whole or not at all.
func (s *Store) Put(ctx context.Context, key string, from io.Reader) error {
	if err := s.put(ctx, key, from, false); err != nil {
		return fmt.Errorf("write %s to %s: %w", key, s.address, err)
	}
	return nil
}

// Get opens an object for reading; ErrNotFound if it is not there.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s from %s: %w", key, s.address, err)
	}
	return r, nil
}

// Delete removes an object; one that is not there is removed already.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.remove(ctx, key); err != nil {
		return fmt.Errorf("delete %s from %s: %w", key, s.address, err)
	}
	return nil
}
