package agent_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patrol/internal/scan"
)

func TestScan(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	node, _ := m.registered()
	first := h.finished(h.startScan(node), scan.Complete)
	if first.Components != 2 || first.Counts.Unknown == 0 || first.Opened != first.Counts.Unknown || first.Feed == nil || first.Feed.Sample || len(first.Warnings) != 0 {
		t.Errorf("scan = %+v", first)
	}
	// What the console has is not uploaded again: not by the same machine, and not
	// by one that is equal.
	second := h.finished(h.startScan(node), scan.Complete)
	clone, _ := h.machine().registered()
	third := h.finished(h.startScan(clone), scan.Complete)
	if second.DocumentDigest != first.DocumentDigest || third.DocumentDigest != first.DocumentDigest || second.Opened != 0 || third.Opened != first.Opened {
		t.Errorf("scans = %+v\n%+v\n%+v", first, second, third)
	}
	if n := h.network.uploaded(); n != 1 {
		t.Errorf("%d uploads; want 1", n)
	}
}

// Answers on the way of a scan may be lost: the agent asks again.
func TestLostAnswersOfAScan(t *testing.T) {
	for name, path := range map[string]string{"finish": "/finish", "upload": "/wire/v1/sboms/"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for a backoff
			h := newHouse(t)
			node, _ := h.machine().registered()
			h.network.set(func(n *network) { n.lose = path })
			s := h.finished(h.startScan(node), scan.Complete)
			h.network.set(func(n *network) {
				if n.lose != "" {
					t.Error("no answer was lost")
				}
			})
			if again := h.finished(h.startScan(node), scan.Complete); s.Opened == 0 || again.Opened != 0 {
				t.Errorf("scans = %+v\n%+v", s, again)
			}
		})
	}
}

// A proxy that lets no stream through costs time alone: the heartbeat tells that
// there is something to do.
func TestScanWithoutAStream(t *testing.T) {
	h := newHouse(t)
	h.network.set(func(n *network) { n.broken = "/wire/v1/stream" })
	m := h.machine()
	m.heartbeat = 100 * time.Millisecond
	node, _ := m.registered()
	for range 2 {
		h.finished(h.startScan(node), scan.Complete)
	}
}

func TestCancelledScanIsDropped(t *testing.T) {
	h := newHouse(t)
	node, _ := h.machine().registered()
	held, release := h.network.hold()
	id := h.startScan(node)
	await(t, "the document is uploaded", held)
	var cancelled scan.Scan
	if err := h.api.Do(t.Context(), http.MethodPost, "scans/"+id+"/cancel", nil, &cancelled); err != nil || cancelled.State != scan.Cancelled {
		t.Fatalf("cancel = %+v, %v", cancelled, err)
	}
	close(release)
	h.finished(h.startScan(node), scan.Complete) // the agent has let go
	if s := h.scan(id); s.State != scan.Cancelled || s.Opened != 0 {
		t.Errorf("scan = %+v; want it cancelled", s)
	}
}

func TestCollectionThatFails(t *testing.T) {
	h := newHouse(t)
	m := h.machine()
	m.root = filepath.Join(m.root, "absent")
	node, _ := m.registered()
	if s := h.finished(h.startScan(node), scan.Failed); !strings.Contains(s.Error, m.root) {
		t.Errorf("error = %q; want it to name %s", s.Error, m.root)
	}
}

// A proxy before the console limits the size of what it passes on. That is told,
// and not tried for ever.
func TestUploadThatIsRefused(t *testing.T) {
	h := newHouse(t)
	node, _ := h.machine().registered()
	h.network.set(func(n *network) { n.refuse = http.MethodPut })
	if s := h.finished(h.startScan(node), scan.Failed); !strings.Contains(s.Error, "413") {
		t.Errorf("error = %q; want the reason", s.Error)
	}
	h.network.set(func(n *network) { n.refuse = "" })
	h.finished(h.startScan(node), scan.Complete)
}
