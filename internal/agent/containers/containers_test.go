package containers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"patrol/internal/wire"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	if got := Find(root); len(got) != 0 {
		t.Errorf("found %q where nothing is", got)
	}
	for _, dir := range []string{"run/k3s/containerd", "run/crio", "var"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, socket := range []string{"run/docker.sock", "run/k3s/containerd/containerd.sock"} {
		l, err := net.Listen("unix", filepath.Join(root, socket))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
	}
	if err := os.WriteFile(filepath.Join(root, "run/crio/crio.sock"), nil, 0o600); err != nil { // no socket
		t.Fatal(err)
	}
	if err := os.Symlink("../run", filepath.Join(root, "var/run")); err != nil { // Docker's twice
		t.Fatal(err)
	}
	want := []string{"docker:" + filepath.Join(root, "run/docker.sock"), "containerd:" + filepath.Join(root, "run/k3s/containerd/containerd.sock")}
	if got := Find(root); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestOpen(t *testing.T) {
	for _, name := range []string{"docker:/a", "containerd:/a", "cri:/a"} {
		if r, err := Open(name); err != nil || r.Name() != name {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	for _, name := range []string{"", "docker", "docker:", "docker:a", "podman:/a", "/a"} {
		if _, err := Open(name); err == nil || !strings.Contains(err.Error(), "docker:SOCKET") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What a container is called and labelled is its owner's choice, and may be much.
func TestChildIsBounded(t *testing.T) {
	labels := map[string]string{"long": strings.Repeat("x", 1000), strings.Repeat("y", 1000): "z", "bad": "\xff"}
	for i := range 100 {
		labels[fmt.Sprintf("label-%03d", i)] = "x"
	}
	c := child(wire.Child{Name: strings.Repeat("ü", 1000), Image: wire.Image{Reference: strings.Repeat("x", 1000)}},
		map[string]string{podLabel: "web-1"}, labels, map[string]string{podLabel: "forged"})
	if len(c.Labels) != maxLabels || c.Labels[podLabel] != "web-1" || c.Labels["bad"] != "\uFFFD" || len(c.Name) > maxText || !utf8.ValidString(c.Name) || len(c.Image.Reference) > maxText {
		t.Errorf("child = %+v", c)
	}
}

func TestBetterName(t *testing.T) {
	const tag, digest, id = "docker.io/library/shop:1", "docker.io/library/shop@sha256:12", "sha256:34"
	for _, names := range [][]string{{tag, digest, id}, {id, digest, tag}, {digest, tag, id}} {
		best := ""
		for _, name := range names {
			best = better(best, name)
		}
		if best != tag {
			t.Errorf("%q: %q", names, best)
		}
	}
}

// A process that has this machine's root is no container's.
func TestRootOfTheHost(t *testing.T) {
	if _, err := openRoot(os.Getpid()); err == nil || !strings.Contains(err.Error(), "this machine's own root") {
		t.Errorf("error = %v", err)
	}
	if _, err := openRoot(1 << 30); err == nil || !strings.Contains(err.Error(), "process namespace") {
		t.Errorf("error = %v", err)
	}
}
