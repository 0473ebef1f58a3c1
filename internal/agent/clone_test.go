package agent_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/agent"
	"patrol/internal/agent/cloud"
	"patrol/internal/client"
	"patrol/internal/fleet"
	"patrol/internal/platform/audit"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// instance tells a machine that it is that instance.
func instance(id string, labels map[string]string) func(context.Context) (cloud.Identity, bool) {
	return func(context.Context) (cloud.Identity, bool) {
		return cloud.Identity{Cloud: wire.Cloud{Provider: "aws", Account: "123456789012", Instance: id}, Labels: labels}, true
	}
}

// cloned is a copy of a machine, the agent's data and all.
func (m *machine) cloned() *machine {
	m.h.t.Helper()
	clone := m.h.machine()
	if err := os.CopyFS(clone.dataDir, os.DirFS(m.dataDir)); err != nil {
		m.h.t.Fatal(err)
	}
	return clone
}

func (h *house) nodeOf(instance string) (found fleet.Node, ok bool) {
	h.t.Helper()
	for _, n := range h.nodes() {
		if n.Cloud != nil && n.Cloud.Instance == instance {
			return n, true
		}
	}
	return found, false
}

func TestCloudOfAnAgent(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	m.cloud = instance("i-1", map[string]string{"env": "cloud", "team": "a"})
	node, stop := m.registered()
	n, ok := h.nodeOf("i-1")
	if !ok || n.ID != node || n.Labels["team"] != "a" || n.Labels["env"] != "test" || n.LabelOrigins["team"] != fleet.FromCloud {
		t.Errorf("node = %+v", n)
	}
	// The agent's data is lost; the instance is not.
	stop()
	if err := os.RemoveAll(m.dataDir); err != nil {
		t.Fatal(err)
	}
	m.run(h.enrolment())
	h.finished(h.startScan(node), scan.Complete)
	if id := m.identity(); id.Node != node || len(h.nodes()) != 1 {
		t.Errorf("the instance is the node %s, not %s; there are %d", id.Node, node, len(h.nodes()))
	}
}

// A clone with an enrolment token becomes a node of its own; the original goes on.
func TestCloneRegisters(t *testing.T) {
	h := newHouse(t)
	original := h.machine()
	original.cloud = instance("i-1", nil)
	node, _ := original.registered()
	before := original.identity()
	clone := original.cloned()
	clone.cloud = instance("i-2", nil)
	clone.run(h.enrolment())
	eventually(t, "the clone registers", func() bool { _, ok := h.nodeOf("i-2"); return ok })
	own, _ := h.nodeOf("i-2")
	h.finished(h.startScan(own.ID), scan.Complete)
	h.finished(h.startScan(node), scan.Complete)
	if original.identity() != before || len(h.nodes()) != 2 || clone.identity().Key == before.Key {
		t.Errorf("nodes = %+v", h.nodes())
	}
}

// A clone without a token does nothing, and above all not the original's work.
func TestCloneWithoutAToken(t *testing.T) {
	h := newHouse(t)
	original := h.machine()
	original.cloud = instance("i-1", nil)
	node, stop := original.registered()
	clone := original.cloned()
	clone.cloud = instance("i-2", nil)
	stop()
	clone.run("")
	eventually(t, "the clone is refused", func() (refused bool) {
		// Counting begins anew until then: what the original was about to ask may
		// still be on its way.
		h.network.set(func(n *network) { refused, n.count, n.counted = n.conflicts > 0, "/wire/v1/commands/claim", 0 })
		return refused
	})
	var claims int
	h.network.set(func(n *network) { claims = n.counted })
	if n := h.nodes(); claims != 0 || len(n) != 1 || n[0].ID != node || n[0].Cloud.Instance != "i-1" {
		t.Errorf("the clone asked %d times for something to do; nodes = %+v", claims, n)
	}
}

// Both agents of one credential say so in their logs, and so does the audit log.
func TestBothAreToldOfTheOther(t *testing.T) {
	said := logged(t)
	h := newHouse(t)
	original := h.machine()
	original.cloud, original.heartbeat = instance("i-1", nil), 100*time.Millisecond
	node, _ := original.registered()
	clone := original.cloned()
	clone.cloud = instance("i-2", nil)
	clone.run("")
	eventually(t, "the clone is told", func() bool {
		return said.has("another agent uses this agent's credential: this machine is a clone of the other")
	})
	eventually(t, "the original is told", func() bool {
		return said.has("another machine came with this agent's credential, and was refused")
	})
	var entries []audit.Entry
	for e, err := range client.List[audit.Entry](t.Context(), h.api, "audit", nil) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == "agent.credential_shared" {
			entries = append(entries, e)
		}
	}
	if len(entries) != 1 || entries[0].Subject.ID != node || entries[0].Actor.Kind != "agent" || entries[0].Address == "" || !strings.Contains(string(entries[0].After), "aws/i-2") {
		t.Errorf("the audit log has %+v", entries)
	}
}

// lines are those of a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// logged keeps what is logged until the test ends.
func logged(t *testing.T) *lines {
	t.Helper()
	l, before := new(lines), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(l, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

func TestTwoAgentsWithOneDirectory(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	_, stop := m.registered()
	wantSays(t, agent.Run(t.Context(), m.options("")), "another agent runs with the data in "+m.dataDir)
	stop()
	if _, err := os.Stat(filepath.Join(m.dataDir, "agent.lock")); err != nil {
		t.Error(err)
	}
}
