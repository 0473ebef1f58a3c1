package feed

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A bundle carries what is installed to where no source can be reached: one tar
// archive, compressed with zstd, with a manifest and after it a dump of each
// compiled file, with its SHA-256. A file also has to have the content whose hash
// its revision is. Whoever does not trust the way it came signs the bundle as a
// whole: see signature.go.
const (
	bundleFormat    = 1
	bundleManifest  = "manifest.json"
	indexFile       = "osv"
	knownFile       = "intelligence"
	maxBundleHeader = 1 << 20  // bytes of the manifest
	maxBundleFile   = 16 << 30 // bytes of a dump
)

// Bundle describes a bundle.
type Bundle struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"`
	// Revision is that of OSV; Intelligence is empty where none was installed.
	Revision     string       `json:"revision"`
	Intelligence string       `json:"intelligence,omitempty"`
	Sources      []Source     `json:"sources"`
	Files        []BundleFile `json:"files"`
}

// BundleFile is a file of a bundle.
type BundleFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Export writes what is installed to a file, which is replaced only once the new
// one is whole. The built-in sample is not exported: every console has it.
func (s *Store) Export(ctx context.Context, path string) (b Bundle, err error) {
	p, err := s.readPointer()
	if err != nil || p.Sample != "" {
		return b, errors.Join(errors.New("there is no feed to export: run `patrol feed update`"), err)
	}
	dir, err := os.MkdirTemp(s.dir, temporaryPrefix)
	if err != nil {
		return b, err
	}
	defer os.RemoveAll(dir)
	b = Bundle{Format: bundleFormat, Created: time.Now().UTC()}
	if err := b.dump(ctx, s, p.Revision, dir); err != nil {
		return b, err
	}
	to, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return b, err
	}
	defer os.Remove(to.Name()) // gone by then if all went well
	err = b.write(ctx, to, dir)
	if err := errors.Join(err, to.Chmod(0o644), to.Sync(), to.Close()); err != nil {
		return b, fmt.Errorf("export to %s: %w", path, err)
	}
	return b, os.Rename(to.Name(), path)
}

// dump writes what is installed into the directory, and describes it.
func (b *Bundle) dump(ctx context.Context, s *Store, revision, dir string) error {
	db, m, err := openIndex(s.revisionPath(revision))
	if err != nil {
		return err
	}
	defer db.Close()
	b.Revision, b.Sources = m.Revision, m.Sources
	one, err := writeDump(ctx, db, bucketNames[:], filepath.Join(dir, indexFile))
	if err != nil {
		return err
	}
	one.Name = indexFile
	b.Files = append(b.Files, one)
	before, known := s.installedIntelligence()
	if before == nil {
		return nil
	}
	defer before.Close()
	b.Intelligence, b.Sources = known.Revision, append(b.Sources, known.sources()...)
	one, err = writeDump(ctx, before, known.buckets(), filepath.Join(dir, knownFile))
	one.Name = knownFile
	b.Files = append(b.Files, one)
	return err
}

func (b Bundle) write(ctx context.Context, to io.Writer, dir string) error {
	compressed, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	header, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	if err = addFile(archive, bundleManifest, int64(len(header)), b.Created); err == nil {
		_, err = archive.Write(header)
	}
	for _, one := range b.Files {
		if err != nil {
			break
		}
		if err = addFile(archive, one.Name, one.Size, b.Created); err == nil {
			err = copyFile(ctx, archive, filepath.Join(dir, one.Name))
		}
	}
	return errors.Join(err, archive.Close(), compressed.Close())
}

func addFile(archive *tar.Writer, name string, size int64, at time.Time) error {
	return archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: at, Format: tar.FormatPAX})
}

func copyFile(ctx context.Context, to io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, cancellable{ctx, f})
	return err
}

// cancellable is a reader that ends with the context.
type cancellable struct {
	ctx context.Context
	io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// unpackBundle compiles the files of a bundle into a directory, each only as long
// as it is announced to be, and verifies their checksums.
func unpackBundle(ctx context.Context, from io.Reader, dir string) (b Bundle, err error) {
	inflated, err := zstd.NewReader(cancellable{ctx, from}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return b, err
	}
	defer inflated.Close()
	archive := tar.NewReader(inflated)
	if err := expectEntry(archive, bundleManifest, maxBundleHeader); err != nil {
		return b, fmt.Errorf("not a bundle, or truncated: %w", err)
	}
	if err := json.NewDecoder(archive).Decode(&b); err != nil {
		return b, fmt.Errorf("%s: %w", bundleManifest, err)
	}
	if b.Format != bundleFormat {
		return b, fmt.Errorf("it has format %d and this version of Patrol reads format %d", b.Format, bundleFormat)
	}
	if err := b.check(); err != nil {
		return b, err
	}
	for _, one := range b.Files {
		if err := unpackFile(ctx, archive, one, filepath.Join(dir, one.Name)); err != nil {
			return b, fmt.Errorf("%s: %w", one.Name, err)
		}
	}
	switch _, err := archive.Next(); {
	case err == nil:
		return b, errors.New("more in it than its manifest lists")
	case !errors.Is(err, io.EOF):
		return b, err
	}
	_, err = io.Copy(io.Discard, inflated) // to its end, where zstd has its own checksum
	return b, err
}

// check refuses a manifest that lists something else than its revisions.
func (b Bundle) check() error {
	want := []string{indexFile}
	valid := revisionID.MatchString(b.Revision)
	if b.Intelligence != "" {
		want = append(want, knownFile)
		valid = valid && revisionID.MatchString(b.Intelligence)
	}
	if !valid || len(b.Files) != len(want) {
		return fmt.Errorf("%s does not describe a bundle", bundleManifest)
	}
	for i, one := range b.Files {
		if one.Name != want[i] || one.Size < 0 || one.Size > maxBundleFile {
			return fmt.Errorf("%s lists %.80q of %d bytes where %s was expected", bundleManifest, one.Name, one.Size, want[i])
		}
	}
	return nil
}

func expectEntry(archive *tar.Reader, name string, limit int64) error {
	header, err := archive.Next()
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case header.Name != name || header.Typeflag != tar.TypeReg || header.Size > limit:
		return fmt.Errorf("%.80q of %d bytes where %s was expected", header.Name, header.Size, name)
	}
	return nil
}

func unpackFile(ctx context.Context, archive *tar.Reader, one BundleFile, path string) error {
	if err := expectEntry(archive, one.Name, one.Size); err != nil {
		return err
	}
	h := sha256.New()
	content := &counted{Reader: io.TeeReader(archive, h)}
	err := readDump(ctx, content, path)
	if err != nil {
		return err
	}
	if content.n != one.Size {
		return fmt.Errorf("%d bytes where %d are announced", content.n, one.Size)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != one.SHA256 {
		return fmt.Errorf("its SHA-256 is %s where %s is announced", got, one.SHA256)
	}
	return nil
}

// counted is a reader that knows how much was read.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}
