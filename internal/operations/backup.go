package operations

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"patrol/internal/feed"
	"patrol/internal/platform/db"
)

// A backup is a tar archive, compressed by zstd. Its first entry is manifest.json,
// which names every other one with its digest.

const (
	manifestName = "manifest.json"
	databaseName = "patrol.db"
	// SecretsKey is the file of a data directory that no backup holds: beside the
	// database it would open what is sealed there.
	SecretsKey = "secrets.key"
	// format is that of the archive: a program refuses what it does not know.
	format = 1
)

// Manifest says what a backup holds.
type Manifest struct {
	Format    int       `json:"format"`
	Version   string    `json:"version"` // of the program that made it
	CreatedAt time.Time `json:"created_at"`
	Files     []Entry   `json:"files"`
}

// Entry is one file of a backup.
type Entry struct {
	// Path is where it belongs in a data directory, separated by slashes.
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`

	source string // where it is read
}

// Backup writes what is in a data directory, which a console may be using, into a
// new file: the database as it is at one instant, the installed feed, and the
// console's own certificate, but not [SecretsKey].
func Backup(ctx context.Context, dataDir, path, version string, now time.Time) (_ Manifest, err error) {
	m := Manifest{Format: format, Version: version, CreatedAt: now.UTC()}
	if _, err := os.Stat(filepath.Join(dataDir, databaseName)); err != nil {
		return m, fmt.Errorf("%w; --data-dir names the directory of a console", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s is there already: name a new file", path)
	}
	// The copy stands beside the file: the console's disk may have no room for it.
	work, err := os.MkdirTemp(filepath.Dir(path), ".patrol-backup-")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	snapshot := filepath.Join(work, databaseName)
	if err := db.Snapshot(ctx, filepath.Join(dataDir, databaseName), snapshot); err != nil {
		return m, err
	}
	m.Files = append(m.Files, Entry{Path: databaseName, source: snapshot})
	beside, err := besideDatabase(dataDir)
	if err != nil {
		return m, err
	}
	m.Files = append(m.Files, beside...)
	archive := filepath.Join(work, "archive")
	if err := m.write(ctx, archive); err != nil {
		return m, fmt.Errorf("write %s: %w", path, err)
	}
	return m, os.Rename(archive, path)
}

// besideDatabase returns the files of the feed and of the certificate.
func besideDatabase(dataDir string) ([]Entry, error) {
	store, err := feed.Open(filepath.Join(dataDir, "feed"))
	if err != nil {
		return nil, err
	}
	names, err := store.Files()
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, err
	}
	for i, name := range names {
		names[i] = "feed/" + name
	}
	names = append(names, "tls/tls.crt", "tls/tls.key")
	entries := []Entry{}
	for _, name := range names {
		source := filepath.Join(dataDir, filepath.FromSlash(name))
		if _, err := os.Stat(source); err == nil {
			entries = append(entries, Entry{Path: name, source: source})
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return entries, nil
}

// write makes the archive, on disk when it returns.
func (m *Manifest) write(ctx context.Context, path string) error {
	for i, e := range m.Files {
		sum := sha256.New()
		size, err := copyFile(ctx, sum, e.source)
		if err != nil {
			return err
		}
		m.Files[i].Size, m.Files[i].SHA256 = size, hex.EncodeToString(sum.Sum(nil))
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	packed, err := zstd.NewWriter(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	archive := tar.NewWriter(packed)
	err = m.fill(ctx, archive)
	return errors.Join(err, archive.Close(), packed.Close(), file.Sync(), file.Close())
}

func (m *Manifest) fill(ctx context.Context, archive *tar.Writer) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	header := func(name string, size int64) error {
		return archive.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: m.CreatedAt, Typeflag: tar.TypeReg})
	}
	if err := header(manifestName, int64(len(text))); err != nil {
		return err
	}
	if _, err := io.Copy(archive, bytes.NewReader(text)); err != nil {
		return err
	}
	for _, e := range m.Files {
		if err := header(e.Path, e.Size); err != nil {
			return err
		}
		// A file that changed since it was digested fails here, or when it is restored.
		if _, err := copyFile(ctx, archive, e.source); err != nil {
			return fmt.Errorf("%s: %w", e.Path, err)
		}
	}
	return nil
}

func copyFile(ctx context.Context, to io.Writer, path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	return io.Copy(to, reader{ctx, f})
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
