//go:build dockerd

package agent_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"patrol/internal/agent/containers/runtimetest"
	"patrol/internal/fleet"
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// node waits until there is a node of that kind, name and state.
func (h *house) node(kind, name, state string) (found fleet.Node) {
	h.t.Helper()
	eventually(h.t, kind+" "+name+" is "+state, func() bool {
		for _, n := range h.nodes() {
			if n.Kind == kind && n.Name == name && n.State == state {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

// count asks the console's database.
func (h *house) count(query string) (n int) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, "patrol.db")+"?mode=ro")
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// A real dockerd, an agent beside it, and a console: from the start of a container
// to its findings.
func TestContainersOfDockerd(t *testing.T) {
	d := runtimetest.StartDocker(t)
	d.Import("shop", "1", runtimetest.Tar(t, runtimetest.Debian("2.5.0-1")))
	d.Run("one", "shop:1", map[string]string{
		"io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.name": "web-0", "io.kubernetes.container.name": "server",
	})
	h := newHouse(t)
	m := h.machine()
	m.runtimes, m.labels["kubernetes.cluster"] = []string{"docker:" + d.Socket}, "west"
	stop := m.run(h.enrolment())

	one, image := h.node(fleet.Container, "shop/web-0/server", fleet.Active), h.node(fleet.Image, "shop:1", fleet.Active)
	host := h.node(fleet.Host, h.nodes()[0].Name, fleet.Active)
	if one.Host == nil || one.Host.ID != host.ID || image.Host == nil || *one.Image != *image.Image || one.Image.Reference != "shop:1" ||
		one.Labels["kubernetes.cluster"] != "west" || one.Labels["kubernetes.namespace"] != "shop" || len(host.Runtimes) != 1 || host.Runtimes[0].Error != "" {
		t.Errorf("container = %+v\nimage = %+v\nhost = %+v", one, image, host)
	}

	d.Run("two", "shop:1", nil)
	began := time.Now()
	two := h.node(fleet.Container, "two", fleet.Active)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the start was known after %v", took)
	} else {
		t.Logf("start: %v", took.Round(time.Millisecond))
	}

	// One inventory, one match, whatever the number of containers.
	first, second, third := h.finished(h.startScan(one.ID), scan.Complete), h.finished(h.startScan(two.ID), scan.Complete), h.finished(h.startScan(image.ID), scan.Complete)
	if first.Opened == 0 || second.Opened != first.Opened || third.Opened != first.Opened || first.DocumentDigest != second.DocumentDigest ||
		second.InventoryDigest != first.InventoryDigest || third.InventoryDigest != first.InventoryDigest {
		t.Errorf("scans = %+v\n%+v\n%+v", first, second, third)
	}
	if n := h.count(`SELECT count(*) FROM result`); n != 1 {
		t.Errorf("%d results of one inventory; want 1", n)
	}
	if n := h.node(fleet.Container, "two", fleet.Active); n.Distribution.ID != "debian" || n.Counts.Unknown == 0 {
		t.Errorf("node = %+v", n)
	}

	// A schedule of containers scans them, and not the one that ended.
	d.StopContainer(two.Name)
	began = time.Now()
	h.node(fleet.Container, "two", fleet.Inactive)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop was known after %v", took)
	} else {
		t.Logf("stop: %v", took.Round(time.Millisecond))
	}
	var s schedule.Schedule
	var run schedule.Run
	err := h.api.Do(t.Context(), http.MethodPost, "schedules", schedule.Definition{
		Name: "containers", Cron: "0 0 * * 0", Selector: `node.kind == "container" && node.image == "shop:1"`,
	}, &s)
	if err == nil {
		err = h.api.Do(t.Context(), http.MethodPost, "schedules/"+s.ID+"/run", nil, &run)
	}
	if err != nil || run.Selected != 1 || run.Scans != 1 {
		t.Fatalf("run = %+v, %v; want one container", run, err)
	}
	if s := h.finished(h.startScan(two.ID), scan.Failed); !strings.Contains(s.Error, "does not run") {
		t.Errorf("scan of a stopped container: %q", s.Error)
	}

	// The daemon ends. The host's node says so; that the images are gone nobody said.
	d.Stop()
	eventually(t, "the runtime is lost", func() bool {
		r := h.node(fleet.Host, host.Name, fleet.Active).Runtimes
		return len(r) == 1 && r[0].Error != ""
	})
	h.node(fleet.Image, "shop:1", fleet.Active)
	stop()
	m.run("")
	d.Start()
	h.node(fleet.Container, "shop/web-0/server", fleet.Inactive)
	d.StartContainer("two")
	if n := h.node(fleet.Container, "two", fleet.Active); n.ID != two.ID || len(h.nodes()) != 4 {
		t.Errorf("node = %+v; it was %s; there are %d", n, two.ID, len(h.nodes()))
	}
}

// What a daemon keeps is not its host's, wherever it is kept.
func TestHostOfDockerd(t *testing.T) {
	d := runtimetest.StartDocker(t)
	d.Import("shop", "1", runtimetest.Tar(t, runtimetest.Debian("2.5.0-1")))
	d.Run("one", "shop:1", nil)
	h := newHouse(t)
	m := h.machine()
	m.root, m.runtimes = d.Dir, []string{"docker:" + d.Socket}
	m.run(h.enrolment())
	eventually(t, "the agent registers", func() bool { return len(h.nodes()) > 0 })
	host := h.nodes()[0].ID // before its children
	s := h.finished(h.startScan(host), scan.Complete)
	var doc sbom.Document
	if err := h.api.Do(t.Context(), http.MethodGet, "sboms/"+s.DocumentDigest, nil, &doc); err != nil || len(doc.Components) != 0 {
		t.Errorf("the host has %+v of its containers, %v", doc.Components, err)
	}
}
