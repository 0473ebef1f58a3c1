package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/scan"
)

// TestKill kills console and agent while a scan is collecting, and at some other
// instant, and starts both again: the scan completes, once.
func TestKill(t *testing.T) {
	root := largeTree(t)
	for name, instant := range map[string]func(t *testing.T, c *client.Client){
		"while collecting": func(t *testing.T, c *client.Client) {
			eventually(t, "collecting", func() bool { return state(t, c) == scan.Collecting })
		},
		"at any instant": func(*testing.T, *client.Client) { time.Sleep(rand.N(2 * time.Second)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killIn(t, root, instant)
		})
	}
}

func killIn(t *testing.T, root string, instant func(*testing.T, *client.Client)) {
	dir := t.TempDir()
	nowhere := filepath.Join(dir, "nowhere")
	agentDir := filepath.Join(dir, "agent")
	first, c := console(t, dir, nowhere, "127.0.0.1:0")
	firstAgent := agent(t, c, agentDir, root)
	eventually(t, "the node", func() bool { return len(all[fleet.Node](t, c, "nodes", nil)) == 1 })
	node := all[fleet.Node](t, c, "nodes", nil)[0]
	var started scan.Started
	if err := c.Do(t.Context(), "POST", "scans", scan.StartRequest{Nodes: []string{node.ID}}, &started); err != nil {
		t.Fatal(err)
	}
	instant(t, c)
	first.kill(t)
	firstAgent.kill(t)

	// The same address, which is what the agent is bound to.
	second, c := console(t, dir, nowhere, c.Console.Host)
	secondAgent := agent(t, c, agentDir, root)
	eventually(t, "the end of the scan", func() bool { s := state(t, c); return s != scan.Collecting && s != scan.Matching && s != scan.Queued })
	scans := all[scan.Scan](t, c, "scans", nil)
	if len(scans) != 1 || scans[0].ID != started.Items[0].ID || scans[0].State != scan.Complete || scans[0].Components < packages {
		t.Errorf("scans = %+v", scans)
	}
	if nodes := all[fleet.Node](t, c, "nodes", nil); len(nodes) != 1 || nodes[0].ID != node.ID {
		t.Errorf("nodes = %+v", nodes)
	}
	if open := all[finding.Occurrence](t, c, "occurrences", nil); len(open) != fixturePairs {
		t.Errorf("%d occurrences are open, want %d", len(open), fixturePairs)
	}
	second.kill(t)
	secondAgent.kill(t)
	if n := completions(t, dir); n != 1 {
		t.Errorf("the scan was completed %d times", n)
	}
}

// state is that of the only scan.
func state(t *testing.T, c *client.Client) string {
	t.Helper()
	scans := all[scan.Scan](t, c, "scans", nil)
	if len(scans) != 1 {
		t.Fatalf("%d scans, want 1", len(scans))
	}
	return scans[0].State
}

// completions counts what the log says of it.
func completions(t *testing.T, dir string) (n int) {
	t.Helper()
	d, err := db.Open(t.Context(), filepath.Join(dir, "patrol.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	events, err := event.After(t.Context(), d.Read(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Type == "scan.completed" {
			n++
		}
	}
	return n
}

// packages is how many npm packages largeTree has: enough to be killed amid.
const packages = 5000

// largeTree is the fixture with many packages more.
func largeTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(fixture)); err != nil {
		t.Fatal(err)
	}
	for i := range packages {
		dir := filepath.Join(root, "srv", "app", "node_modules", fmt.Sprintf("package-%d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(`{"name": "package-%d", "version": "1.0.%d"}`, i, i%7)
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
