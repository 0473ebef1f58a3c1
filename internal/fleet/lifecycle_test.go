package fleet_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

const day = 24 * time.Hour

func (h house) sweep() {
	h.t.Helper()
	if err := fleet.Sweep(h.Service, h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h house) wantState(node, want string) {
	h.t.Helper()
	if n := h.node(node); n.State != want || n.RetiredAt.IsZero() != (want != fleet.Retired) {
		h.t.Errorf("node is %s, retired at %v; want %s", n.State, n.RetiredAt, want)
	}
}

func (h house) wantEvents(node string, want map[string]int) {
	h.t.Helper()
	for _, kind := range []string{"node.registered", "node.inactive", "node.active", "node.retired", "node.revived"} {
		if n := h.events(kind, node); n != want[kind] {
			h.t.Errorf("%d events %s; want %d", n, kind, want[kind])
		}
	}
}

// retiring has the house tell which nodes are retired.
func (h house) retiring(retention time.Duration, fail error) *[]string {
	told := new([]string)
	h.SetLifecycle(fleet.Lifecycle{Retention: retention, OnRetire: []func(context.Context, *db.Tx, string) error{
		func(_ context.Context, _ *db.Tx, node string) error {
			*told = append(*told, node)
			return fail
		},
	}})
	return told
}

func TestLifecycle(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		told := h.retiring(14*day, nil)
		gone, stays := h.register("gone"), h.register("stays")
		stay := func() {
			if _, err := h.Heartbeat(t.Context(), stays.Node, facts("stays")); err != nil {
				t.Fatal(err)
			}
		}
		h.sweep()
		h.wantEvents(gone.Node, map[string]int{"node.registered": 1})
		h.clock.Advance(time.Hour)
		stay()
		h.sweep()
		h.sweep()
		h.wantState(gone.Node, fleet.Inactive)
		h.wantEvents(gone.Node, map[string]int{"node.registered": 1, "node.inactive": 1})
		h.clock.Advance(14*day - 1)
		stay()
		h.sweep()
		h.wantState(gone.Node, fleet.Inactive)
		h.clock.Advance(1)
		h.sweep()
		h.sweep()
		h.wantState(gone.Node, fleet.Retired)
		h.wantState(stays.Node, fleet.Active)
		if !slices.Equal(*told, []string{gone.Node}) {
			t.Errorf("other rooms were told of %q; want %s", *told, gone.Node)
		}
		for state, want := range map[string][]string{
			"": {"stays"}, fleet.Retired: {"gone"}, "all": {"gone", "stays"}, fleet.Inactive: {}, fleet.Active: {"stays"},
		} {
			if got := h.list(fleet.Query{State: state}, 1); !slices.Equal(got, want) {
				t.Errorf("state %q lists %q; want %q", state, got, want)
			}
		}
		if got, err := h.Select(t.Context(), h.db.Read(), "true"); err != nil || !slices.Equal(got, []string{stays.Node}) {
			t.Errorf("selected %q, %v", got, err)
		}
		// It comes back with the credential that it has.
		if _, good, err := h.auth.Identify(t.Context(), gone.Credential); err != nil || !good {
			t.Errorf("credential is good: %v, %v", good, err)
		}
		if _, err := h.Heartbeat(t.Context(), gone.Node, facts("gone")); err != nil {
			t.Fatal(err)
		}
		h.wantState(gone.Node, fleet.Active)
		h.wantEvents(gone.Node, map[string]int{"node.registered": 1, "node.inactive": 1, "node.retired": 1, "node.revived": 1})
		h.clock.Advance(time.Hour)
		h.sweep()
		if _, err := h.Heartbeat(t.Context(), gone.Node, facts("gone")); err != nil {
			t.Fatal(err)
		}
		h.wantEvents(gone.Node, map[string]int{"node.registered": 1, "node.inactive": 2, "node.active": 1, "node.retired": 1, "node.revived": 1})
		h.wantNodes(2)
	})
}

// What a console did not hear while it was away is no silence of the nodes: their
// time begins when it was noticed.
func TestRetentionCountsFromWhenItWasNoticed(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		told := h.retiring(14*day, nil)
		node := h.register("web-1").Node
		h.clock.Advance(365 * day)
		h.sweep()
		h.wantState(node, fleet.Inactive)
		h.retiring(0, nil)
		h.clock.Advance(365 * day)
		h.sweep()
		h.wantState(node, fleet.Inactive)
		if len(*told) != 0 {
			t.Errorf("told of %q", *told)
		}
	})
}

func TestRetireByHand(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		told := h.retiring(14*day, nil)
		out := h.register("web-1")
		for range 2 {
			if err := h.Retire(t.Context(), out.Node); err != nil {
				t.Fatal(err)
			}
		}
		h.wantState(out.Node, fleet.Retired)
		if len(*told) != 1 {
			t.Errorf("told of %q; want it once", *told)
		}
		if _, good, err := h.auth.Identify(t.Context(), out.Credential); err != nil || good {
			t.Errorf("credential is good: %v, %v; want it ended", good, err)
		}
		if again := h.register("web-1"); again.Node != out.Node {
			t.Errorf("it came back as %s, not %s", again.Node, out.Node)
		}
		h.wantState(out.Node, fleet.Active)
		h.wantEvents(out.Node, map[string]int{"node.registered": 1, "node.retired": 1, "node.revived": 1})
		wantProblem(t, h.Retire(t.Context(), "no-such-node"), problem.KindNotFound)
	})
}

// If another room cannot follow, the node is as it was.
func TestRetireIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		broken := errors.New("broken")
		h.retiring(14*day, broken)
		out := h.register("web-1")
		if err := h.Retire(t.Context(), out.Node); !errors.Is(err, broken) {
			t.Errorf("Retire = %v", err)
		}
		h.wantState(out.Node, fleet.Active)
		if _, good, err := h.auth.Identify(t.Context(), out.Credential); err != nil || !good {
			t.Errorf("credential is good: %v, %v", good, err)
		}
	})
}

func TestManyFallSilent(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i := range 450 {
			f := facts("web")
			if _, err := h.Register(t.Context(), wire.RegisterRequest{Key: time.Duration(i).String() + " is a key of an agent", Facts: f}); err != nil {
				t.Fatal(err)
			}
		}
		h.retiring(day, nil)
		h.clock.Advance(time.Hour)
		h.sweep()
		h.clock.Advance(day)
		h.sweep()
		if n := len(h.list(fleet.Query{State: fleet.Retired}, 1000)); n != 450 {
			t.Errorf("%d retired; want 450", n)
		}
	})
}

func TestUploaded(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		digest := h.put(new(sbom.Document))
		upload := func(u fleet.Upload) (node string) {
			t.Helper()
			if err := u.Check(); err != nil {
				t.Fatal(err)
			}
			if err := h.db.Write(t.Context(), func(tx *db.Tx) (err error) {
				node, err = h.Uploaded(t.Context(), tx, u, digest)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return node
		}
		image := fleet.Upload{Kind: fleet.Image, Name: "registry.example/web", Labels: map[string]string{"team": "a", "env": "test"}}
		node := upload(image)
		h.setLabels(node, fleet.LabelChange{Set: map[string]string{"team": "b"}})
		h.clock.Advance(365 * day)
		h.sweep()
		h.wantState(node, fleet.Active)
		if n := h.node(node); n.Kind != fleet.Image || n.Name != image.Name || !n.Uploaded || n.Labels["team"] != "b" || n.Labels["env"] != "test" {
			t.Errorf("node = %+v", n)
		}
		image.Labels = nil
		if again := upload(image); again != node {
			t.Errorf("uploaded again it is %s, not %s", again, node)
		}
		if n := h.node(node); len(n.Labels) != 1 || n.Labels["team"] != "b" || !n.LastSeen.Equal(noon.Add(365*day)) {
			t.Errorf("node = %+v", n)
		}
		if other := upload(fleet.Upload{Kind: fleet.Host, Name: image.Name}); other == node {
			t.Error("a host of that name is the same node as the image")
		}
		if err := h.Retire(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		if again := upload(image); again != node {
			t.Errorf("after it was retired it is %s, not %s", again, node)
		}
		h.wantState(node, fleet.Active)
		h.wantEvents(node, map[string]int{"node.registered": 1, "node.retired": 1, "node.revived": 1})
	})
}
