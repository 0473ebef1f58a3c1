package watch

import "time"

// FailReading has the kernel's notices not be readable any more.
func (w *Watcher) FailReading() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inotify.file.SetReadDeadline(time.Now())
}
