package imagefs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// TempFile returns a new file without a name: what it holds is gone when it is
// closed.
func TempFile() (*os.File, error) {
	// Never having had a name is best. Not every file system can do it.
	f, err := os.OpenFile(os.TempDir(), os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EINVAL) {
		return nil, err
	}
	if f, err = os.CreateTemp("", "patrol-"); err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
