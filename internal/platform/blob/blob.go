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
	"os"
	"path/filepath"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/s3blob"   // s3://
	"gocloud.dev/gcerrors"

	"patrol/internal/platform/db"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of this package.
var Migrations = db.Migrations{Room: "blob", Files: files}

// ErrNotFound says that there is no object of that key.
var ErrNotFound = errors.New("no such object")

// Store is an open store.
type Store struct {
	bucket  *blob.Bucket
	address string
}

// identity is the object that holds the store's id.
const identity = "patrol-store"

// Open opens the store at a URL: s3://BUCKET?region=…&endpoint=…&prefix=… with
// credentials where Amazon's tools look for them, or file:///DIRECTORY, which is
// made if it is missing. The database must have no other store.
func Open(ctx context.Context, address string, d *db.DB) (*Store, error) {
	opened, err := prepare(address)
	if err != nil {
		return nil, err
	}
	bucket, err := blob.OpenBucket(ctx, opened)
	if err != nil {
		return nil, fmt.Errorf("open --blob-url: %w", err)
	}
	s := &Store{bucket, address}
	if err := s.belong(ctx, d); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare makes a directory, and has it written as one whole: temporary files
// stand beside what they become.
func prepare(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "file" && u.Scheme != "s3") {
		return "", fmt.Errorf("--blob-url %q is no s3:// or file:// URL", address)
	}
	if u.Scheme != "file" {
		return address, nil
	}
	if err := os.MkdirAll(filepath.FromSlash(u.Path), 0o700); err != nil {
		return "", fmt.Errorf("open --blob-url: %w", err)
	}
	query := u.Query()
	query.Set("no_tmp_dir", "true")
	query.Set("metadata", "skip")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// belong compares the store's id with the one that the database knows.
func (s *Store) belong(ctx context.Context, d *db.DB) error {
	id, err := s.id(ctx)
	if err != nil {
		return fmt.Errorf("use the store of large objects at %s: %w", s.address, err)
	}
	known := ""
	err = d.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO blob_store (id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM blob_store)`, id); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT id FROM blob_store`).Scan(&known)
	})
	if err == nil && known != id {
		err = fmt.Errorf("%s is another store (%s) than that of this database (%s): give every console the same --blob-url", s.address, id, known)
	}
	return err
}

// id reads the id of the store, which the first to come writes.
func (s *Store) id(ctx context.Context) (string, error) {
	id, err := s.bucket.ReadAll(ctx, identity)
	if gcerrors.Code(err) != gcerrors.NotFound {
		return string(id), err
	}
	err = s.bucket.WriteAll(ctx, identity, []byte(db.NewID()), &blob.WriterOptions{IfNotExist: true})
	if err != nil && gcerrors.Code(err) != gcerrors.FailedPrecondition {
		return "", err
	}
	id, err = s.bucket.ReadAll(ctx, identity)
	return string(id), err
}

// Put writes an object, which is there as a whole or not at all.
func (s *Store) Put(ctx context.Context, key string, from io.Reader) error {
	// A writer whose context ends before it is closed leaves nothing.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.bucket.NewWriter(ctx, key, nil)
	if err != nil {
		return fmt.Errorf("write %s to %s: %w", key, s.address, err)
	}
	if _, err = io.Copy(w, from); err != nil {
		cancel()
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("write %s to %s: %w", key, s.address, err)
	}
	return nil
}

// Get opens an object for reading; ErrNotFound if it is not there.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read %s from %s: %w", key, s.address, err)
	}
	return r, nil
}

// Delete removes an object; one that is not there is removed already.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.bucket.Delete(ctx, key)
	if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("delete %s from %s: %w", key, s.address, err)
	}
	return nil
}

// Close ends the use of the store.
func (s *Store) Close() error { return s.bucket.Close() }
