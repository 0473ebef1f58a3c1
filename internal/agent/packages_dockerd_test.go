//go:build dockerd

package agent_test

import (
	"fmt"
	"testing"
	"time"

	"patrol/internal/agent/containers"
	"patrol/internal/agent/containers/runtimetest"
	"patrol/internal/fleet"
	"patrol/internal/scan"
)

// A package is upgraded in a running container: in that one, and in no other of its
// image.
func TestUpgradeInContainersOfDockerd(t *testing.T) {
	d := runtimetest.StartDocker(t)
	d.Import("shop", "1", runtimetest.Tar(t, runtimetest.Debian("2.5.0-1")))
	d.Run("one", "shop:1", nil)
	h := newHouse(t)
	h.automatic(whereSoftwareRuns)
	m := h.machine()
	m.runtimes, m.settle = []string{"docker:" + d.Socket}, 100*time.Millisecond
	stop := m.run(h.enrolment())
	one := h.node(fleet.Container, "one", fleet.Active)
	if s := h.complete(one.ID, scan.OnArrival, 1); s.Opened == 0 {
		t.Errorf("scan = %+v", s)
	}
	d.Run("two", "shop:1", nil)
	two := h.node(fleet.Container, "two", fleet.Active)
	h.complete(two.ID, scan.OnArrival, 1)

	inside := func(name string) *machine {
		runtime, err := containers.Open("docker:" + d.Socket)
		if err != nil {
			t.Fatal(err)
		}
		list, err := runtime.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			if c.Name == name {
				pid, err := runtime.PID(t.Context(), c.Key)
				if err != nil {
					t.Fatal(err)
				}
				return &machine{h: h, root: fmt.Sprintf("/proc/%d/root", pid)}
			}
		}
		t.Fatalf("no container %s in %+v", name, list)
		return nil
	}
	inside("one").upgrade("99.0-1")
	began := time.Now()
	if s := h.complete(one.ID, scan.OnChange, 1); s.Resolved == 0 {
		t.Errorf("scan = %+v", s)
	}
	t.Logf("the upgrade in a container showed after %v", time.Since(began).Round(time.Millisecond))

	// While no agent runs, and after the container was started anew.
	stop()
	inside("two").upgrade("99.0-1")
	d.StopContainer("two")
	d.StartContainer("two")
	m.run("")
	if s := h.complete(two.ID, scan.OnChange, 1); s.Resolved == 0 {
		t.Errorf("scan = %+v", s)
	}
	h.complete(one.ID, scan.OnChange, 1)
}
