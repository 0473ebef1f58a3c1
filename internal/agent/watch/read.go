package watch

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"patrol/internal/platform/lease"
)

// Without the kernel's notice a tree may change at any time. So when there is none any
// more, and when there is one again, each tree counts as changed; in between they are
// looked at every minute.

// read takes events until the context ends. When that fails, it begins anew.
func (w *Watcher) read(ctx context.Context) {
	defer w.end()
	failed := 0
	lease.Every(ctx, 0, func(ctx context.Context) time.Duration {
		if one := w.begin(); one != nil {
			stop := context.AfterFunc(ctx, w.end)
			err := one.read(func(n notice) {
				failed = 0
				w.note(n)
			})
			stop()
			if ctx.Err() == nil {
				slog.Error("changes of packages may have gone unnoticed: all are looked at, and watched anew", "error", err)
			}
			w.end()
		}
		failed++
		return lease.Backoff(failed)
	})
}

// begin returns the inotify, a new one if there is none; nil if the kernel gives none.
func (w *Watcher) begin() *inotify {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inotify != nil {
		return w.inotify
	}
	one, err := newInotify()
	if err != nil {
		w.complain(err)
		return nil
	}
	w.inotify = one
	w.touchAll(time.Now()) // which has their places watched
	return one
}

// end closes the inotify, if there is one, and with it ends all watches.
func (w *Watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.inotify == nil {
		return
	}
	_ = w.inotify.close() // nothing was written to it
	w.inotify = nil
	clear(w.places)
	w.touchAll(time.Now())
}

// note takes an event.
func (w *Watcher) note(n notice) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case n.mask&unix.IN_Q_OVERFLOW != 0: // events were lost: of whom nobody knows
		w.touchAll(now)
		return
	case n.mask&unix.IN_IGNORED != 0: // the directory is gone, or the watch was removed
		for name := range w.places[n.wd] {
			w.touch(name, now)
		}
		delete(w.places, n.wd)
		return
	}
	for name, p := range w.places[n.wd] {
		if p.whole || n.name == "" || p.names[n.name] {
			w.touch(name, now)
		}
	}
}

func (w *Watcher) touchAll(now time.Time) {
	for name := range w.trees {
		w.touch(name, now)
	}
}

func (w *Watcher) touch(name string, now time.Time) {
	t := w.trees[name]
	if t == nil {
		return
	}
	if t.last = now; t.first.IsZero() {
		t.first = now
		w.poke() // later events only put it off, which is seen when it is due
	}
}

func (w *Watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
