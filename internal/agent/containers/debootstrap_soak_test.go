//go:build dockerd && soak

package containers_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"patrol/internal/agent/containers/runtimetest"
	"patrol/internal/collect"
)

// A Debian as debootstrap makes it: tree, image and containers have the packages
// that dpkg lists, until a container's own package database changes.
func TestDebootstrap(t *testing.T) {
	tree := filepath.Join(t.TempDir(), "debian")
	if said, err := exec.Command("debootstrap", "--variant=minbase", "bookworm", tree).CombinedOutput(); err != nil {
		t.Fatalf("debootstrap: %v\n%s", err, said)
	}
	names, err := exec.Command("dpkg-query", "--admindir", filepath.Join(tree, "var/lib/dpkg"), "-W", "-f", "${Package}\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Count(string(names), "\n")
	archive, err := exec.Command("tar", "-C", tree, "-c", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := collect.Dir(t.Context(), collect.Options{Root: tree})
	if err != nil || len(want.Document.Components) < packages {
		t.Fatalf("%d components of %d packages, %v", len(want.Document.Components), packages, err)
	}

	d := runtimetest.StartDocker(t)
	d.Import("debian", "12", archive, "sleep", "infinity")
	d.Run("one", "debian:12", nil)
	two := d.Run("two", "debian:12", nil)
	r := open(t, "docker:"+d.Socket)
	children := listed(t, r)
	read := func(name string) *collect.Result {
		began := time.Now()
		found := collected(t, r, children[name])
		t.Logf("%s: %d components, %d files, %v", name, len(found.Document.Components), found.Files, time.Since(began).Round(time.Millisecond))
		return found
	}
	for _, name := range []string{"image debian:12", "container one", "container two"} {
		if got := read(name); digest(got) != digest(want) {
			t.Errorf("%s has another inventory than the tree", name)
		}
	}

	pid, err := r.PID(t.Context(), two)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join("/proc", strconv.Itoa(pid), "root"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if err := root.WriteFile("var/log/app.log", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if digest(read("container two")) != digest(want) {
		t.Error("a file that is no package's made another inventory")
	}
	status, err := root.ReadFile("var/lib/dpkg/status")
	if err == nil {
		err = root.WriteFile("var/lib/dpkg/status", []byte(strings.Replace(string(status), "\nVersion: ", "\nVersion: 9", 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if digest(read("container two")) == digest(want) || digest(read("container one")) != digest(want) {
		t.Error("an upgrade in one container shows in the other, or in none")
	}
}
