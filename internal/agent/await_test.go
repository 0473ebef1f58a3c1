package agent

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A host that cannot be watched when the agent starts is watched once it can be.
func TestHostThatCannotBeWatchedYet(t *testing.T) {
	root := filepath.Join(t.TempDir(), "mounted later")
	p := newPackages(Options{Settle: 20 * time.Millisecond}, "node")
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := p.watchHost(ctx, root)
	if failed == nil {
		t.Fatal("what is not there is watched")
	}
	running.Go(func() { p.watcher.Run(ctx) })
	if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.awaitHost(ctx, root, failed)
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.news:
	case <-time.After(time.Minute):
		t.Error("the change was not noticed")
	}
}
