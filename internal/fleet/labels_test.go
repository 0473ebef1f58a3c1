package fleet_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

func (h house) setLabels(node string, change fleet.LabelChange) fleet.Node {
	h.t.Helper()
	n, err := h.SetLabels(h.t.Context(), node, change)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h house) wantLabels(node string, want, from map[string]string) {
	h.t.Helper()
	if n := h.node(node); !maps.Equal(n.Labels, want) || !maps.Equal(n.LabelOrigins, from) {
		h.t.Errorf("labels = %v from %v\nwant     %v from %v", n.Labels, n.LabelOrigins, want, from)
	}
}

func TestLabelsByOrigin(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		said := facts("web-1")
		said.Labels = map[string]string{"env": "agent", "agent": "agent"}
		said.KubernetesLabels = map[string]string{"env": "kubernetes", "agent": "kubernetes", "kubernetes": "kubernetes"}
		said.CloudLabels = map[string]string{"env": "cloud", "agent": "cloud", "kubernetes": "cloud", "cloud": "cloud"}
		request := wire.RegisterRequest{Key: "key of the agent on web-1", Facts: said}
		out, err := h.Register(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		merged := map[string]string{"env": "agent", "agent": "agent", "kubernetes": "kubernetes", "cloud": "cloud"}
		h.wantLabels(out.Node, merged, merged)
		h.setLabels(out.Node, fleet.LabelChange{Set: map[string]string{"env": "hand", "hand": "hand"}})
		byHand := map[string]string{"env": "hand", "hand": "hand", "agent": "agent", "kubernetes": "kubernetes", "cloud": "cloud"}
		h.wantLabels(out.Node, byHand, byHand)
		for selector, want := range map[string]int{`node.labels["env"] == "hand"`: 1, `node.labels["env"] == "agent"`: 0, `node.labels["cloud"] == "cloud"`: 1} {
			if got, err := h.Select(t.Context(), h.db.Read(), selector); err != nil || len(got) != want {
				t.Errorf("%s selects %q, %v; want %d nodes", selector, got, err, want)
			}
		}
		// What was set by hand outlasts heartbeats and registrations; what was found
		// is what was found last.
		request.Facts.CloudLabels = nil
		if _, err := h.Heartbeat(t.Context(), out.Node, request.Facts); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Register(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		delete(byHand, "cloud")
		h.wantLabels(out.Node, byHand, byHand)
		h.setLabels(out.Node, fleet.LabelChange{Remove: []string{"env", "hand", "absent", "agent"}})
		delete(merged, "cloud")
		h.wantLabels(out.Node, merged, merged)
		if n := h.events("node.labelled", out.Node); n != 3 { // by hand, by the cloud, by hand
			t.Errorf("%d events; want 3", n)
		}
	})
}

func TestSetLabelsRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		id := h.register("web-1").Node
		many := make(map[string]string)
		for i := range 65 {
			many[strings.Repeat("x", i+1)] = ""
		}
		for name, change := range map[string]fleet.LabelChange{
			"no name":         {Set: map[string]string{"": "x"}},
			"long value":      {Set: map[string]string{"x": strings.Repeat("x", 257)}},
			"NUL":             {Set: map[string]string{"x": "a\x00"}},
			"no UTF-8":        {Set: map[string]string{"\xff": "a"}},
			"set and removed": {Set: map[string]string{"x": "a"}, Remove: []string{"x"}},
			"too many":        {Set: many},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := h.SetLabels(t.Context(), id, change)
				wantProblem(t, err, problem.KindInvalid)
			})
		}
		_, err := h.SetLabels(t.Context(), "no-such-node", fleet.LabelChange{Set: map[string]string{"x": "y"}})
		wantProblem(t, err, problem.KindNotFound)
		h.wantLabels(id, map[string]string{"env": "production"}, map[string]string{"env": fleet.FromAgent})
	})
}

// events counts the events of a kind about a node.
func (h house) events(kind, node string) int {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM event WHERE type = $1 AND subject = $2`, kind, node)
}

// What an agent says is kept whatever characters it is made of.
func TestFactsThatNoDatabaseHolds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		said := facts("web\x00-1")
		said.MachineID, said.Distribution.Name = "m\x00\xff", "\x00"
		said.Labels = map[string]string{"a\x00": "\xff"}
		said.Machine.Cloud = wire.Cloud{Provider: "aws", Instance: "i\x00"}
		said.Session, said.Machine.HardwareID = "\x00", "\x00"
		out, err := h.Register(t.Context(), wire.RegisterRequest{Key: "key of the agent on web-1", Facts: said})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Heartbeat(t.Context(), out.Node, said); err != nil {
			t.Error(err)
		}
		if n := h.node(out.Node); n.Name != "web\ufffd-1" || !slices.Contains(slices.Collect(maps.Keys(n.Labels)), "a\ufffd") {
			t.Errorf("node = %+v", n)
		}
		_, err = h.Register(t.Context(), wire.RegisterRequest{Key: "key of the agent\x00 on web-1", Facts: said})
		wantProblem(t, err, problem.KindInvalid)
		_, err = h.Register(t.Context(), wire.RegisterRequest{Key: "upload/image/registry.example/web", Facts: said})
		wantProblem(t, err, problem.KindInvalid)
	})
}

// Whoever labels what, an event says what has changed, and says it once.
func TestLabelsAreToldOf(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.register("web-1").Node
		want := func(when string, of string, events int) {
			t.Helper()
			if n := h.events("node.labelled", of); n != events {
				t.Errorf("%s: %d events; want %d", when, n, events)
			}
		}
		want("registered", node, 0)
		said := facts("web-1")
		for range 2 {
			said.Labels = map[string]string{"env": "test"}
			if _, err := h.Heartbeat(t.Context(), node, said); err != nil {
				t.Fatal(err)
			}
			want("a heartbeat", node, 1)
		}
		c := container("1", "shop-1")
		h.report(node, all(c))
		child := dbtest.Text(t, h.db.Read(), `SELECT id FROM node WHERE name = 'shop-1'`)
		want("a container", child, 0)
		for range 2 {
			c.Labels = map[string]string{"kubernetes.namespace": "test"}
			h.report(node, all(c))
			want("its label", child, 1)
		}
		upload := fleet.Upload{Kind: fleet.Image, Name: "registry.example/web"}
		digest, uploaded := h.put(&sbom.Document{}), ""
		for _, labels := range []map[string]string{nil, {"team": "shop"}, {"team": "shop"}} {
			upload.Labels = labels
			dbtest.Write(t, h.db, func(tx *db.Tx) (err error) {
				uploaded, err = h.Uploaded(t.Context(), tx, upload, digest)
				return err
			})
		}
		want("an upload", uploaded, 1)
	})
}
