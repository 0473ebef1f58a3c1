// Package image finds the layers of an image, wherever it is kept: in an archive
// of docker-save, in an OCI layout, in a registry, with a daemon, or as the plain
// archive of a root file system. It unpacks nothing: what it returns are layers
// as they are stored, for package imagefs to read in place.
//
// Two kinds of strangers have a say here. An archive may name anything as a
// layer: names are looked up within it alone, and descriptions have a size limit.
// A registry may send its client elsewhere: credentials stay with the host they
// are for, addresses of this machine are not reached on a registry's word, and
// the addresses in a manifest are never followed.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"patrol/internal/collect/imagefs"
)

// Kinds of targets: what stands before the colon.
const (
	DockerArchive = "docker-archive" // a file of docker-save or podman-save
	OCIArchive    = "oci-archive"    // a tar archive of an OCI image layout
	OCIDir        = "oci-dir"        // an OCI image layout
	Registry      = "registry"       // a reference: [host/]repository[:tag][@digest]
	Docker        = "docker"         // an image of Docker's daemon, or else podman's
	Podman        = "podman"         // an image of podman's service
	Tar           = "tar"            // the archive of a root file system
)

// Options say how to open an image.
type Options struct {
	// Platform is "os/architecture[/variant]"; linux on this machine's
	// architecture if it is empty and there is a choice.
	Platform string
	// Keychain knows the credentials of registries; nil means those of Docker's
	// and podman's configuration, with their credential helpers.
	Keychain authn.Keychain
	// Socket is the daemon's socket; "" means the usual ones.
	Socket string
	// MaxArchive is how many bytes a daemon's, or a compressed, archive may have:
	// it goes to a temporary file. Zero is DefaultMaxArchive.
	MaxArchive int64
}

// DefaultMaxArchive is larger than any image that one would want to send around.
const DefaultMaxArchive = 64 << 30

// maxJSON is the size in bytes of the largest manifest, index or configuration
// that is read. Registries take manifests of 4 MiB.
const maxJSON = 8 << 20

// Image is an open image.
type Image struct {
	// Name is how the image calls itself; may be empty.
	Name string
	// Digest is that of its manifest, or of its configuration where there is no
	// manifest; empty for a plain archive.
	Digest string
	// Platform is what it was made for; zero for a plain archive.
	Platform v1.Platform
	// Layers are its layers, lowest first.
	Layers []imagefs.Layer
	// Verify tells that the layers come from elsewhere, and have to be compared
	// with their digests.
	Verify bool

	closers []io.Closer
}

// Close releases the image's files.
func (i *Image) Close() error {
	var errs []error
	for _, c := range i.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// ErrKind is returned for a target of another kind than those of this package.
var ErrKind = errors.New("not an image")

// Open opens the image that target names, "kind:where". Close it after use.
func Open(ctx context.Context, target string, opts Options) (*Image, error) {
	kind, where, ok := strings.Cut(target, ":")
	opener := openers[kind]
	if !ok || opener == nil || where == "" {
		return nil, fmt.Errorf("%w: %s; name one as docker-archive:FILE, oci-archive:FILE, oci-dir:PATH, registry:REF, docker:REF, podman:REF or tar:FILE", ErrKind, target)
	}
	if opts.MaxArchive == 0 {
		opts.MaxArchive = DefaultMaxArchive
	}
	platform, err := parsePlatform(opts.Platform)
	if err != nil {
		return nil, err
	}
	img := &Image{}
	err = opener(ctx, img, where, &settings{opts, platform})
	if err == nil && platform.asked && !img.Platform.Satisfies(platform.Platform) && kind != Tar {
		err = fmt.Errorf("it is for %s, not for %s", img.Platform.String(), platform.String())
	}
	if err != nil {
		img.Close()
		return nil, fmt.Errorf("opening %s: %w", target, err)
	}
	return img, nil
}

// settings are options, understood.
type settings struct {
	Options
	platform platform
}

var openers = map[string]func(ctx context.Context, img *Image, where string, s *settings) error{
	DockerArchive: openDockerArchive,
	OCIArchive:    openOCIArchive,
	OCIDir:        openOCIDir,
	Registry:      openRegistry,
	Docker:        openDocker,
	Podman:        openPodman,
	Tar:           openTar,
}

// openTar takes the archive of a root file system for the only layer.
func openTar(_ context.Context, img *Image, file string, _ *settings) error {
	stored, err := img.file(file)
	if err != nil {
		return err
	}
	img.Layers = []imagefs.Layer{{File: stored, Size: stored.Size()}}
	return nil
}

// file opens a file until the image is closed.
func (i *Image) file(name string) (*io.SectionReader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return i.keep(f, name)
}

// keep reads an open regular file until the image is closed.
func (i *Image) keep(f *os.File, name string) (*io.SectionReader, error) {
	i.closers = append(i.closers, f)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	return io.NewSectionReader(f, 0, info.Size()), nil
}
