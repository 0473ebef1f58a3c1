package feed

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

//go:generate go run sample/derive.go -from $PATROL_FEEDS -to sample

// sampleFiles is a feed like any other, of facts alone: see sample/README.md.
//
//go:embed sample/*/all.zip
var sampleFiles embed.FS

// sampleURL stands where a real source has its address.
const sampleURL = "sample:"

// sampleArchives returns the sources of the built-in sample.
func sampleArchives() ([]archive, error) {
	files, err := fs.Sub(sampleFiles, "sample")
	if err != nil {
		return nil, err
	}
	names, err := listEcosystems(files)
	if err != nil {
		return nil, err
	}
	archives := make([]archive, len(names))
	for i, name := range names {
		archives[i] = archive{ecosystem: name, url: sampleURL + name, fsys: files, path: name + "/all.zip"}
	}
	return archives, nil
}

// installSample installs the built-in sample in place of the one whose digest
// is given, or of nothing. What somebody else installs meanwhile stays.
func (s *Store) installSample(ctx context.Context, replaces string) error {
	err := func() error {
		digest, err := s.sampleDigest()
		if err != nil {
			return err
		}
		archives, err := sampleArchives()
		if err != nil {
			return err
		}
		c, err := collect(ctx, archives, defaultLimits)
		if err != nil {
			return err
		}
		m := c.manifest(true)
		if err := s.write(c, m); err != nil {
			return err
		}
		p := pointer{Revision: m.Revision, InstalledAt: time.Now().UTC(), Sample: digest}
		if replaces == "" {
			return s.pointFirst(p)
		}
		unlock, err := s.tryLock()
		if errors.Is(err, errBusy) {
			return nil
		}
		if err != nil {
			return err
		}
		defer unlock()
		if now, err := s.readPointer(); err != nil || now.Sample != replaces {
			return err
		}
		return s.point(p)
	}()
	if err != nil {
		return fmt.Errorf("install the built-in sample of the feed: %w", err)
	}
	return nil
}

// renewSample replaces the sample of another program by this one's, and returns
// what is installed then.
func (s *Store) renewSample(ctx context.Context, p pointer) (pointer, error) {
	digest, err := s.sampleDigest()
	if err != nil || p.Sample == digest {
		return p, err
	}
	if err := s.installSample(ctx, p.Sample); err != nil {
		return p, err
	}
	return s.readPointer()
}

// sampleDigest tells one built-in sample, as this program would compile it, from
// another.
func (s *Store) sampleDigest() (string, error) {
	if s.sample != "" {
		return s.sample, nil
	}
	h := sha256.New()
	fmt.Fprintln(h, "format", formatVersion)
	err := fs.WalkDir(sampleFiles, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := sampleFiles.ReadFile(path)
		fmt.Fprintln(h, path, len(data))
		h.Write(data)
		return err
	})
	if err != nil {
		return "", err
	}
	s.sample = hex.EncodeToString(h.Sum(nil))
	return s.sample, nil
}
