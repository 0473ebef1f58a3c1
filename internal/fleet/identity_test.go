package fleet_test

import (
	"errors"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/wire"
)

// machine is a machine as its agent tells of it.
type machine struct {
	h     house
	key   string
	facts wire.Facts
}

// instance is a machine on AWS.
func (h house) instance(id string) *machine {
	m := &machine{h, "key of the agent on " + id, facts("web-1")}
	m.facts.Session = "first process on " + id
	m.facts.Machine.Cloud = wire.Cloud{Provider: "aws", Account: "123456789012", Region: "eu-central-1", Zone: "eu-central-1a", Instance: id, InstanceType: "m7g.large"}
	return m
}

// metal is a machine without a cloud.
func (h house) metal(hardware, machineID string) *machine {
	m := &machine{h, "key of the agent on " + hardware + machineID, facts("web-1")}
	m.facts.Session, m.facts.MachineID = "first process on "+hardware, machineID
	m.facts.Machine.HardwareID = hardware
	return m
}

func (m *machine) register() wire.RegisterResponse {
	m.h.t.Helper()
	out, err := m.h.Register(m.h.t.Context(), wire.RegisterRequest{Key: m.key, Facts: m.facts})
	if err != nil {
		m.h.t.Fatal(err)
	}
	return out
}

// beat sends a heartbeat half a minute after the one before.
func (m *machine) beat(node string) (wire.HeartbeatResponse, error) {
	m.h.clock.Advance(fleet.HeartbeatInterval / 2)
	return m.h.Heartbeat(m.h.t.Context(), node, m.facts)
}

func (m *machine) wantBeat(node string, refused, shared bool) {
	m.h.t.Helper()
	out, err := m.beat(node)
	var p *problem.Error
	if err != nil && !errors.As(err, &p) {
		m.h.t.Fatal(err)
	}
	if (err != nil) != refused || (p != nil && p.Kind != problem.KindConflict) {
		m.h.t.Errorf("heartbeat of %q: %v; refused should be %v", m.facts.Session, err, refused)
	}
	if !refused && out.Shared != shared {
		m.h.t.Errorf("heartbeat of %q is told of another: %v; want %v", m.facts.Session, out.Shared, shared)
	}
}

func (m *machine) restarted() *machine {
	again := *m
	again.facts.Session = "another process: " + m.facts.Session
	return &again
}

func (m *machine) withKey(key string) *machine {
	other := *m
	other.key = key
	return &other
}

func (h house) wantNodes(want int) {
	h.t.Helper()
	if n := dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM node`); n != want {
		h.t.Errorf("%d nodes; want %d", n, want)
	}
}

func TestCloudIdentity(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		m := h.instance("i-1")
		node := m.register().Node
		if n := h.node(node); n.Cloud == nil || *n.Cloud != m.facts.Machine.Cloud {
			t.Errorf("cloud = %+v; want %+v", n.Cloud, m.facts.Machine.Cloud)
		}
		// The metadata service does not answer for a while: it is that instance still.
		silent := *m
		silent.facts.Machine.Cloud = wire.Cloud{}
		silent.wantBeat(node, false, false)
		if n := h.node(node); n.Cloud == nil || n.Cloud.Instance != "i-1" {
			t.Errorf("cloud = %+v", n.Cloud)
		}
		if n := h.node(h.metal("", "").register().Node); n.Cloud != nil {
			t.Errorf("a machine without a cloud has %+v", n.Cloud)
		}
	})
}

// An agent that lost its data is the same node on the same cloud instance, at once
// and however often it asks.
func TestOneRegistrationOfAnInstance(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first := h.instance("i-1")
		before := first.register()
		rebuilt := first.restarted().withKey("key that was made after the data was lost")
		again := rebuilt.register()
		repeated := rebuilt.register() // the answer was lost
		if again.Node != before.Node || repeated.Node != before.Node {
			t.Fatalf("nodes %s, %s, %s; want one", before.Node, again.Node, repeated.Node)
		}
		for credential, want := range map[string]bool{before.Credential: false, again.Credential: false, repeated.Credential: true} {
			if _, good, err := h.auth.Identify(t.Context(), credential); err != nil || good != want {
				t.Errorf("credential is good: %v, %v; want %v", good, err, want)
			}
		}
		rebuilt.wantBeat(before.Node, false, false)
		if n := h.events("node.reregistered", before.Node); n != 2 {
			t.Errorf("%d events; want 2", n)
		}
		if other := h.instance("i-2").register(); other.Node == before.Node {
			t.Error("another instance is the same node")
		}
		azure := h.instance("i-1")
		azure.key, azure.facts.Machine.Cloud.Provider = "key of an agent on Azure", "azure"
		if other := azure.register(); other.Node == before.Node {
			t.Error("another cloud's instance of that id is the same node")
		}
		h.wantNodes(3)
	})
}

// Without a cloud, only a machine whose node is silent is taken for it.
func TestMachineThatLostItsData(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		m := h.metal("hardware-1", "machine-1")
		node := m.register().Node
		clone := m.restarted().withKey("key of a clone of the machine")
		if other := clone.register().Node; other == node {
			t.Error("a machine with the same ids is the same node while that is there")
		}
		h.wantNodes(2)
		h.clock.Advance(time.Hour)
		rebuilt := m.restarted().withKey("key that was made after the data was lost")
		first, repeated := rebuilt.register().Node, rebuilt.register().Node
		if first != repeated {
			t.Errorf("asked again it is %s, not %s", repeated, first)
		}
		h.wantNodes(2)
		for _, other := range []*machine{h.metal("hardware-1", "machine-2"), h.metal("hardware-2", "machine-1"), h.metal("", "machine-1"), h.metal("hardware-1", "")} {
			other.register()
		}
		h.wantNodes(6)
	})
}

// An image with an agent's data in it starts as another cloud instance.
func TestCloneOfAnInstance(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		original := h.instance("i-1")
		node := original.register().Node
		clone := h.instance("i-2").withKey(original.key)
		clone.facts.Name = "web-2"
		original.wantBeat(node, false, false)
		clone.wantBeat(node, true, false)
		clone.wantBeat(node, true, false)
		original.wantBeat(node, false, true)
		if n := h.node(node); n.Name != "web-1" || n.Cloud.Instance != "i-1" {
			t.Errorf("the clone changed the node to %+v", n)
		}
		if n := h.events("node.credential_shared", node); n != 1 {
			t.Errorf("%d events; want 1", n)
		}
		// It registers, with the key that it was cloned with, and is a node of its own
		// from then on.
		own, repeated := clone.register(), clone.register()
		if own.Node == node || own.Node != repeated.Node {
			t.Errorf("the clone of node %s got %s, then %s", node, own.Node, repeated.Node)
		}
		original.wantBeat(node, false, true)
		clone.wantBeat(own.Node, false, false)
		h.wantNodes(2)
	})
}

// Whoever comes when the other is gone has the node: a machine was moved.
func TestMovedInstance(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		original := h.instance("i-1")
		node := original.register().Node
		moved := h.instance("i-2")
		moved.wantBeat(node, true, false)
		h.clock.Advance(3 * fleet.HeartbeatInterval)
		moved.wantBeat(node, false, false)
		if n := h.node(node); n.State != fleet.Active || n.Cloud.Instance != "i-2" {
			t.Errorf("node = %+v", n)
		}
		original.wantBeat(node, true, false)
	})
}

// Of two copies that nothing else tells apart, the one that came later is refused
// once the first has come back.
func TestTwoProcessesTakeTurns(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first := h.metal("", "machine-1")
		node := first.register().Node
		second := first.restarted()
		second.wantBeat(node, false, false) // a restarted agent is nothing else
		first.wantBeat(node, false, true)
		second.wantBeat(node, true, false)
		first.wantBeat(node, false, true)
		second.wantBeat(node, true, false)
		third := second.restarted()
		third.wantBeat(node, false, true)
		first.wantBeat(node, false, true)
		third.wantBeat(node, true, false)
		second.wantBeat(node, true, false)
		if n := h.events("node.credential_shared", node); n != 2 {
			t.Errorf("%d events; want one for each that was refused", n)
		}
	})
}

func TestRestartIsNoClone(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		m := h.metal("hardware-1", "machine-1")
		node := m.register().Node
		for range 40 {
			before := m
			m = m.restarted()
			m.facts.Session = m.facts.Session[len("another process: "):] + "'"
			m.wantBeat(node, false, false)
			// A heartbeat of the one before was on its way when that ended.
			if out, err := h.Heartbeat(t.Context(), node, before.facts); err != nil || out.Shared {
				t.Fatalf("a late heartbeat gave %+v, %v", out, err)
			}
			m.wantBeat(node, false, false)
		}
		if n := h.events("node.credential_shared", node); n != 0 {
			t.Errorf("%d events; want none", n)
		}
	})
}

// Agents of before know no sessions.
func TestNoSession(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		m := h.metal("", "")
		m.facts.Session = ""
		node := m.register().Node
		m.wantBeat(node, false, false)
		m.wantBeat(node, false, false)
	})
}
