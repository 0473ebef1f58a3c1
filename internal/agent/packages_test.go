package agent_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/operations"
	"patrol/internal/scan"
)

const fixed = "1.99-1" // a version of gzip that nothing is known about

// upgrade gives a machine another gzip, as dpkg does: a new file in the old one's
// place.
func (m *machine) upgrade(version string) {
	m.h.t.Helper()
	status := filepath.Join(m.root, "var/lib/dpkg/status")
	text, err := os.ReadFile(status)
	if err != nil {
		m.h.t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "Version: ")
	_, after, ends := strings.Cut(rest, "\n")
	if !ok || !ends {
		m.h.t.Fatalf("%s has no version", status)
	}
	if err := os.WriteFile(status+"-new", []byte(before+"Version: "+version+"\n"+after), 0o644); err != nil {
		m.h.t.Fatal(err)
	}
	if err := os.Rename(status+"-new", status); err != nil {
		m.h.t.Fatal(err)
	}
}

// scans returns the scans of a node that something started, oldest last.
func (h *house) scans(node, trigger string) (list []scan.Scan) {
	h.t.Helper()
	for s, err := range client.List[scan.Scan](h.t.Context(), h.api, "scans", url.Values{"node": {node}, "trigger": {trigger}}) {
		if err != nil {
			h.t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// complete waits until so many scans that something started are complete, and
// returns the last.
func (h *house) complete(node, trigger string, count int) scan.Scan {
	h.t.Helper()
	eventually(h.t, "a scan because of "+trigger, func() bool {
		list := h.scans(node, trigger)
		return len(list) == count && list[0].State == scan.Complete
	})
	return h.scans(node, trigger)[0]
}

var whereSoftwareRuns = operations.Automatic{OnArrival: []string{fleet.Host, fleet.Container}, OnChange: []string{fleet.Host, fleet.Container}}

// From the upgrade of a package to what it resolves and opens.
func TestUpgradeIsNoticed(t *testing.T) {
	h := newHouse(t)
	h.automatic(whereSoftwareRuns)
	m := h.machine()
	m.settle = 50 * time.Millisecond
	m.upgrade("1.3.5-10") // before gzip was fixed
	node, _ := m.registered()
	if s := h.complete(node, scan.OnArrival, 1); s.Opened == 0 {
		t.Fatalf("scan = %+v", s)
	}
	m.upgrade(fixed)
	s := h.complete(node, scan.OnChange, 1)
	if s.Resolved == 0 || s.Opened != 0 {
		t.Errorf("the upgrade resolved %d and opened %d", s.Resolved, s.Opened)
	}
	upgraded := 0
	for o, err := range client.List[finding.Occurrence](t.Context(), h.api, "occurrences", url.Values{"node": {node}, "state": {"resolved"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Package == "gzip" && o.ResolvedBecause == finding.Upgraded {
			upgraded++
		}
	}
	if upgraded != s.Resolved {
		t.Errorf("%d occurrences were resolved by the upgrade; want %d", upgraded, s.Resolved)
	}
}

// What is installed while no agent runs is noticed when one does, and once.
func TestUpgradeWithoutAnAgent(t *testing.T) {
	h := newHouse(t)
	h.automatic(whereSoftwareRuns)
	m := h.machine()
	m.settle = 50 * time.Millisecond
	node, stop := m.registered()
	h.complete(node, scan.OnArrival, 1)
	stop()
	m.upgrade("1.3.5-10")
	stop = m.run("")
	if s := h.complete(node, scan.OnChange, 1); s.Opened == 0 {
		t.Errorf("scan = %+v", s)
	}
	stop()
	m.run("")
	// Nothing is new: a scan that was asked for is the next one.
	h.finished(h.startScan(node), scan.Complete)
	h.complete(node, scan.OnChange, 1)
}

// A console that is away is told when it is back, of what is true then.
func TestUpgradeWithoutAConsole(t *testing.T) {
	t.Parallel() // it waits for backoffs
	h := newHouse(t)
	h.automatic(whereSoftwareRuns)
	m := h.machine()
	m.settle = 50 * time.Millisecond
	node, _ := m.registered()
	h.complete(node, scan.OnArrival, 1)
	h.network.set(func(n *network) { n.count = "/wire/v1/changed" })
	h.end()
	m.upgrade("1.3.5-10")
	eventually(t, "the agent tries to tell", func() bool {
		h.network.mu.Lock()
		defer h.network.mu.Unlock()
		return h.network.counted > 0
	})
	h.start()
	if err := h.api.SignIn(t.Context(), "admin", password); err != nil {
		t.Fatal(err)
	}
	if s := h.complete(node, scan.OnChange, 1); s.Opened == 0 {
		t.Errorf("scan = %+v", s)
	}
}

// A scan that began after a change has seen it: nothing is told.
func TestChangeThatAScanHasSeen(t *testing.T) {
	h := newHouse(t)
	h.automatic(whereSoftwareRuns)
	m := h.machine()
	m.settle = 2 * time.Second
	node, stop := m.registered()
	h.complete(node, scan.OnArrival, 1)
	h.network.set(func(n *network) { n.count = "/wire/v1/changed" })
	m.upgrade("1.3.5-10")
	if s := h.finished(h.startScan(node), scan.Complete); s.Opened == 0 {
		t.Errorf("scan = %+v", s)
	}
	stop()
	m.settle = 0
	m.run("")
	h.finished(h.startScan(node), scan.Complete)
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if h.network.counted != 0 {
		t.Errorf("the console was told %d times of what it knew", h.network.counted)
	}
}

// A console that does not know the call is told again later, and all else goes on.
func TestOlderConsole(t *testing.T) {
	h := newHouse(t)
	h.automatic(whereSoftwareRuns)
	older := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wire/v1/changed" {
			h.network.set(func(n *network) { n.counted++ })
			http.NotFound(w, r)
			return
		}
		h.proxy.Config.Handler.ServeHTTP(w, r)
	}))
	defer older.Close()
	m := h.machine()
	address, err := url.Parse(older.URL)
	if err != nil {
		t.Fatal(err)
	}
	m.console, m.settle = address, 50*time.Millisecond
	node, stop := m.registered()
	defer stop()
	h.complete(node, scan.OnArrival, 1)
	m.upgrade("1.3.5-10")
	eventually(t, "the console is told", func() bool {
		h.network.mu.Lock()
		defer h.network.mu.Unlock()
		return h.network.counted == 1
	})
	if s := h.finished(h.startScan(node), scan.Complete); s.Opened == 0 {
		t.Errorf("scan = %+v", s)
	}
	h.network.mu.Lock()
	defer h.network.mu.Unlock()
	if h.network.counted != 1 {
		t.Errorf("it was told %d times", h.network.counted)
	}
}
