// Package watch notices that the packages of a tree may have changed: of the host,
// and of each container there.
//
// It watches the directories in which package databases stand, or would stand, for
// the databases themselves are replaced. Events are only a hint: package managers
// write in bursts, and some write when they are only asked. So a tree is looked at
// once it has been quiet for a while, and what its databases look like then, their
// [collect.DatabaseState], is handed on for somebody to compare.
//
// Nothing is looked at on a quiet machine. Only where the kernel has no watches left
// are trees looked at every minute, and a warning says which limit to raise.
package watch

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"patrol/internal/collect"
)

// How long a tree is waited for.
const (
	// DefaultSettle is for how long it has to be quiet before it is looked at.
	DefaultSettle = 5 * time.Second
	// longest is when it is looked at though it is never quiet, in times of settling.
	longest = 6
	// lookEvery is how often a tree is looked at that cannot be watched.
	lookEvery = time.Minute
)

// Tree opens the root of a tree, whatever way leads to it now.
type Tree func(context.Context) (*os.Root, error)

// Watcher watches trees by their names.
type Watcher struct {
	settle time.Duration
	seen   func(name, state string)
	wake   chan struct{}

	mu      sync.Mutex // guards what follows
	inotify *inotify   // nil where there is none
	trees   map[string]*tree
	places  map[int32]map[string]*place // watch → name of a tree → what is waited for there
	warned  bool
}

// tree is one that is watched.
type tree struct {
	open Tree
	// touched since then, and last at; zero if it is quiet.
	first, last time.Time
	// look is when it is looked at in any case: it cannot be watched, or could not be
	// opened.
	look time.Time
}

// place is what a tree waits for in one directory.
type place struct {
	whole bool            // a database is the directory
	names map[string]bool // that databases have in it, or what leads to them
}

// New returns a watcher that calls seen, one call at a time, with the state of each
// tree that was touched and has settled; settle is how long that takes, or zero for
// the default.
func New(settle time.Duration, seen func(name, state string)) *Watcher {
	if settle == 0 {
		settle = DefaultSettle
	}
	w := &Watcher{
		settle: settle, seen: seen, wake: make(chan struct{}, 1),
		trees: make(map[string]*tree), places: make(map[int32]map[string]*place),
	}
	w.begin()
	return w
}

// Add watches a tree and returns the state of its databases: what changes from then
// on is noticed. One that was added before is added anew.
func (w *Watcher) Add(ctx context.Context, name string, open Tree) (state string, err error) {
	root, err := open(ctx)
	if err != nil {
		return "", err
	}
	defer root.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trees[name] = &tree{open: open}
	w.place(name, root)
	state, err = collect.DatabaseState(root)
	if err != nil {
		w.drop(name)
	}
	w.poke()
	return state, err
}

// Remove ends the watch of a tree.
func (w *Watcher) Remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(name)
}

func (w *Watcher) drop(name string) {
	delete(w.trees, name)
	w.leave(name, nil)
}

// Run looks at trees as they settle, until the context ends; then the watcher is of
// no more use.
func (w *Watcher) Run(ctx context.Context) {
	var reading sync.WaitGroup
	reading.Go(func() { w.read(ctx) })
	defer reading.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
		due, next := w.due(time.Now())
		for _, name := range due {
			w.look(ctx, name)
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(max(0, time.Until(next)))
		}
	}
}

// due returns the trees to look at now, and when the next is due; zero if none is.
func (w *Watcher) due(now time.Time) (names []string, next time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, t := range w.trees {
		at := t.look
		if !t.first.IsZero() {
			settled := t.last.Add(w.settle)
			if latest := t.first.Add(longest * w.settle); latest.Before(settled) {
				settled = latest
			}
			if at.IsZero() || settled.Before(at) {
				at = settled
			}
		}
		switch {
		case at.IsZero():
		case !at.After(now):
			names = append(names, name)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	slices.Sort(names)
	if len(names) > 0 {
		next = now // what they are due next is known once they were looked at
	}
	return names, next
}

// look hands on what the databases of a tree look like. The watches come first: what
// changes afterwards is noticed.
func (w *Watcher) look(ctx context.Context, name string) {
	w.mu.Lock()
	t := w.trees[name]
	w.mu.Unlock()
	if t == nil {
		return
	}
	root, err := t.open(ctx)
	if err != nil {
		slog.Debug("a tree whose packages changed cannot be looked at now", "tree", name, "error", err)
		w.mu.Lock()
		t.first, t.last, t.look = time.Time{}, time.Time{}, time.Now().Add(lookEvery) // unless it is removed
		w.mu.Unlock()
		return
	}
	defer root.Close()
	w.mu.Lock()
	if w.trees[name] != t {
		w.mu.Unlock()
		return
	}
	t.first, t.last, t.look = time.Time{}, time.Time{}, time.Time{}
	w.place(name, root)
	w.mu.Unlock()
	state, err := collect.DatabaseState(root)
	if err != nil {
		slog.Warn("whether packages changed is not known", "tree", name, "error", err)
		return
	}
	w.seen(name, state)
}

// place watches the directories in which databases of a tree stand, or the nearest to
// them that there are, and no others.
func (w *Watcher) place(name string, root *os.Root) {
	kept := make(map[int32]*place)
	var failed error
	for _, database := range collect.PackageDatabases() {
		err := w.placeOne(root, database, kept)
		if _, is := exhausted(err); is {
			failed = err
		} else if err != nil { // which a scan cannot read either
			slog.Debug("a package database is not watched", "tree", name, "database", database, "error", err)
		}
	}
	w.leave(name, kept)
	for wd, p := range kept {
		if w.places[wd] == nil {
			w.places[wd] = make(map[string]*place)
		}
		w.places[wd][name] = p
	}
	if w.inotify == nil || failed != nil {
		w.complain(failed)
		w.trees[name].look = time.Now().Add(lookEvery)
	}
}

// placeOne watches the deepest directory that there is on the way to a database. What
// appears between the look and the watch is looked for again.
func (w *Watcher) placeOne(root *os.Root, database string, kept map[int32]*place) error {
	if w.inotify == nil {
		return nil
	}
	var failed error
	for range attempts {
		dir, next, there := deepest(root, database)
		mask := uint32(structural)
		if there {
			mask = contents
		}
		wd, err := w.inotify.add(root, dir, mask)
		if failed = err; err != nil {
			if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
				continue // it went at this moment
			}
			return err
		}
		if nowDir, nowNext, nowThere := deepest(root, database); nowDir != dir || nowNext != next || nowThere != there {
			if kept[wd] == nil && len(w.places[wd]) == 0 {
				w.inotify.remove(wd)
			}
			failed = errUnsteady
			continue
		}
		if kept[wd] == nil {
			kept[wd] = &place{names: make(map[string]bool)}
		}
		if next == "" {
			kept[wd].whole = true
		} else {
			kept[wd].names[next] = true
		}
		return nil
	}
	return failed
}

// attempts is how often a place is looked for that changes meanwhile.
const attempts = 5

var errUnsteady = errors.New("its directories change all the time")

// deepest returns the last directory on the way to a database, and the name in it
// that comes next: of the database if it is a file, or of what is missing; there is
// true for a database that stands there. Next is empty if it is a directory.
func deepest(root *os.Root, database string) (dir, next string, there bool) {
	dir = "."
	for name := range strings.SplitSeq(database, "/") {
		at := path.Join(dir, name)
		info, err := root.Stat(at)
		if err != nil || !info.IsDir() {
			return dir, name, err == nil && at == database
		}
		dir = at
	}
	return dir, "", true
}

// leave ends the watches of a tree but for those that are kept.
func (w *Watcher) leave(name string, kept map[int32]*place) {
	for _, wd := range slices.Collect(maps.Keys(w.places)) {
		if w.places[wd][name] == nil || kept[wd] != nil {
			continue
		}
		delete(w.places[wd], name)
		if len(w.places[wd]) == 0 {
			delete(w.places, wd)
			w.inotify.remove(wd)
		}
	}
}

// complain says once why trees are looked at instead.
func (w *Watcher) complain(err error) {
	if err == nil || w.warned {
		return
	}
	w.warned = true
	if limit, is := exhausted(err); is {
		slog.Warn("the kernel has no more watches: packages are looked at every minute instead; raise the limit with sysctl -w "+limit+"=…", "limit", limit, "error", err)
		return
	}
	slog.Warn("directories cannot be watched: packages are looked at every minute instead", "error", err)
}
