package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// openRegistry reads the manifest and the configuration. The layers are fetched
// when they are read, each from the registry and by its digest alone: addresses
// that a manifest gives for them are not followed.
func openRegistry(ctx context.Context, img *Image, where string, s *settings) error {
	ref, err := name.ParseReference(where)
	if err != nil {
		return err
	}
	g := newGuard(ref.Context().Registry)
	img.closers = append(img.closers, g)
	// One puller authenticates once for all that follows.
	puller, err := remote.NewPuller(
		remote.WithTransport(g),
		remote.WithAuthFromKeychain(cmp.Or[authn.Keychain](s.Keychain, authn.DefaultKeychain)),
		remote.WithUserAgent("patrol"),
	)
	if err != nil {
		return err
	}
	described, err := puller.Get(ctx, ref)
	if err != nil {
		return err
	}
	manifest, err := manifestFor(ctx, puller, ref.Context(), described, s.platform)
	if err != nil {
		return err
	}
	img.Name, img.Digest, img.Verify = ref.String(), manifest.digest.String(), true
	fetch := func(d v1.Hash) func(context.Context) (io.ReadCloser, error) {
		return func(ctx context.Context) (io.ReadCloser, error) {
			layer, err := puller.Layer(forBlob(ctx), ref.Context().Digest(d.String()))
			if err != nil {
				return nil, err
			}
			return layer.Compressed() // fails at its end if the digest is another
		}
	}
	raw, err := fetchConfig(ctx, fetch, manifest.Config)
	if err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	if err := img.configure(raw, len(manifest.Layers)); err != nil {
		return err
	}
	for n, d := range manifest.Layers {
		img.Layers[n].Fetch, img.Layers[n].Size = fetch(d.Digest), d.Size
	}
	return nil
}

// chosen is a manifest with the digest that it was fetched by.
type chosen struct {
	*v1.Manifest
	digest v1.Hash
}

// manifestFor follows indexes to the manifest for the platform.
func manifestFor(ctx context.Context, puller *remote.Puller, repository name.Repository, d *remote.Descriptor, p platform) (*chosen, error) {
	for range maxIndexes {
		if err := checkParts(d.Manifest); err != nil {
			return nil, fmt.Errorf("its manifest: %w", err)
		}
		if d.MediaType.IsImage() {
			image, err := d.Image()
			if err != nil {
				return nil, err
			}
			m, err := image.Manifest()
			if err != nil {
				return nil, fmt.Errorf("its manifest: %w", err)
			}
			return &chosen{m, d.Digest}, nil
		}
		if !d.MediaType.IsIndex() {
			return nil, fmt.Errorf("it is no image but %s", d.MediaType)
		}
		index, err := d.ImageIndex()
		if err != nil {
			return nil, err
		}
		list, err := index.IndexManifest()
		if err != nil {
			return nil, fmt.Errorf("its index: %w", err)
		}
		one, err := p.choose(list.Manifests)
		if err != nil {
			return nil, err
		}
		if d, err = puller.Get(ctx, repository.Digest(one.Digest.String())); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("more than %d indexes lead to its manifest: not followed", maxIndexes)
}

func fetchConfig(ctx context.Context, fetch func(v1.Hash) func(context.Context) (io.ReadCloser, error), d v1.Descriptor) ([]byte, error) {
	r, err := fetch(d.Digest)(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err == nil && len(raw) > maxJSON {
		err = errors.New("too large")
	}
	return raw, err
}
