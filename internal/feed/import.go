package feed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ImportOptions say what a bundle has to be.
type ImportOptions struct {
	// PublicKey is the file of a minisign or cosign public key that must have
	// signed the bundle; empty if nobody need have.
	PublicKey string
	// Signature is the signature's file; empty for the bundle's name and .minisig
	// or .sig.
	Signature string
	// AllowOlder accepts sources that are older than what is installed.
	AllowOlder bool
}

// Import verifies a bundle and installs what is in it, all or nothing: its
// signature if a key is given, its checksums, that each file has the content
// whose hash its revision is, and that no source is older than what is installed.
// Intelligence that the bundle lacks stays as it is.
func (s *Store) Import(ctx context.Context, path string, o ImportOptions) (Bundle, error) {
	b, err := s.importBundle(ctx, path, o)
	if err != nil {
		err = fmt.Errorf("import %s: %w; %s", path, err, s.remains())
		return b, errors.Join(err, s.record(Attempt{At: time.Now().UTC(), URL: path, Error: line(err)}))
	}
	return b, s.changeState(func(last *state) {
		now := time.Now().UTC()
		last.LastAttempt, last.LastSuccess = &Attempt{At: now, URL: path}, now
		last.Compiled = compilation{}
		for _, source := range b.Sources {
			if source.Ecosystem() == "" && last.Intelligence != nil {
				last.Intelligence[source.Name] = sourceAttempt{At: now, State: SourceOK}
			}
		}
	})
}

func (s *Store) importBundle(ctx context.Context, path string, o ImportOptions) (b Bundle, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return b, err
	}
	defer unlock()
	file, err := os.Open(path)
	if err != nil {
		return b, err
	}
	defer file.Close()
	if o.PublicKey != "" {
		if err := verifySignature(ctx, file, path, o); err != nil {
			return b, err
		}
	}
	dir, err := os.MkdirTemp(s.dir, temporaryPrefix)
	if err != nil {
		return b, err
	}
	defer os.RemoveAll(dir)
	// The same open file that was verified, whatever its name leads to by now.
	if _, err := file.Seek(0, 0); err != nil {
		return b, err
	}
	if b, err = unpackBundle(ctx, file, dir); err != nil {
		return b, err
	}
	return b, s.adopt(ctx, b, dir, o.AllowOlder)
}

// adopt verifies the compiled files and makes them the installed ones.
func (s *Store) adopt(ctx context.Context, b Bundle, dir string, allowOlder bool) error {
	index := filepath.Join(dir, indexFile)
	db, m, err := openIndex(index)
	if err == nil {
		err = errors.Join(db.Close(), verifyIndex(index, m))
	}
	if err == nil && (m.Revision != b.Revision || m.Sample) {
		err = fmt.Errorf("%s is revision %s where %s is announced", indexFile, m.Revision, b.Revision)
	}
	if err != nil {
		return err
	}
	installed := s.installed()
	offered, have := m.Sources, installed.Sources
	if installed.Sample {
		have = nil
	}
	known := intelligenceManifest{}
	before, was := s.installedIntelligence()
	if before != nil {
		if err := before.Close(); err != nil {
			return err
		}
	}
	if b.Intelligence != "" {
		if known, err = verifyIntelligence(filepath.Join(dir, knownFile)); err != nil {
			return err
		}
		if known.Revision != b.Intelligence {
			return fmt.Errorf("%s is revision %s where %s is announced", knownFile, known.Revision, b.Intelligence)
		}
		offered, have = append(offered, known.sources()...), append(have, was.sources()...)
	}
	if !allowOlder {
		if err := notOlder(offered, have); err != nil {
			return fmt.Errorf("%w (--allow-older accepts it)", err)
		}
	}
	if err := errors.Join(os.Rename(index, s.revisionPath(m.Revision)), syncDir(s.path("revisions")),
		s.prune(m.Revision, installed.Revision), ctx.Err()); err != nil {
		return err
	}
	// Intelligence first: if a process dies in between, nothing is matched against
	// what is not assessed.
	if b.Intelligence != "" {
		if err := s.installIntelligence(filepath.Join(dir, knownFile), known, was.Revision); err != nil {
			return err
		}
	}
	return s.point(pointer{Revision: m.Revision, InstalledAt: time.Now().UTC()})
}
