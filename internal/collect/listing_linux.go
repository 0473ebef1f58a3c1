package collect

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// direntBytes is how much of a listing is read at once: some 250 entries.
const direntBytes = 16 << 10

// The offsets of struct linux_dirent64 (getdents64(2)).
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

// list appends the next entries of the directory d, open as f, in no order; with
// io.EOF there are none.
func list(d *os.Root, f *os.File, entries []entry) ([]entry, error) {
	connection, err := f.SyscallConn()
	if err != nil {
		return entries, err
	}
	var buf [direntBytes]byte
	n := 0
	var failed error
	err = connection.Control(func(fd uintptr) {
		for {
			if n, failed = syscall.ReadDirent(int(fd), buf[:]); failed != syscall.EINTR {
				return
			}
		}
	})
	switch {
	case err != nil:
		return entries, err
	case failed != nil:
		return entries, os.NewSyscallError("getdents64", failed)
	case n <= 0:
		return entries, io.EOF
	}
	for rest := buf[:n]; len(rest) > direntName; {
		length := int(binary.NativeEndian.Uint16(rest[direntLength:]))
		name, _, _ := bytes.Cut(rest[direntName:length], []byte{0})
		if text := string(name); text != "." && text != ".." {
			entries = append(entries, entry{d, text, direntMode(d, text, rest[direntType])})
		}
		rest = rest[length:]
	}
	return entries, nil
}

// direntMode translates d_type; some file systems do not tell it.
func direntMode(d *os.Root, name string, kind byte) fs.FileMode {
	switch kind {
	case syscall.DT_REG:
		return 0
	case syscall.DT_DIR:
		return fs.ModeDir
	case syscall.DT_LNK:
		return fs.ModeSymlink
	case syscall.DT_UNKNOWN:
		if info, err := d.Lstat(name); err == nil {
			return info.Mode().Type()
		}
	}
	return fs.ModeIrregular
}
