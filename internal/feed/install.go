package feed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// write compiles the content into the file of its revision, which exists from
// then on, complete and verified, without being the installed one.
func (s *Store) write(c content, m manifest) error {
	// bbolt needs a name, not an open file; the directory keeps it ours.
	dir, err := os.MkdirTemp(s.dir, temporaryPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	temporary := filepath.Join(dir, m.Revision+".db")
	if err := writeIndex(temporary, c, m); err != nil {
		return err
	}
	if err := verifyIndex(temporary, m); err != nil {
		return fmt.Errorf("verify the index: %w", err)
	}
	if err := os.Rename(temporary, s.revisionPath(m.Revision)); err != nil {
		return err
	}
	return syncDir(s.path("revisions"))
}

// prune removes old revisions: neither those to keep, nor one that any process
// has open.
func (s *Store) prune(keep ...string) error { return prune(s.path("revisions"), keep...) }

func prune(dir string, keep ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		id, isIndex := strings.CutSuffix(e.Name(), ".db")
		if isIndex && !slices.Contains(keep, id) {
			failed = errors.Join(failed, removeUnused(filepath.Join(dir, e.Name())))
		}
	}
	return failed
}

// removeUnused removes an index unless somebody has it open, which bbolt shows
// by a shared lock on the file.
func removeUnused(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil
	case err != nil:
		return err
	}
	return os.Remove(path)
}

// abandoned is the age at which an unfinished file is no longer anybody's. Only
// updates take long, and the one that cleans up is the only one.
const abandoned = 24 * time.Hour

// clean removes what processes that were killed have left behind.
func (s *Store) clean(now time.Time) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), temporaryPrefix) && now.Sub(info.ModTime()) > abandoned {
			failed = errors.Join(failed, os.RemoveAll(s.path(e.Name())))
		}
	}
	return failed
}
