package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"patrol/internal/collect/imagefs"
)

func openOCIArchive(ctx context.Context, img *Image, file string, s *settings) error {
	stored, err := img.file(file)
	if err != nil {
		return err
	}
	find, damage, err := img.openArchive(ctx, stored, s.MaxArchive)
	if err != nil {
		return err
	}
	if err := img.layout(find, s); err != nil {
		return errors.Join(err, damage)
	}
	return nil
}

func openOCIDir(_ context.Context, img *Image, dir string, s *settings) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	img.closers = append(img.closers, root)
	return img.layout(func(name string) (*io.SectionReader, error) {
		f, err := root.OpenFile(path.Clean(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		return img.keep(f, name)
	}, s)
}

// maxIndexes is how many indexes are read on the way to a manifest.
const maxIndexes = 8

// layout reads an OCI image layout: index.json leads to a manifest, perhaps
// through further indexes, and all else are blobs named by their digests.
func (i *Image) layout(find blobs, s *settings) error {
	stored, err := find("index.json")
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it has no index.json, so it is not an OCI image layout")
	}
	if err != nil {
		return err
	}
	raw, err := readJSON(stored, "index.json")
	if err != nil {
		return err
	}
	if err := checkParts(raw); err != nil {
		return fmt.Errorf("index.json: %w", err)
	}
	return i.index(find, raw, s)
}

// index follows an index to the manifest for the platform.
func (i *Image) index(find blobs, raw []byte, s *settings) error {
	for range maxIndexes {
		index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
		if err != nil {
			return fmt.Errorf("an index: %w", err)
		}
		chosen, err := s.platform.choose(index.Manifests)
		if err != nil {
			return err
		}
		if raw, err = describedBlob(find, chosen); err != nil {
			return err
		}
		if name := chosen.Annotations["org.opencontainers.image.ref.name"]; i.Name == "" {
			i.Name = name
		}
		if chosen.MediaType.IsImage() {
			i.Digest = chosen.Digest.String()
			return i.manifest(find, raw)
		}
	}
	return fmt.Errorf("more than %d indexes lead to its manifest: not followed", maxIndexes)
}

// FromBlobs opens the image whose manifest, or index, has that digest, from a
// store of blobs that has no other names. What is read goes to temporary files
// without names. Close the image after use.
func FromBlobs(ctx context.Context, digest string, read func(ctx context.Context, digest string) (io.ReadCloser, error), opts Options) (*Image, error) {
	if opts.MaxArchive == 0 {
		opts.MaxArchive = DefaultMaxArchive
	}
	platform, err := parsePlatform(opts.Platform)
	if err != nil {
		return nil, err
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		return nil, err
	}
	img := &Image{}
	find := func(name string) (*io.SectionReader, error) {
		blob, err := read(ctx, strings.Replace(strings.TrimPrefix(name, "blobs/"), "/", ":", 1))
		if err != nil {
			return nil, err
		}
		defer blob.Close()
		return img.spool(ctx, blob, opts.MaxArchive)
	}
	if err := img.stored(find, hash, &settings{opts, platform}); err != nil {
		img.Close()
		return nil, fmt.Errorf("opening image %s: %w", digest, err)
	}
	return img, nil
}

func (i *Image) stored(find blobs, digest v1.Hash, s *settings) error {
	raw, err := describedBlob(find, v1.Descriptor{Digest: digest})
	if err != nil {
		return err
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("its manifest: %w", err)
	}
	if m.Config.Digest.Hex == "" { // an index has none
		return i.index(find, raw, s)
	}
	i.Digest = digest.String()
	return i.manifest(find, raw)
}

func (i *Image) manifest(find blobs, raw []byte) error {
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("its manifest: %w", err)
	}
	if raw, err = describedBlob(find, m.Config); err != nil {
		return err
	}
	if err := i.configure(raw, len(m.Layers)); err != nil {
		return err
	}
	for n, d := range m.Layers {
		if i.Layers[n].File, err = findBlob(find, d.Digest); err != nil {
			return fmt.Errorf("layer %s: %w", i.Layers[n].Digest, err)
		}
		i.Layers[n].Size = i.Layers[n].File.Size()
	}
	return nil
}

func findBlob(find blobs, digest v1.Hash) (*io.SectionReader, error) {
	// ParseManifest has checked that the parts are no more than letters and digits.
	return find(path.Join("blobs", digest.Algorithm, digest.Hex))
}

// describedBlob reads a manifest, index or configuration, and compares it with
// the digest that it was named by.
func describedBlob(find blobs, d v1.Descriptor) ([]byte, error) {
	if d.Digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("%.100q is not a sha256 digest", d.Digest.String())
	}
	stored, err := findBlob(find, d.Digest)
	if err != nil {
		return nil, err
	}
	raw, err := readJSON(stored, d.Digest.String())
	if err != nil {
		return nil, err
	}
	if got := digestOf(raw); got != d.Digest.String() {
		return nil, fmt.Errorf("%s: %w: it is %s", d.Digest, imagefs.ErrDigest, got)
	}
	if err := checkParts(raw); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Digest, err)
	}
	return raw, nil
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// platform is what image to choose of several.
type platform struct {
	v1.Platform
	asked bool // and not only the default
}

func parsePlatform(s string) (platform, error) {
	if s == "" {
		return platform{Platform: v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}, nil
	}
	p, err := v1.ParsePlatform(s)
	if err != nil || p.Architecture == "" {
		return platform{}, fmt.Errorf("platform %q: it is os/architecture[/variant], as in linux/arm64", s)
	}
	return platform{*p, true}, nil
}

// choose returns the manifest or index for the platform. The only one is taken
// as it is.
func (p platform) choose(all []v1.Descriptor) (v1.Descriptor, error) {
	images := slices.DeleteFunc(slices.Clone(all), func(d v1.Descriptor) bool {
		// Attestations are listed as images of an unknown platform.
		return !d.MediaType.IsImage() && !d.MediaType.IsIndex() || d.Platform != nil && d.Platform.OS == "unknown"
	})
	if len(images) == 1 {
		return images[0], nil
	}
	fits := slices.DeleteFunc(slices.Clone(images), func(d v1.Descriptor) bool {
		return d.Platform == nil || !d.Platform.Satisfies(p.Platform)
	})
	if len(fits) > 0 && !slices.ContainsFunc(images, func(d v1.Descriptor) bool { return d.Platform == nil }) {
		return fits[0], nil
	}
	var have []string
	for _, d := range images {
		switch {
		case d.Platform != nil:
			have = append(have, d.Platform.String())
		default:
			have = append(have, d.Annotations["org.opencontainers.image.ref.name"])
		}
	}
	return v1.Descriptor{}, fmt.Errorf("it has no one image for %s, but %d: %s", p.String(), len(have), strings.Join(have, ", "))
}
