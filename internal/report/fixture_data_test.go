//go:build shareddata

package report_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSharedFixture does with the real feed and the fixture as they were handed
// out what TestSample does with what is committed.
func TestSharedFixture(t *testing.T) {
	root := os.Getenv("PATROL_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	if _, err := os.Stat(root); err != nil {
		t.Fatalf("%v: set PATROL_SHARED", err)
	}
	fixture := filepath.Join(root, "fixtures", "debian12")
	r := scan(t, filepath.Join(fixture, "rootfs"), revision(t, filepath.Join(root, "feeds", "2026-08-21")))
	if r.Feed.Sample {
		t.Error("the feed says that it is the sample")
	}
	wantPairs(t, r, filepath.Join(fixture, "expected.json"))
}
