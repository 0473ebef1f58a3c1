package fleet_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
)

// A heartbeat that says nothing new is noted all the same, and changes nothing else.
func TestHeartbeatThatSaysTheSame(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.register("web-1").Node
		h.setLabels(node, fleet.LabelChange{Set: map[string]string{"team": "a"}})
		before := h.node(node)
		h.clock.Advance(time.Minute)
		out, err := h.Heartbeat(t.Context(), node, facts("web-1"))
		if err != nil || out.Seconds != 30 || out.Shared || out.Commands {
			t.Errorf("heartbeat = %+v, %v", out, err)
		}
		after := h.node(node)
		if !after.LastSeen.Equal(noon.Add(time.Minute)) || after.Labels["team"] != "a" || after.Name != before.Name || after.Kernel != before.Kernel {
			t.Errorf("node = %+v; before it was %+v", after, before)
		}
		changed := facts("web-1")
		changed.Kernel, changed.Labels = "6.2", map[string]string{"env": "test"}
		for range 2 {
			h.clock.Advance(time.Minute)
			if _, err := h.Heartbeat(t.Context(), node, changed); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.node(node); n.Kernel != "6.2" || n.Labels["env"] != "test" || n.Labels["team"] != "a" || !n.LastSeen.Equal(noon.Add(3*time.Minute)) {
			t.Errorf("node = %+v", n)
		}
		_, err = h.Heartbeat(t.Context(), "no-such-node", facts("web-1"))
		wantProblem(t, err, problem.KindNotFound)
	})
}

// Many that come together share transactions, and each has its own answer.
func TestHeartbeatsTogether(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		const count = 100
		fleet.Gather(h.Service, 100*time.Millisecond)
		nodes := make([]string, count)
		for i := range nodes {
			nodes[i] = h.register(fmt.Sprint("web-", i)).Node
		}
		h.clock.Advance(time.Minute)
		before := h.db.Stats().Committed
		var beating sync.WaitGroup
		for i, node := range nodes {
			beating.Go(func() {
				f := facts(fmt.Sprint("web-", i))
				if i == 0 {
					f.Kernel = "6.2" // something new, among all those
				}
				if _, err := h.Heartbeat(t.Context(), node, f); err != nil {
					t.Error(err)
				}
			})
		}
		beating.Wait()
		if n := h.db.Stats().Committed - before; n >= count {
			t.Errorf("%d heartbeats took %d transactions", count, n)
		}
		for _, node := range nodes {
			if n := h.node(node); !n.LastSeen.Equal(noon.Add(time.Minute)) || (n.Kernel == "6.2") != (node == nodes[0]) {
				t.Errorf("node = %+v", n)
			}
		}
	})
}

// Who shows another's credential is told, the other is told, and people are.
func TestSharedCredentialIsAudited(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		original := h.instance("i-1")
		issued := original.register()
		clone := *original
		clone.facts.Name, clone.facts.Session, clone.facts.Machine = "web-2", "process of the clone", h.instance("i-2").facts.Machine
		principal, known, err := h.auth.Identify(t.Context(), issued.Credential)
		if err != nil || !known {
			t.Fatal(known, err)
		}
		ctx := access.WithAddress(access.With(t.Context(), principal), "192.0.2.7")
		for range 3 {
			_, err := h.Heartbeat(ctx, issued.Node, clone.facts)
			wantProblem(t, err, problem.KindConflict)
		}
		original.wantBeat(issued.Node, false, true)
		var kind, address, name, after string
		row := h.db.Read().QueryRowContext(t.Context(), `SELECT actor_kind, address, subject, after_state FROM audit WHERE action = 'agent.credential_shared' AND subject_id = $1`, issued.Node)
		if err := row.Scan(&kind, &address, &name, &after); err != nil {
			t.Fatal(err)
		}
		if kind != "agent" || address != "192.0.2.7" || name != "web-1" {
			t.Errorf("audited: %s at %s of %s: %s", kind, address, name, after)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE action = 'agent.credential_shared'`); n != 1 {
			t.Errorf("%d entries; want one", n)
		}
	})
}
