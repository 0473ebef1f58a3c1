package feed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// errBusy says that another update holds the lock.
var errBusy = errors.New("another update is running")

// tryLock takes the update lock, or returns errBusy. The kernel releases it if
// the process dies.
func (s *Store) tryLock() (unlock func(), err error) {
	f, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("update lock: %w", err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		f.Close()
		return nil, errBusy
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("update lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

// lock takes the update lock, and waits for it until the context ends: flock(2)
// itself cannot be cancelled.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for {
		unlock, err := s.tryLock()
		if !errors.Is(err, errBusy) {
			return unlock, err
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errBusy, ctx.Err())
		}
	}
}
