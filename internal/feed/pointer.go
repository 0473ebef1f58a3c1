package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// pointer is a file `current`: it names the installed revision.
type pointer struct {
	Revision    string    `json:"revision"`
	InstalledAt time.Time `json:"installed_at"`
	// Sample is the digest of the built-in sample that was installed; empty for
	// a real feed.
	Sample string `json:"sample,omitempty"`
}

var revisionID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (s *Store) readPointer() (p pointer, err error) { return readPointer(s.path("current")) }

// readPointer returns an error that is fs.ErrNotExist while nothing is installed.
func readPointer(path string) (p pointer, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("feed: %w", err)
	}
	if err := json.Unmarshal(data, &p); err != nil || !revisionID.MatchString(p.Revision) {
		return p, fmt.Errorf("feed: %s does not name a revision: run `patrol feed update`", path)
	}
	return p, nil
}

func (s *Store) point(p pointer) error { return point(s.path("current"), p) }

// point makes a revision, whose file is complete, the installed one.
func point(path string, p pointer) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return replaceFile(path, append(data, '\n'))
}

// pointFirst is point where nothing is installed yet. If something is by now,
// it leaves it: a link, other than a rename, replaces nothing.
func (s *Store) pointFirst(p pointer) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	temporary, err := writeTemporary(s.dir, append(data, '\n'))
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, s.path("current")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(s.dir)
}

// replaceFile writes a file so that a reader, also after a crash, finds the old
// content or the new one, whole.
func replaceFile(path string, data []byte) error {
	temporary, err := writeTemporary(filepath.Dir(path), data)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDir(filepath.Dir(path))
}

// writeTemporary writes a synced file of a new name.
func writeTemporary(dir string, data []byte) (path string, err error) {
	f, err := os.CreateTemp(dir, temporaryPrefix+"*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncDir makes renames in the directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// temporaryPrefix begins the names of what is not yet, or no longer, needed.
const temporaryPrefix = "tmp-"
