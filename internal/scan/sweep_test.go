package scan_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"patrol/internal/platform/db/dbtest"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// sweep removes what ended more than a day ago, as the console does.
func (h house) sweep() (removed int64) {
	h.t.Helper()
	for _, sweep := range []func(context.Context, time.Time) (int64, error){
		h.findings.SweepOccurrences, h.Sweep, h.fleet.SweepDocuments, h.findings.SweepResults, h.fleet.SweepInventories,
	} {
		n, err := sweep(h.t.Context(), h.clock.Now().Add(-24*time.Hour))
		if err != nil {
			h.t.Fatal(err)
		}
		removed += n
	}
	return removed
}

// rows counts those of the tables that are swept.
func (h house) rows() string {
	counts := ""
	for _, table := range []string{"scan", "command", "sbom", "inventory", "inventory_component", "result", "result_finding", "result_of", "finding", "occurrence"} {
		counts += fmt.Sprintf("%s %d, ", table, dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM `+table))
	}
	return counts
}

// image is an SBOM with gzip at a version of that number, and something else.
func imageWith(version int) string {
	return fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
		{"type":"library","name":"gzip","version":"1.3.5-%[1]d","purl":"pkg:deb/debian/gzip@1.3.5-%[1]d?distro=debian-12"},
		{"type":"library","name":"other","version":"%[1]d","purl":"pkg:npm/other@%[1]d"}]}`, version)
}

// What is old goes, with all that only it had; what says how a node is now stays.
func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host := h.node("web-1")
		h.report(host)
		h.match()
		for version := 1; version <= 4; version++ {
			h.upload(web, imageWith(version))
			h.match()
		}
		node := h.upload(web, imageWith(5)).Node
		h.match()
		last, open := h.rows(), h.open(node)
		h.sweep()
		if now := h.rows(); now != last || open == 0 {
			t.Errorf("what is young was removed:\n%s\n%s", now, last)
		}
		h.clock.Advance(48 * time.Hour)
		h.sweep()
		want := "scan 2, command 1, sbom 2, inventory 2, inventory_component 4, result 2, "
		if now := h.rows(); len(now) < len(want) || now[:len(want)] != want {
			t.Errorf("left: %s; want %s", now, want)
		}
		if h.open(node) != open {
			t.Errorf("%d occurrences are open; want %d", h.open(node), open)
		}
		before := h.rows()
		if n := h.sweep(); n != 0 || h.rows() != before {
			t.Errorf("a second sweep removed %d", n)
		}
		// All goes on: of what is there, and of what was there once.
		again := h.start(node)
		h.match()
		if s := h.wantState(again, scan.Complete); s.Opened != 0 || s.Resolved != 0 {
			t.Errorf("scan = %+v", s)
		}
		back := h.upload(web, imageWith(1))
		h.match()
		if s := h.wantState(back.Scan, scan.Complete); s.Opened != 0 || s.Resolved != 0 || h.open(node) != open {
			t.Errorf("scan = %+v, %d open", s, h.open(node))
		}
		h.upload(web, `{"components":[]}`)
		h.match()
		h.clock.Advance(48 * time.Hour)
		h.sweep()
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM occurrence WHERE node_id = $1`, node); n != 0 || h.open(host) == 0 {
			t.Errorf("%d resolved occurrences are left, and %d are open on the host", n, h.open(host))
		}
	})
}

// The last scan of a node and its last complete one stay, however old.
func TestSweepKeepsTheLast(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		fail := func() string {
			id := h.start(node)
			command := h.claim(node)
			if _, err := h.Finish(t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, Error: "no"}); err != nil {
				t.Fatal(err)
			}
			h.clock.Advance(time.Hour)
			return id
		}
		var all []string
		for range 2 {
			all = append(all, fail(), h.report(node))
			h.match()
			h.clock.Advance(time.Hour)
		}
		all = append(all, fail(), fail())
		running := h.start(node)
		h.clock.Advance(48 * time.Hour)
		h.sweep()
		for i, id := range all {
			_, err := h.Get(t.Context(), id)
			if kept := i == 3 || i == 5; kept != (err == nil) {
				t.Errorf("scan %d: %v; want it kept: %v", i, err, kept)
			}
		}
		h.wantState(running, scan.Queued)
	})
}

// A document that was known when the agent asked, and swept before it finished, is
// asked for again.
func TestFinishAfterSweep(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		digest, encoded := collected(t)
		if err := h.fleet.Put(t.Context(), digest, encoded); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(48 * time.Hour)
		h.sweep()
		h.start(node)
		command := h.claim(node)
		out, err := h.Finish(t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, DocumentDigest: digest})
		if err != nil || !out.Send {
			t.Errorf("Finish = %+v, %v; want the document to be sent", out, err)
		}
	})
}
