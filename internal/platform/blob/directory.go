package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
)

// directory keeps each object as a file, on a disk that all consoles see.
type directory struct{ root *os.Root }

func openDirectory(u *url.URL) (place, error) {
	if u.Host != "" || u.Path == "" {
		return nil, errors.New("a directory is file:///PATH")
	}
	if err := os.MkdirAll(u.Path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(u.Path)
	if err != nil {
		return nil, err
	}
	return directory{root}, nil
}

// put writes a file beside and renames it, or links it if it is to be the first.
func (d directory) put(ctx context.Context, key string, from io.Reader, first bool) error {
	if err := d.root.MkdirAll(path.Dir(key), 0o700); err != nil {
		return err
	}
	temporary := key + ".part-" + rand.Text()
	file, err := d.root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = d.root.Remove(temporary) }() // gone by then if all went well
	_, err = io.Copy(file, from)
	if err := errors.Join(err, file.Sync(), file.Close(), ctx.Err()); err != nil {
		return err
	}
	if !first {
		return d.root.Rename(temporary, key)
	}
	if err := d.root.Link(temporary, key); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (d directory) get(_ context.Context, key string) (io.ReadCloser, error) {
	file, err := d.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	return file, err
}

func (d directory) remove(_ context.Context, key string) error {
	if err := d.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
