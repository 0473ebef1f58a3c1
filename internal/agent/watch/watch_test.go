package watch_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/agent/watch"
	"patrol/internal/collect"
)

const (
	settle   = 20 * time.Millisecond
	patience = 30 * time.Second
)

// host is a tree that is watched.
type host struct {
	t    *testing.T
	root string
	seen chan string // the states that were handed on
	*watch.Watcher
}

// watched watches a tree that holds these directories.
func watched(t *testing.T, directories ...string) host {
	t.Helper()
	h := host{t: t, root: t.TempDir(), seen: make(chan string, 1000)}
	for _, dir := range directories {
		h.mkdir(dir)
	}
	h.Watcher = watch.New(settle, func(name, state string) {
		if name != "host" {
			t.Errorf("%q was looked at", name)
		}
		h.seen <- state
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	state, err := h.Add(t.Context(), "host", func(context.Context) (*os.Root, error) { return os.OpenRoot(h.root) })
	if err != nil || state != h.state() {
		t.Fatalf("Add = %q, %v", state, err)
	}
	return h
}

func (h host) mkdir(dir string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Join(h.root, dir), 0o755); err != nil {
		h.t.Fatal(err)
	}
}

func (h host) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.root, name), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// replace writes a file as dpkg does: beside the old one, and then in its place.
func (h host) replace(name, text string) {
	h.t.Helper()
	h.write(name+"-new", text)
	h.rename(name+"-new", name)
}

func (h host) rename(from, to string) {
	h.t.Helper()
	if err := os.Rename(filepath.Join(h.root, from), filepath.Join(h.root, to)); err != nil {
		h.t.Fatal(err)
	}
}

func (h host) state() string {
	h.t.Helper()
	root, err := os.OpenRoot(h.root)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	state, err := collect.DatabaseState(root)
	if err != nil {
		h.t.Fatal(err)
	}
	return state
}

// wantNews waits until the tree was looked at as it is now.
func (h host) wantNews(what string) {
	h.t.Helper()
	now := h.state()
	deadline := time.After(patience)
	for {
		select {
		case state := <-h.seen:
			if state == now {
				return
			}
		case <-deadline:
			h.t.Fatalf("%s was not noticed", what)
		}
	}
}

func TestEveryKindOfDatabase(t *testing.T) {
	for name, test := range map[string]struct {
		directories []string
		change      func(h host)
	}{
		"dpkg replaces its status":   {[]string{"var/lib/dpkg"}, func(h host) { h.replace("var/lib/dpkg/status", "new") }},
		"distroless has a directory": {[]string{"var/lib/dpkg/status.d"}, func(h host) { h.write("var/lib/dpkg/status.d/base", "new") }},
		"apk replaces its list":      {[]string{"lib/apk/db"}, func(h host) { h.replace("lib/apk/db/installed", "new") }},
		"rpm writes SQLite":          {[]string{"var/lib/rpm"}, func(h host) { h.write("var/lib/rpm/rpmdb.sqlite", "new") }},
		"rpm writes a log of SQLite": {[]string{"usr/lib/sysimage/rpm"}, func(h host) { h.write("usr/lib/sysimage/rpm/rpmdb.sqlite-wal", "new") }},
		"rpm writes ndb":             {[]string{"usr/lib/sysimage/rpm"}, func(h host) { h.write("usr/lib/sysimage/rpm/Packages.db", "new") }},
		"pacman makes a directory":   {[]string{"var/lib/pacman/local"}, func(h host) { h.mkdir("var/lib/pacman/local/zlib-1:1.3.1-2") }},
		"opkg writes its status":     {[]string{"usr/lib/opkg"}, func(h host) { h.write("usr/lib/opkg/status", "new") }},
	} {
		t.Run(name, func(t *testing.T) {
			h := watched(t, test.directories...)
			test.change(h)
			h.wantNews(name)
		})
	}
}

// A tree that had no package manager gets one, level by level.
func TestDirectoriesThatCome(t *testing.T) {
	h := watched(t)
	h.mkdir("var")
	h.mkdir("var/lib")
	h.mkdir("var/lib/dpkg")
	h.replace("var/lib/dpkg/status", "first")
	h.wantNews("the first database")
	h.replace("var/lib/dpkg/status", "a second one")
	h.wantNews("its change")
}

// A directory is put in another's place, as by a restored backup.
func TestDirectoryIsReplaced(t *testing.T) {
	h := watched(t, "var/lib/dpkg", "var/lib/restored")
	h.write("var/lib/restored/status", "from the backup")
	h.rename("var/lib/dpkg", "var/lib/before")
	h.rename("var/lib/restored", "var/lib/dpkg")
	h.wantNews("the restored database")
	h.replace("var/lib/dpkg/status", "and after an upgrade")
	h.wantNews("its change")
}

// Through links that stay in the tree a database is found; through others nothing is.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	h := watched(t, "usr/lib/sysimage/rpm", "var/lib")
	for link, target := range map[string]string{"var/lib/rpm": "../../usr/lib/sysimage/rpm", "var/lib/dpkg": outside} {
		if err := os.Symlink(target, filepath.Join(h.root, link)); err != nil {
			t.Fatal(err)
		}
	}
	h.wantNews("the links")
	before := h.state()
	if err := os.WriteFile(filepath.Join(outside, "status"), []byte("of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if h.state() != before {
		t.Error("what is outside of the tree counts")
	}
	h.write("usr/lib/sysimage/rpm/rpmdb.sqlite", "new")
	h.wantNews("the database behind the link")
}

// What only reads a database changes nothing of its state.
func TestWhatIsNoChange(t *testing.T) {
	h := watched(t, "var/lib/rpm", "var/lib/dpkg")
	h.write("var/lib/rpm/rpmdb.sqlite", "packages")
	h.wantNews("the database")
	before := h.state()
	for name, text := range map[string]string{"rpmdb.sqlite-shm": "index", "rpmdb.sqlite-wal": "", ".rpm.lock": "", "__db.001": "region"} {
		h.write("var/lib/rpm/"+name, text)
	}
	h.write("var/lib/dpkg/lock-frontend", "")
	if h.state() != before {
		t.Error("a lock counts as a change")
	}
}

func TestBurstIsLookedAtOnce(t *testing.T) {
	h := watched(t, "var/lib/dpkg")
	for range 200 {
		h.replace("var/lib/dpkg/status", time.Now().String())
	}
	h.wantNews("the last of many changes")
	if looks := len(h.seen); looks > 0 {
		t.Errorf("%d looks after the last", looks)
	}
}

// When the kernel's notices cannot be read any more, what changed meanwhile is seen, and
// what changes afterwards is noticed.
func TestReadingFails(t *testing.T) {
	h := watched(t, "var/lib/dpkg")
	if err := h.FailReading(); err != nil {
		t.Fatal(err)
	}
	// The first two may be seen by the looks at its end and at the new beginning.
	for _, change := range []string{"the first change", "the second change", "a change that was watched"} {
		h.replace("var/lib/dpkg/status", change)
		h.wantNews(change)
	}
}

func TestRemovedTreeIsNotLookedAt(t *testing.T) {
	h := watched(t, "var/lib/dpkg")
	h.replace("var/lib/dpkg/status", "new")
	h.wantNews("the change")
	h.Remove("host")
	h.replace("var/lib/dpkg/status", "newer")
	// What is added now settles later than what was removed would have.
	_, err := h.Add(t.Context(), "host", func(context.Context) (*os.Root, error) { return os.OpenRoot(h.root) })
	if err != nil {
		t.Fatal(err)
	}
	h.replace("var/lib/dpkg/status", "the newest of all")
	h.wantNews("what came after")
	if len(h.seen) > 0 {
		t.Errorf("the removed tree was looked at")
	}
}
