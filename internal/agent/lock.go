package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock keeps a second agent from the data of one that runs: they would share its
// credential. The lock ends with the process, however that ends.
func lock(dir string) (release func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock the agent's data: %w; choose another directory with --data-dir", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "agent.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the agent's data: %w; choose another directory with --data-dir", err)
	}
	switch err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("another agent runs with the data in %s: end it, or choose another directory with --data-dir", dir), file.Close())
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
		// Not every network file system can; the console notices two, too.
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock the agent's data in %s: %w", dir, err), file.Close())
	}
	return file.Close, nil
}
