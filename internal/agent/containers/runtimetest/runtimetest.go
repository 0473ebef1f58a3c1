// Package runtimetest starts container runtimes for tests: real daemons, each with
// directories and a socket of its own, which end with the test. They need root,
// and the programs of Debian's docker.io.
package runtimetest

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a daemon may take to do what it is asked.
const patience = time.Minute

// start runs a daemon until the test ends; answers tells when it can be asked.
func start(t *testing.T, answers func() bool, name string, args ...string) (stop func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatalf("%s needs root", name)
	}
	daemon := exec.Command(name, args...)
	var said bytes.Buffer
	daemon.Stdout, daemon.Stderr = &said, &said
	if err := daemon.Start(); err != nil {
		t.Fatalf("%v: install docker.io", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = daemon.Wait() // how it ends matters only below, where what it said tells
	}()
	stop = sync.OnceFunc(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	t.Cleanup(stop)
	Eventually(t, name+" answers", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", name, said.String())
		default:
		}
		return answers()
	})
	return stop
}

// Eventually waits for what a daemon, or another goroutine, brings about.
func Eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited %v, and not: %s", patience, what)
		case <-tick.C:
		}
	}
}

var pause = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "pause")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", filepath.Join(dir, "pause"), "patrol/internal/agent/containers/runtimetest/pause")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "pause"))
})

// Tar is the archive of a root file system: /pause, which runs until it is told to
// stop, and those files.
func Tar(t *testing.T, files map[string]string) []byte {
	t.Helper()
	program, err := pause()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name string, mode fs.FileMode, content []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: int64(mode), Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	add("pause", 0o755, program)
	for name, content := range files {
		add(name, 0o644, []byte(content))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Debian is the root file system of a small Debian whose package database has one
// package of that version.
func Debian(version string) map[string]string {
	return map[string]string{
		"etc/os-release": "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nNAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
		"var/lib/dpkg/status": strings.Join([]string{
			"Package: libexpat1", "Status: install ok installed", "Maintainer: Debian", "Architecture: amd64",
			"Source: expat", "Version: " + version, "Description: x", "",
		}, "\n"),
	}
}

// Merged is the union of trees; later files win.
func Merged(trees ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, tree := range trees {
		for name, content := range tree {
			all[name] = content
		}
	}
	return all
}
