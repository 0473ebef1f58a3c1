//go:build !linux

package imagefs

import "os"

// TempFile returns a new file without a name: what it holds is gone when it is
// closed.
func TempFile() (*os.File, error) {
	f, err := os.CreateTemp("", "patrol-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
