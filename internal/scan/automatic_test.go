package scan_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// automatic has nodes of these kinds scanned by themselves.
func (h house) automatic(onArrival, onChange []string) {
	h.SetAutomatic(func(context.Context, db.Querier) (scan.Automatic, error) {
		return scan.Automatic{OnArrival: onArrival, OnChange: onChange}, nil
	})
	h.fleet.SetLifecycle(fleet.Lifecycle{
		OnRetire: []func(context.Context, *db.Tx, string) error{h.Retire},
		OnArrive: []func(context.Context, *db.Tx, []fleet.NodeName) error{h.Arrive},
	})
}

var both = []string{fleet.Host, fleet.Container}

// scans returns the states of a node's scans with what started them, oldest first.
func (h house) scans(node string) (list []string) {
	h.t.Helper()
	page, err := h.List(h.t.Context(), scan.Query{Node: node}, rest.Paging{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range slices.Backward(page.Items) {
		list = append(list, s.Trigger+" "+s.State)
	}
	return list
}

func (h house) wantScans(node string, want ...string) {
	h.t.Helper()
	if got := h.scans(node); !slices.Equal(got, want) {
		h.t.Errorf("scans = %q; want %q", got, want)
	}
}

func (h house) changed(host string, in wire.ChangedRequest) wire.ChangedResponse {
	h.t.Helper()
	out, err := h.Changed(h.t.Context(), host, in)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// collect carries the node's next command as far as its agent does.
func (h house) collect(node string) {
	h.t.Helper()
	h.deliver(node, h.claim(node))
}

func (h house) deliver(node string, command wire.Command) {
	h.t.Helper()
	digest, encoded := collected(h.t)
	if err := h.fleet.Put(h.t.Context(), digest, encoded); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.Finish(h.t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, DocumentDigest: digest}); err != nil {
		h.t.Fatal(err)
	}
}

func container(key string) wire.Child {
	return wire.Child{Kind: fleet.Container, Runtime: "docker:/run/docker.sock", Key: key, Name: key}
}

func (h house) runs(host string, children ...wire.Child) {
	h.t.Helper()
	in := wire.ChildrenRequest{Runtimes: []wire.Runtime{{Name: "docker:/run/docker.sock"}}, Full: true, Children: children}
	if err := h.fleet.Report(h.t.Context(), host, in); err != nil {
		h.t.Fatal(err)
	}
}

func (h house) named(name string) string {
	h.t.Helper()
	id, err := db.One(h.db.Read().QueryRowContext(h.t.Context(), `SELECT id FROM node WHERE name = $1`, name), db.Value[string])
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

func TestArrival(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(both, nil)
		host := h.node("web-1")
		h.wantScans(host, "arrival queued")
		h.node("web-1") // its answer was lost
		h.wantScans(host, "arrival queued")

		image := wire.Child{Kind: fleet.Image, Runtime: "docker:/run/docker.sock", Key: "sha256:1", Name: "shop:1"}
		h.runs(host, container("one"), container("two"), container("one"), image)
		one := h.named("one")
		h.wantScans(one, "arrival queued")
		h.wantScans(h.named("shop:1")) // images were not chosen
		if command := h.claim(host); command.Target != nil {
			t.Errorf("command = %+v; want that of the host, which came first", command)
		}
		if command := h.claim(host); command.Target == nil || command.Target.Key != "one" && command.Target.Key != "two" {
			t.Errorf("command = %+v; want one of a container", command)
		}

		// To start again is not to come.
		h.runs(host, container("two"))
		h.runs(host, container("one"), container("two"))
		if n := len(h.scans(one)); n != 1 {
			t.Errorf("%d scans of a container that was started again", n)
		}
	})
}

func TestRevivedNodeArrives(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(both, nil)
		host := h.node("web-1")
		if err := h.fleet.Retire(t.Context(), host); err != nil {
			t.Fatal(err)
		}
		h.wantScans(host, "arrival cancelled")
		if again := h.node("web-1"); again != host {
			t.Fatalf("node = %s; it was %s", again, host)
		}
		h.wantScans(host, "arrival cancelled", "arrival queued")
	})
}

func TestNothingIsScannedUnlessItIsChosen(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(nil, nil)
		host := h.node("web-1")
		h.runs(host, container("one"))
		h.changed(host, wire.ChangedRequest{Host: true, Children: []wire.ChildKey{{Kind: fleet.Container, Key: "one"}}})
		h.wantScans(host)
		h.wantScans(h.named("one"))
	})
}

func TestChange(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(nil, both)
		host := h.node("web-1")
		h.runs(host, container("one"))
		one := h.named("one")
		key := wire.ChildKey{Kind: fleet.Container, Key: "one"}
		stranger := wire.ChildKey{Kind: fleet.Container, Key: "not told of yet"}
		out := h.changed(host, wire.ChangedRequest{Host: true, Children: []wire.ChildKey{key, stranger}})
		if len(out.Unknown) != 1 || out.Unknown[0] != stranger {
			t.Errorf("unknown = %v; want the one that was not reported", out.Unknown)
		}
		h.wantScans(host, "change queued")
		h.wantScans(one, "change queued")
		h.changed(host, wire.ChangedRequest{Host: true}) // the answer was lost
		h.wantScans(host, "change queued")

		// Another host has no say about it.
		other := h.node("web-2")
		if out := h.changed(other, wire.ChangedRequest{Children: []wire.ChildKey{key}}); len(out.Unknown) != 1 {
			t.Errorf("another host's container is known: %+v", out)
		}
	})
}

// What changes after a collection has begun is seen by another one, whatever becomes
// of the first.
func TestChangeWhileScanning(t *testing.T) {
	for name, test := range map[string]struct {
		prepare, end func(h house, host string, command wire.Command)
		first        string
	}{
		"while it is collected": {
			func(house, string, wire.Command) {},
			func(h house, host string, c wire.Command) { h.deliver(host, c); h.match() }, scan.Complete,
		},
		"while it is matched": {
			func(h house, host string, c wire.Command) { h.deliver(host, c) },
			func(h house, _ string, _ wire.Command) { h.match() }, scan.Complete,
		},
		"and it fails": {
			func(house, string, wire.Command) {},
			func(h house, host string, c wire.Command) {
				if _, err := h.Finish(h.t.Context(), host, c.ID, wire.FinishRequest{LeaseID: c.LeaseID, Error: "out of memory"}); err != nil {
					h.t.Fatal(err)
				}
			}, scan.Failed,
		},
		"and it is cancelled": {
			func(house, string, wire.Command) {},
			func(h house, _ string, c wire.Command) {
				if _, err := h.Cancel(h.t.Context(), c.Scan); err != nil {
					h.t.Fatal(err)
				}
			}, scan.Cancelled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				h.automatic(nil, both)
				host := h.node("web-1")
				h.start(host)
				command := h.claim(host)
				test.prepare(h, host, command)
				h.changed(host, wire.ChangedRequest{Host: true})
				h.changed(host, wire.ChangedRequest{Host: true})
				if n := len(h.scans(host)); n != 1 {
					t.Errorf("%d scans at once", n)
				}
				test.end(h, host, command)
				h.wantScans(host, "on_demand "+test.first, "change queued")
				h.collect(host)
				h.match()
				h.wantScans(host, "on_demand "+test.first, "change complete") // and none after it
			})
		})
	}
}

func TestChangeOfARetiredNode(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(nil, both)
		host := h.node("web-1")
		h.start(host)
		h.claim(host)
		h.changed(host, wire.ChangedRequest{Host: true})
		if err := h.fleet.Retire(t.Context(), host); err != nil {
			t.Fatal(err)
		}
		h.wantScans(host, "on_demand cancelled")
	})
}

// A node that changes all the time is scanned once a minute.
func TestChangesAreLimited(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(nil, both)
		host := h.node("web-1")
		h.changed(host, wire.ChangedRequest{Host: true})
		h.collect(host)
		h.match()
		h.clock.Advance(10 * time.Second)
		h.changed(host, wire.ChangedRequest{Host: true})
		h.wantScans(host, "change complete", "change queued")
		if out, err := h.Claim(t.Context(), host); err != nil || len(out.Commands) != 0 {
			t.Errorf("Claim = %+v, %v; want none within the minute", out, err)
		}
		h.clock.Advance(50 * time.Second)
		h.collect(host)
	})
}

// A minute is one between beginnings, however long the agent was away before.
func TestChangesAreLimitedByWhenTheyAreScanned(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(nil, both)
		host := h.node("web-1")
		h.changed(host, wire.ChangedRequest{Host: true})
		h.clock.Advance(5 * time.Minute)
		command := h.claim(host)
		h.changed(host, wire.ChangedRequest{Host: true})
		h.clock.Advance(10 * time.Second)
		h.deliver(host, command)
		h.match()
		h.wantScans(host, "change complete", "change queued")
		if out, err := h.Claim(t.Context(), host); err != nil || len(out.Commands) != 0 || out.RetrySeconds < 50 || out.RetrySeconds > 51 {
			t.Errorf("Claim = %+v, %v; want none for the rest of the minute", out, err)
		}
		h.clock.Advance(50 * time.Second)
		h.collect(host)
	})
}

// What was scanned before a clock was set back puts nothing off, and changes are limited
// as ever.
func TestChangesAreLimitedAfterTheClockWasSetBack(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(nil, both)
		host := h.node("web-1")
		for _, ahead := range []time.Duration{0, -time.Hour} {
			h.clock.Advance(ahead)
			h.changed(host, wire.ChangedRequest{Host: true})
			h.collect(host)
			h.match()
		}
		h.clock.Advance(time.Second)
		h.changed(host, wire.ChangedRequest{Host: true})
		if out, err := h.Claim(t.Context(), host); err != nil || len(out.Commands) != 0 {
			t.Errorf("Claim = %+v, %v; want none within the minute", out, err)
		}
	})
}

// A fleet that is switched on arrives at once.
func TestManyArriveAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.automatic(both, both)
		const hosts = 300
		began := time.Now()
		var arriving sync.WaitGroup
		for i := range hosts {
			arriving.Go(func() {
				name := fmt.Sprintf("web-%03d", i)
				_, err := h.fleet.Register(t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: wire.Facts{Protocol: wire.Version, Name: name}})
				if err != nil {
					t.Error(err)
				}
			})
		}
		arriving.Wait()
		t.Logf("%d hosts arrived in %v", hosts, time.Since(began).Round(time.Millisecond))
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM scan AS s JOIN command AS c ON c.scan_id = s.id AND c.node_id = s.node_id WHERE s.cause = 'arrival'`); n != hosts {
			t.Errorf("%d scans are queued; want %d", n, hosts)
		}
	})
}
