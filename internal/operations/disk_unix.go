//go:build unix

package operations

import "golang.org/x/sys/unix"

// space returns the bytes and inodes that are free where a directory is.
func space(dir string) (bytes, inodes uint64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, 0, err
	}
	inodes = uint64(fs.Ffree)
	if fs.Files == 0 { // the file system does not count them
		inodes = 1 << 32
	}
	return uint64(fs.Bavail) * uint64(fs.Bsize), inodes, nil
}
