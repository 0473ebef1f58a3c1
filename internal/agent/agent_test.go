package agent_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patrol/internal/agent"
	"patrol/internal/fleet"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

func TestRegisterAndRestart(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	node, stop := m.registered()
	n := h.nodes()[0]
	if n.State != fleet.Active || n.Name == "" || n.Distribution.ID != "debian" || n.Distribution.Version != "12" || n.Labels["env"] != "test" || n.AgentVersion != "test" {
		t.Errorf("node = %+v", n)
	}
	stop()
	info, err := os.Stat(filepath.Join(m.dataDir, "agent.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the identity has mode %v, %v; want 0600", info.Mode(), err)
	}
	before := m.identity()
	if before.Node != node || before.Credential == "" {
		t.Errorf("identity = %+v; want the node %s", before, node)
	}
	// The enrolment token is not needed any more.
	m.run("")
	h.finished(h.startScan(node), scan.Complete)
	if after := m.identity(); after != before || len(h.nodes()) != 1 {
		t.Errorf("identity = %+v; want %+v; there are %d nodes", after, before, len(h.nodes()))
	}
}

func TestLostAnswerOfRegister(t *testing.T) {
	t.Parallel() // it waits for a backoff or a lease
	h := newHouse(t)
	h.network.set(func(n *network) { n.lose = "/wire/v1/register" })
	m := h.machine()
	node, _ := m.registered()
	h.finished(h.startScan(node), scan.Complete)
	if nodes := h.nodes(); len(nodes) != 1 || m.identity().Node != node {
		t.Errorf("nodes = %+v; want one, %s", nodes, m.identity().Node)
	}
}

func TestRunRefuses(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	wantSays(t, agent.Run(t.Context(), m.options("")), "--enrolment-token")
	wantSays(t, agent.Run(t.Context(), m.options("wrong")), "the enrolment token is wrong or was revoked")
	if err := os.WriteFile(filepath.Join(m.dataDir, "agent.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantSays(t, agent.Run(t.Context(), m.options(h.enrolment())), "agent.json")
}

// The console took the credential back while the agent was away.
func TestRevokedCredential(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	node, stop := m.registered()
	stop()
	before := m.identity()
	thief := &wire.Client{Console: h.api.Console, HTTP: http.DefaultClient}
	if _, err := thief.Register(t.Context(), h.enrolment(), wire.RegisterRequest{Key: before.Key, Facts: wire.Facts{Protocol: wire.Version, Name: "x"}}); err != nil {
		t.Fatal(err)
	}
	m.run(h.enrolment())
	h.finished(h.startScan(node), scan.Complete)
	if after := m.identity(); after.Node != node || after.Credential == before.Credential || len(h.nodes()) != 1 {
		t.Errorf("identity = %+v; want the node %s with another credential; there are %d nodes", after, node, len(h.nodes()))
	}
}

// An agent that is told of another console is a new node there, and never shows
// it the credential of the first.
func TestMovedToAnotherConsole(t *testing.T) {
	h, other := newHouse(t), newHouse(t)
	m := h.machine()
	_, stop := m.registered()
	stop()
	before := m.identity()
	m.h, m.console = other, other.api.Console
	node, _ := m.registered()
	other.finished(other.startScan(node), scan.Complete)
	if after := m.identity(); after.Node != node || after.Node == before.Node || after.Credential == before.Credential || after.Console != other.proxy.URL {
		t.Errorf("identity = %+v; before it was %+v", after, before)
	}
}

// A console that is reached at another address is the same console.
func TestConsoleHasAnotherAddress(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	node, stop := m.registered()
	stop()
	h.network.set(func(n *network) { m.console = n.target })
	m.run(h.enrolment())
	h.finished(h.startScan(node), scan.Complete)
	if id := m.identity(); id.Node != node || len(h.nodes()) != 1 {
		t.Errorf("identity = %+v; want the node %s; there are %d", id, node, len(h.nodes()))
	}
}

func TestConsoleRestart(t *testing.T) {
	t.Parallel() // it waits for a backoff or a lease
	h := newHouse(t)
	m := h.machine()
	node, _ := m.registered()
	h.finished(h.startScan(node), scan.Complete)
	h.end()
	h.start()
	h.finished(h.startScan(node), scan.Complete)
	if len(h.nodes()) != 1 {
		t.Errorf("%d nodes; want 1", len(h.nodes()))
	}
}

func TestConsoleRestartDuringAScan(t *testing.T) {
	t.Parallel() // it waits for a backoff or a lease
	h := newHouse(t)
	node, _ := h.machine().registered()
	held, release := h.network.hold()
	id := h.startScan(node)
	await(t, "the document is uploaded", held)
	h.end()
	close(release) // to nobody
	h.start()
	if s := h.finished(id, scan.Complete); s.Components != 2 {
		t.Errorf("scan = %+v", s)
	}
}

func TestAgentKilledDuringAScan(t *testing.T) {
	t.Parallel() // it waits for a backoff or a lease
	h := newHouse(t)
	m := h.machine()
	node, stop := m.registered()
	held, release := h.network.hold()
	id := h.startScan(node)
	await(t, "the document is uploaded", held)
	stop()
	close(release)
	m.run("")
	s := h.finished(id, scan.Complete)
	if !strings.HasPrefix(s.InventoryDigest, "sha256:") {
		t.Errorf("scan = %+v", s)
	}
}
