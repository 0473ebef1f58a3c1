package operations

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
)

// manifestLimit is how many bytes a manifest may have.
const manifestLimit = 1 << 20

// Restore unpacks a backup into a data directory that is empty or does not exist, or
// holds the key of secrets, which no backup does.
// Every file is checked before the first one is in place.
func Restore(ctx context.Context, backup, dataDir string) (_ Manifest, err error) {
	if err := mustBeEmpty(dataDir); err != nil {
		return Manifest{}, err
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return Manifest{}, err
	}
	work, err := os.MkdirTemp(dataDir, ".restoring-")
	if err != nil {
		return Manifest{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	m, err := unpack(ctx, backup, work)
	if err != nil {
		return m, fmt.Errorf("%s: %w", backup, err)
	}
	if err := checkDatabase(ctx, filepath.Join(work, databaseName)); err != nil {
		return m, fmt.Errorf("%s: %w", backup, err)
	}
	return m, moveIn(work, dataDir)
}

func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" && e.Name() != SecretsKey { // a disk of its own begins with the first
			return fmt.Errorf("%s is not empty: restore into a new directory, in which nothing but %s may be, and start the console with it", dir, SecretsKey)
		}
	}
	return nil
}

// unpack writes the files of a backup below a directory, and checks each.
func unpack(ctx context.Context, backup, dir string) (m Manifest, err error) {
	file, err := os.Open(backup)
	if err != nil {
		return m, err
	}
	defer func() { _ = file.Close() }()
	packed, err := zstd.NewReader(reader{ctx, file})
	if err != nil {
		return m, err
	}
	defer packed.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, err
	}
	defer func() { _ = root.Close() }()
	archive := tar.NewReader(packed)
	if m, err = readManifest(archive); err != nil {
		return m, err
	}
	for _, e := range m.Files {
		header, err := archive.Next()
		if err == nil && header.Name != e.Path {
			err = fmt.Errorf("%s stands in its place", header.Name)
		}
		if err == nil {
			err = e.unpack(root, archive)
		}
		if err != nil {
			return m, fmt.Errorf("the backup is damaged at %s: %w", e.Path, err)
		}
	}
	if _, err := archive.Next(); err != io.EOF {
		return m, errors.Join(errors.New("the backup is damaged at its end"), err)
	}
	return m, nil
}

func readManifest(archive *tar.Reader) (m Manifest, err error) {
	header, err := archive.Next()
	if err != nil || header.Name != manifestName {
		return m, errors.Join(errors.New("this is no backup of Patrol"), err)
	}
	if err := json.NewDecoder(io.LimitReader(archive, manifestLimit)).Decode(&m); err != nil {
		return m, fmt.Errorf("this is no backup of Patrol: %w", err)
	}
	if m.Format != format {
		return m, fmt.Errorf("it has the format %d, and this program knows %d: restore it with patrol %s", m.Format, format, m.Version)
	}
	if !slices.ContainsFunc(m.Files, func(e Entry) bool { return e.Path == databaseName }) {
		return m, errors.New("it holds no database")
	}
	return m, nil
}

// unpack writes one file and checks its digest.
func (e Entry) unpack(root *os.Root, from io.Reader) error {
	known := e.Path == databaseName || strings.HasPrefix(e.Path, "feed/") || strings.HasPrefix(e.Path, "tls/")
	if !known || !filepath.IsLocal(filepath.FromSlash(e.Path)) || path.Clean(e.Path) != e.Path {
		return errors.New("this is no file of a data directory")
	}
	if err := root.MkdirAll(path.Dir(e.Path), 0o700); err != nil {
		return err
	}
	to, err := root.OpenFile(e.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(to, sum), io.LimitReader(from, e.Size+1))
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return err
	}
	if size != e.Size || hex.EncodeToString(sum.Sum(nil)) != e.SHA256 {
		return errors.New("its digest is another one")
	}
	return nil
}

// checkDatabase looks for damage, and prepares the event log for going on.
func checkDatabase(ctx context.Context, path string) (err error) {
	d, err := db.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	s := Service{db: d}
	problems, err := s.integrity(ctx)
	if err == nil && problems != "" {
		err = errors.New("its database is damaged: " + problems)
	}
	if err != nil {
		return err
	}
	return d.Write(ctx, func(tx *db.Tx) error { return event.Restored(ctx, tx) })
}

// moveIn moves what was unpacked into place, the database last: a console that
// finds none begins a new one, and says so.
func moveIn(work, dataDir string) error {
	entries, err := os.ReadDir(work)
	if err != nil {
		return err
	}
	names := []string{}
	for _, e := range entries {
		if e.Name() != databaseName {
			names = append(names, e.Name())
		}
	}
	for _, name := range append(names, databaseName) {
		if err := os.Rename(filepath.Join(work, name), filepath.Join(dataDir, name)); err != nil {
			return err
		}
	}
	return nil
}
