package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"patrol/internal/collect/imagefs"
)

// blobs finds the parts of an image by their names.
type blobs func(name string) (*io.SectionReader, error)

// openArchive reads the archive around an image, which is a tree like that of a
// layer: docker-save writes a layer that occurs twice as a symbolic link. damage
// is what is wrong with it, which matters if something turns out to be missing.
func (i *Image) openArchive(ctx context.Context, stored *io.SectionReader, limit int64) (find blobs, damage error, err error) {
	if stored, err = i.inflated(ctx, stored, limit); err != nil {
		return nil, nil, err
	}
	tree, err := imagefs.Open(ctx, []imagefs.Layer{{File: stored}}, imagefs.Options{
		Limits: imagefs.Limits{Entries: 100_000},
		Warn: func(place, message string) {
			if place == "." && damage == nil {
				damage = errors.New(message)
			}
		},
	})
	if err != nil {
		return nil, nil, err
	}
	return func(name string) (*io.SectionReader, error) {
		f, err := tree.Open(name)
		if err != nil {
			return nil, err
		}
		return f.(*imagefs.File).SectionReader, nil
	}, damage, nil
}

// inflated is the archive itself if it is not compressed, and else a temporary
// file without a name that has it.
func (i *Image) inflated(ctx context.Context, stored *io.SectionReader, limit int64) (*io.SectionReader, error) {
	compressed, err := imagefs.Compressed(stored)
	if err != nil || !compressed {
		return stored, err
	}
	r, err := imagefs.Inflate(stored)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// A few bytes must not fill the disk.
	most := max(imagefs.DefaultLimits.Free, imagefs.DefaultLimits.Ratio*stored.Size())
	return i.spool(ctx, r, min(limit, most))
}

// spool copies r to a temporary file without a name.
func (i *Image) spool(ctx context.Context, r io.Reader, limit int64) (*io.SectionReader, error) {
	f, err := imagefs.TempFile()
	if err != nil {
		return nil, err
	}
	i.closers = append(i.closers, f)
	// Closing what is read from is how a copy is cancelled; a context's end is
	// looked for between blocks.
	n, err := io.Copy(f, io.LimitReader(untilDone{ctx, r}, limit+1))
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("the archive has more than %d bytes: not read", limit)
	}
	return io.NewSectionReader(f, 0, n), nil
}

type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// dockerManifest is an entry of manifest.json (Docker image specification v1.2).
type dockerManifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func openDockerArchive(ctx context.Context, img *Image, file string, s *settings) error {
	stored, err := img.file(file)
	if err != nil {
		return err
	}
	return img.dockerArchive(ctx, stored, s)
}

func (i *Image) dockerArchive(ctx context.Context, stored *io.SectionReader, s *settings) error {
	find, damage, err := i.openArchive(ctx, stored, s.MaxArchive)
	if err != nil {
		return err
	}
	manifest, err := find("manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it has no manifest.json, so it is not what docker-save writes; an OCI layout is oci-archive:FILE, a root file system tar:FILE")
		if damage != nil { // manifest.json comes last
			err = fmt.Errorf("it has no manifest.json: %w", damage)
		}
	}
	if err != nil {
		return err
	}
	raw, err := readJSON(manifest, "manifest.json")
	if err != nil {
		return err
	}
	if err := checkParts(raw); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	var images []dockerManifest
	if err := json.Unmarshal(raw, &images); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	if len(images) != 1 {
		return fmt.Errorf("it holds %d images, %q: save one alone", len(images), tags(images))
	}
	return i.dockerImage(find, images[0])
}

func (i *Image) dockerImage(find blobs, m dockerManifest) error {
	stored, err := find(m.Config)
	if err != nil {
		return fmt.Errorf("its configuration: %w", err)
	}
	raw, err := readJSON(stored, "its configuration")
	if err != nil {
		return err
	}
	if err := i.configure(raw, len(m.Layers)); err != nil {
		return err
	}
	i.Digest = digestOf(raw)
	if len(m.RepoTags) > 0 {
		i.Name = m.RepoTags[0]
	}
	for n, name := range m.Layers {
		if i.Layers[n].File, err = find(name); err != nil {
			return fmt.Errorf("layer %s: %w", i.Layers[n].Digest, err)
		}
		i.Layers[n].Size = i.Layers[n].File.Size()
	}
	return nil
}

func tags(images []dockerManifest) (all []string) {
	for _, m := range images {
		all = append(all, m.RepoTags...)
	}
	return all
}
