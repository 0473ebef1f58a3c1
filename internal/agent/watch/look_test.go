package watch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/collect"
)

// Where the kernel gives no watches, a tree is due every minute, and never before.
func TestTreeThatCannotBeWatched(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	var seen []string
	w := New(0, func(_, state string) { seen = append(seen, state) })
	if w.inotify != nil {
		if err := w.inotify.close(); err != nil {
			t.Fatal(err)
		}
		w.inotify = nil
	}
	open := func(context.Context) (*os.Root, error) { return os.OpenRoot(root) }
	before, err := w.Add(t.Context(), "host", open)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if names, next := w.due(now); len(names) != 0 || next.Sub(now) > lookEvery || next.Sub(now) < lookEvery-10*time.Second {
		t.Errorf("due are %v, the next in %v", names, next.Sub(now))
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	names, _ := w.due(now.Add(lookEvery))
	if len(names) != 1 {
		t.Fatalf("due are %v after a minute", names)
	}
	w.look(t.Context(), names[0])
	if len(seen) != 1 || seen[0] == before {
		t.Errorf("seen: %v; it was %s", seen, before)
	}
	dir, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if state, err := collect.DatabaseState(dir); err != nil || state != seen[0] {
		t.Errorf("state = %s, %v", state, err)
	}
	if _, next := w.due(now); next.IsZero() {
		t.Error("it is not looked at again")
	}
}

// A tree that is never quiet is looked at all the same.
func TestTreeThatIsNeverQuiet(t *testing.T) {
	w := New(time.Second, func(string, string) {})
	start := time.Now()
	w.trees["host"] = &tree{}
	for at := start; at.Before(start.Add(10 * time.Second)); at = at.Add(100 * time.Millisecond) {
		w.touch("host", at)
		if names, next := w.due(at); len(names) > 0 {
			if at.Sub(start) < longest*time.Second {
				t.Errorf("looked at after %v", at.Sub(start))
			}
			return
		} else if next.IsZero() {
			t.Fatal("it is not due at all")
		}
	}
	t.Error("it was never looked at")
}

// A tree that nobody touches is never due.
func TestQuietTree(t *testing.T) {
	w := New(0, func(string, string) {})
	w.trees["host"] = &tree{}
	if names, next := w.due(time.Now()); len(names) != 0 || !next.IsZero() {
		t.Errorf("due are %v, the next at %v", names, next)
	}
}
