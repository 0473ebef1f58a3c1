package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// inotify is the kernel's notice of changes in directories (inotify(7)). It is spoken
// to directly because directories are watched through an open root: who names them by
// a path would follow the links of somebody else's tree.
type inotify struct {
	file *os.File
	fd   int // of file; asking file for it would make it block
}

const (
	// structural is what is waited for in a directory in which a database may appear.
	structural = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR | unix.IN_MASK_ADD
	// contents is what is waited for where one stands.
	contents = structural | unix.IN_CLOSE_WRITE | unix.IN_MODIFY | unix.IN_MOVED_FROM | unix.IN_DELETE
)

func newInotify() (*inotify, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	return &inotify{os.NewFile(uintptr(fd), "inotify"), fd}, nil
}

// add watches a directory below a root; the number is the same for the same
// directory by whatever way it is reached.
func (n *inotify) add(root *os.Root, dir string, mask uint32) (int32, error) {
	d, err := root.OpenFile(dir, unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	wd, err := unix.InotifyAddWatch(n.fd, fmt.Sprintf("/proc/self/fd/%d", d.Fd()), mask)
	return int32(wd), err
}

// remove ends a watch; that of a directory that is gone has ended already.
func (n *inotify) remove(wd int32) { _, _ = unix.InotifyRmWatch(n.fd, uint32(wd)) }

func (n *inotify) close() error { return n.file.Close() }

// notice is one event.
type notice struct {
	wd   int32
	mask uint32
	name string // in the directory; "" for the directory itself
}

// read waits for events, and calls seen with each, until the file is closed.
func (n *inotify) read(seen func(notice)) error {
	buffer := make([]byte, 64<<10)
	for {
		size, err := n.file.Read(buffer)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("inotify: %w", err)
		}
		for rest := buffer[:size]; len(rest) >= unix.SizeofInotifyEvent; {
			length := int(binary.NativeEndian.Uint32(rest[12:]))
			if len(rest) < unix.SizeofInotifyEvent+length {
				break
			}
			seen(notice{
				wd:   int32(binary.NativeEndian.Uint32(rest)),
				mask: binary.NativeEndian.Uint32(rest[4:]),
				name: strings.TrimRight(string(rest[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length]), "\x00"),
			})
			rest = rest[unix.SizeofInotifyEvent+length:]
		}
	}
}

// exhausted tells whether the kernel gives no more watches, and which of its limits
// that is.
func exhausted(err error) (limit string, is bool) {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return "fs.inotify.max_user_watches", true
	case errors.Is(err, unix.EMFILE):
		return "fs.inotify.max_user_instances", true
	}
	return "", false
}
