package collect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// tree is the scanned tree as a file system: what an extractor may open besides
// the file it was given. Symbolic links are resolved as they would be with the
// tree as the root of the system, so an absolute link stays inside; os.Root
// makes sure of that even if the tree changes under us.
type tree struct{ root *os.Root }

// maxLinks is how many symbolic links one path may go through, as in Linux.
const maxLinks = 40

var errNotRegular = errors.New("not a regular file")

// Open opens a regular file for reading.
func (t tree) Open(name string) (fs.File, error) {
	real, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	return openRegular(t.root, real)
}

// Stat follows symbolic links.
func (t tree) Stat(name string) (fs.FileInfo, error) {
	real, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	return t.root.Lstat(real)
}

// ReadDir lists a directory, sorted.
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	real, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	return fs.ReadDir(t.root.FS(), real)
}

// resolve returns the path that name has when all symbolic links are followed.
func (t tree) resolve(name string) (string, error) {
	done, links := ".", 0
	todo := strings.Split(name, "/")
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		if part == "" || part == "." {
			continue
		}
		if part == ".." {
			done = path.Dir(done) // path.Dir(".") is ".": the root is its own parent
			continue
		}
		next := path.Join(done, part)
		info, err := t.root.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
		}
		target, err := t.root.Readlink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			done = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return done, nil
}

// openRegular opens a file that must be a regular one. The file may have been
// replaced since it was listed: O_NONBLOCK keeps a fifo from blocking the scan.
func openRegular(dir *os.Root, name string) (*os.File, error) {
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", name, errNotRegular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
