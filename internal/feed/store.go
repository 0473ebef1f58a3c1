package feed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Store is the feed directory of a data directory:
//
//	revisions/<id>.db     compiled revisions: the installed one and the one before
//	current               which one is installed, and since when
//	intelligence/<id>.db  the same of intelligence
//	intelligence/current
//	mirror/               what a web site published last, for the next update
//	state.json            what the last update did
//	lock                  held while an update runs
//	tmp-*                 what an update has not finished
//
// Any number of processes may use one directory. Readers take no lock: they see
// the revision before a swap or the one after it.
type Store struct {
	dir string

	mu       sync.Mutex
	revision *Revision   // the one that current named when it was last read
	pointer  os.FileInfo // of current at that time
	sample   string      // digest of the built-in sample, once it was needed

	known        *Intelligence // the one that intelligence/current named when it was last read
	knownPointer os.FileInfo

	noting sync.Mutex // held while state.json is rewritten
}

// Open prepares the feed directory, and creates it where it is missing.
func Open(dir string) (*Store, error) {
	for _, name := range []string{"revisions", "intelligence", "mirror"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o750); err != nil {
			return nil, fmt.Errorf("feed directory: %w", err)
		}
	}
	return &Store{dir: dir}, nil
}

// Close ends the use of the store and of the revision that it last returned.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.revision, s.known
	s.revision, s.pointer, s.known, s.knownPointer = nil, nil, nil, nil
	var err error
	if r != nil {
		err = r.shut()
	}
	if known != nil {
		err = errors.Join(err, known.shut())
	}
	return err
}

// Current returns the installed revision, and the built-in sample while nothing
// is installed. It costs one stat(2) unless the revision was swapped, by this
// process or another: call it wherever a piece of work begins, and use the one
// revision until that work is done.
func (s *Store) Current(ctx context.Context) (*Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The file of a revision goes when two newer ones came: reading the pointer
	// and opening what it names may take another try.
	for attempt := 0; ; attempt++ {
		r, err := s.current(ctx)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || attempt == 2 {
			return r, err
		}
	}
}

func (s *Store) current(ctx context.Context) (*Revision, error) {
	info, err := os.Stat(s.path("current"))
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.installSample(ctx, ""); err != nil {
			return nil, err
		}
		info, err = os.Stat(s.path("current"))
	}
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	if s.revision != nil && os.SameFile(info, s.pointer) && info.ModTime().Equal(s.pointer.ModTime()) {
		return s.revision, nil
	}
	p, err := s.readPointer()
	if err != nil {
		return nil, err
	}
	if p.Sample != "" {
		// A newer program may have another sample, or another format.
		if p, err = s.renewSample(ctx, p); err != nil {
			return nil, err
		}
	}
	r, err := openRevision(s.revisionPath(p.Revision))
	if err != nil {
		return nil, err
	}
	s.revision, s.pointer = r, info
	return r, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Store) revisionPath(id string) string {
	return filepath.Join(s.dir, "revisions", id+".db")
}
