package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// PackageDatabases returns where distributions keep what is installed, as files or
// directories by their path below a root.
func PackageDatabases() []string { return slices.Clone(packageDatabases) }

// DatabaseState names the state of the package databases below a root, by the size
// and time of their files and the names in their directories; nothing is read. Equal
// states have equal names. What stands beside a database and is no part of it, such
// as its locks, does not count.
func DatabaseState(root *os.Root) (string, error) {
	h := sha256.New()
	for _, place := range packageDatabases {
		if err := stateOf(h, root, place); err != nil {
			return "", fmt.Errorf("look at the package databases: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// stateOf adds the state of one database. One that is not there, or that the tree
// does not let us reach, adds nothing: a scan would not read it either.
func stateOf(to io.Writer, root *os.Root, place string) error {
	info, err := root.Stat(place)
	if err != nil {
		return nil
	}
	if info.Mode().IsRegular() {
		noteFile(to, place, info)
		return nil
	}
	if !info.IsDir() {
		return nil
	}
	dir, err := root.OpenFile(place, unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer dir.Close()
	var entries []fs.DirEntry
	for {
		some, err := dir.ReadDir(1024)
		entries = append(entries, some...)
		if errors.Is(err, io.EOF) || len(entries) > maxDatabaseEntries {
			break
		}
		if err != nil {
			return err
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		// pacman's directories have the version in their names.
		if e.IsDir() {
			fmt.Fprintf(to, "%q\n", path.Join(place, e.Name()))
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && isDatabaseFile(e.Name(), info) {
			noteFile(to, path.Join(place, e.Name()), info)
		}
	}
	return nil
}

// maxDatabaseEntries bounds what a hostile tree makes an agent remember: more than
// any distribution has packages.
const maxDatabaseEntries = 200_000

// isDatabaseFile leaves out what comes and goes while a database is only read: locks,
// Berkeley DB's regions, and SQLite's index of a write-ahead log, or an empty log
// (https://sqlite.org/walformat.html).
func isDatabaseFile(name string, info fs.FileInfo) bool {
	switch {
	case strings.HasPrefix(name, "."), strings.HasPrefix(name, "__db."), strings.HasSuffix(name, ".lock"), strings.HasSuffix(name, "-shm"):
		return false
	case strings.HasSuffix(name, "-wal"), strings.HasSuffix(name, "-journal"):
		return info.Size() > 0
	}
	return true
}

func noteFile(to io.Writer, place string, info fs.FileInfo) {
	fmt.Fprintf(to, "%q %d %d\n", place, info.Size(), info.ModTime().UnixNano())
}
