package fleet_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/wire"
)

const docker = "docker:/run/docker.sock"

func container(key, name string) wire.Child {
	return wire.Child{
		Kind: fleet.Container, Runtime: docker, Key: key, Name: name,
		Image: wire.Image{Reference: "shop:1", Digest: "sha256:1"}, Labels: map[string]string{"kubernetes.namespace": "shop"},
	}
}

func image(key, name string) wire.Child {
	return wire.Child{Kind: fleet.Image, Runtime: docker, Key: key, Name: name, Image: wire.Image{Reference: name, Digest: key}}
}

// all is a report of everything.
func all(children ...wire.Child) wire.ChildrenRequest {
	return wire.ChildrenRequest{Full: true, Runtimes: []wire.Runtime{{Name: docker}}, Children: children}
}

func (h house) report(host string, in wire.ChildrenRequest) {
	h.t.Helper()
	if err := h.Report(h.t.Context(), host, in); err != nil {
		h.t.Fatal(err)
	}
}

// children are the states of what is on hosts, by name.
func (h house) children() map[string]string {
	h.t.Helper()
	page, err := h.List(h.t.Context(), fleet.Query{}, rest.Paging{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	states := map[string]string{}
	for _, n := range page.Items {
		if n.Kind != fleet.Host {
			states[n.Kind+" "+n.Name] = n.State
		}
	}
	return states
}

func (h house) wantChildren(want map[string]string) {
	h.t.Helper()
	if got := h.children(); !maps.Equal(got, want) {
		h.t.Errorf("children = %v, want %v", got, want)
	}
}

func (h house) child(name string) fleet.Node {
	h.t.Helper()
	page, err := h.List(h.t.Context(), fleet.Query{}, rest.Paging{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	i := slices.IndexFunc(page.Items, func(n fleet.Node) bool { return n.Name == name })
	if i < 0 {
		h.t.Fatalf("there is no node %s", name)
	}
	return page.Items[i]
}

func TestReport(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host := h.register("web-1").Node
		h.report(host, all(container("c1", "one"), container("c2", "two"), image("sha256:1", "shop:1"), container("c1", "one")))
		h.wantChildren(map[string]string{"container one": fleet.Active, "container two": fleet.Active, "image shop:1": fleet.Active})
		one := h.child("one")
		if one.Host == nil || *one.Host != (fleet.NodeName{ID: host, Name: "web-1", Kind: fleet.Host}) || one.Image == nil || one.Image.Reference != "shop:1" ||
			one.Labels["kubernetes.namespace"] != "shop" || one.Architecture != "amd64" || one.Runtimes == nil {
			t.Errorf("node = %+v", one)
		}
		if n := h.node(host); n.Host != nil || n.Image != nil || !slices.Equal(n.Runtimes, []wire.Runtime{{Name: docker}}) {
			t.Errorf("host = %+v", n)
		}

		// A delta says what changed, and no more.
		h.report(host, wire.ChildrenRequest{
			Runtimes: []wire.Runtime{{Name: docker}}, Children: []wire.Child{container("c3", "three"), container("c1", "renamed")},
			Gone: []wire.ChildKey{{Kind: fleet.Container, Key: "c2"}, {Kind: fleet.Container, Key: "unheard of"}},
		})
		h.wantChildren(map[string]string{
			"container renamed": fleet.Active, "container two": fleet.Inactive, "container three": fleet.Active, "image shop:1": fleet.Active,
		})
		h.report(host, wire.ChildrenRequest{Runtimes: []wire.Runtime{{Name: docker}}})
		// The whole list: what is missing is gone, and what comes back is what it was.
		two := h.child("two")
		h.report(host, all(container("c1", "one"), container("c2", "two")))
		h.wantChildren(map[string]string{
			"container one": fleet.Active, "container two": fleet.Active, "container three": fleet.Inactive, "image shop:1": fleet.Inactive,
		})
		if h.child("one").ID != one.ID || h.child("two").ID != two.ID {
			t.Error("what came back is another node")
		}
		var told []string
		for kind, want := range map[string]int{"node.registered": 5, "node.started": 1, "node.stopped": 3} {
			n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM event WHERE type = '`+kind+`'`)
			if n != want {
				told = append(told, fmt.Sprintf("%d of %s, want %d", n, kind, want))
			}
		}
		if len(told) > 0 {
			t.Errorf("events: %s", strings.Join(told, "; "))
		}
	})
}

// Of a runtime that cannot be asked nothing is known, so nothing of it is gone.
func TestReportWithoutARuntime(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host := h.register("web-1").Node
		pod := container("c2", "pod")
		pod.Runtime = "containerd:/run/containerd/containerd.sock"
		both := all(container("c1", "one"), pod)
		both.Runtimes = append(both.Runtimes, wire.Runtime{Name: pod.Runtime})
		h.report(host, both)
		mute := all(pod)
		mute.Runtimes = []wire.Runtime{{Name: docker, Error: "connection refused"}, {Name: pod.Runtime}}
		h.report(host, mute)
		h.wantChildren(map[string]string{"container one": fleet.Active, "container pod": fleet.Active})
		if n := h.node(host); !slices.Equal(n.Runtimes, mute.Runtimes) {
			t.Errorf("runtimes = %+v", n.Runtimes)
		}
		// A runtime that is there no more has nothing.
		mute.Runtimes = mute.Runtimes[1:]
		h.report(host, mute)
		h.wantChildren(map[string]string{"container one": fleet.Inactive, "container pod": fleet.Active})
	})
}

// A container is there for as long as its host is.
func TestChildOfASilentHost(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host := h.register("web-1").Node
		h.report(host, all(container("c1", "one"), container("c2", "two")))
		h.report(host, wire.ChildrenRequest{Gone: []wire.ChildKey{{Kind: fleet.Container, Key: "c2"}}})
		h.clock.Advance(time.Hour)
		h.wantChildren(map[string]string{"container one": fleet.Inactive, "container two": fleet.Inactive})
		if _, err := h.Heartbeat(t.Context(), host, facts("web-1")); err != nil {
			t.Fatal(err)
		}
		h.wantChildren(map[string]string{"container one": fleet.Active, "container two": fleet.Inactive})
		if one, two := h.child("one"), h.child("two"); !one.LastSeen.Equal(noon.Add(time.Hour)) || !two.LastSeen.Equal(noon) {
			t.Errorf("last seen %v and %v", one.LastSeen, two.LastSeen)
		}
		for state, want := range map[string][]string{fleet.Active: {"one"}, fleet.Inactive: {"two"}} {
			q := fleet.Query{Kind: fleet.Container, State: state}
			if got := h.list(q, 1); !slices.Equal(got, want) {
				t.Errorf("%+v: %q; want %q", q, got, want)
			}
		}
		for selector, want := range map[string][]string{
			`node.kind == "container"`:                               {h.child("one").ID}, // the other has ended
			`node.host == "web-1" && node.image.startsWith("shop:")`: {h.child("one").ID},
			`node.image == ""`:                                       {host},
			`node.labels["kubernetes.namespace"] == "shop"`:          {h.child("one").ID},
		} {
			if got, err := h.Select(t.Context(), h.db.Read(), selector); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v; want %q", selector, got, err, want)
			}
		}
	})
}

// Two hosts may run containers of one id, as clones of a machine do.
func TestChildrenOfTwoHosts(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first, second := h.register("web-1").Node, h.register("web-2").Node
		h.report(first, all(container("c1", "one")))
		h.report(second, all(container("c1", "other")))
		h.report(second, all())
		h.wantChildren(map[string]string{"container one": fleet.Active, "container other": fleet.Inactive})
	})
}

func TestReportRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host := h.register("web-1").Node
		many := make([]wire.Child, wire.ChildrenLimit+1)
		for i := range many {
			many[i] = container(fmt.Sprint(i), "x")
		}
		long := container("c1", "one")
		long.Labels = map[string]string{"x": strings.Repeat("x", 300)}
		cluster := container("c1", "one")
		cluster.Kind = "cluster"
		for _, in := range []wire.ChildrenRequest{
			all(many...), all(long), all(cluster), all(container("", "x")), all(container("c1", "")),
			{Runtimes: []wire.Runtime{{Name: docker, Error: strings.Repeat("x", 5000)}}},
		} {
			wantProblem(t, h.Report(t.Context(), host, in), problem.KindInvalid)
		}
		h.wantChildren(map[string]string{})
		// The row of a child is nobody's to register.
		h.report(host, all(container("c1", "one")))
		key := "child of " + host + " " + h.child("one").ID
		_, err := h.Register(t.Context(), wire.RegisterRequest{Key: key, Facts: facts("thief")})
		wantProblem(t, err, problem.KindInvalid)
		h.report(host, all(many[1:]...))
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM node WHERE host_id IS NOT NULL AND present = 1`); n != wire.ChildrenLimit {
			t.Errorf("%d children", n)
		}
	})
}

// What was retired with its host comes back with it, and is told of as the host is.
func TestChildIsRevived(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host := h.register("web-1").Node
		h.report(host, all(container("c1", "one")))
		one := h.child("one").ID
		if err := h.Retire(t.Context(), host); err != nil {
			t.Fatal(err)
		}
		h.wantState(one, fleet.Retired)
		h.clock.Advance(time.Hour)
		h.register("web-1")
		h.wantState(one, fleet.Retired)
		for range 2 {
			h.report(host, all(container("c1", "one")))
		}
		h.wantState(one, fleet.Active)
		h.wantEvents(one, map[string]int{"node.registered": 1, "node.retired": 1, "node.revived": 1})
		want := noon.Add(time.Hour).UnixMicro()
		if n := dbtest.Count(t, h.db.Read(), `SELECT revived_at FROM node WHERE id = $1`, one); int64(n) != want {
			t.Errorf("revived at %d; want %d", n, want)
		}
		if n := h.events("node.started", one); n != 0 {
			t.Errorf("%d events say that it was started, too", n)
		}
	})
}

// A container is not retired under the eyes of an agent that would bring it back.
func TestRetireAChild(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.retiring(14*day, nil)
		host := h.register("web-1").Node
		h.report(host, all(container("c1", "one"), container("c2", "two"), image("sha256:1", "shop:1")))
		one, two, shop := h.child("one").ID, h.child("two").ID, h.child("shop:1").ID
		for _, node := range []string{one, two, shop} {
			wantProblem(t, h.Retire(t.Context(), node), problem.KindConflict)
			h.wantState(node, fleet.Active)
		}
		h.report(host, all(container("c2", "two")))
		for range 2 {
			if err := h.Retire(t.Context(), one); err != nil {
				t.Fatal(err)
			}
		}
		h.wantState(one, fleet.Retired)
		// Nobody reports for a host that is silent.
		h.clock.Advance(time.Hour)
		h.sweep()
		if err := h.Retire(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		h.wantState(two, fleet.Retired)
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE action = 'node.retired'`); n != 2 {
			t.Errorf("%d entries of the audit log; want 2", n)
		}
	})
}
