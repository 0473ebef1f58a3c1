package scan_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// known is what a node is known to have.
type known struct {
	Node        fleet.Node
	Occurrences []finding.Occurrence
	Result      int
	Completed   int
}

func (h house) known(node string) known {
	h.t.Helper()
	n, err := h.fleet.Get(h.t.Context(), node)
	if err != nil {
		h.t.Fatal(err)
	}
	n.LastScan, n.State = nil, "" // which tell of the scan that failed, and of the agent
	page, err := h.findings.Occurrences(h.t.Context(), finding.OccurrenceQuery{Node: node}, rest.Paging{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	return known{
		n, page.Items,
		dbtest.Count(h.t, h.db.Read(), `SELECT result_id FROM node_result WHERE node_id = $1`, node),
		dbtest.Count(h.t, h.db.Read(), `SELECT completed_at FROM node_scan WHERE node_id = $1`, node),
	}
}

// The last good report stands until a new one is there: a scan that fails or is
// cancelled, at whatever step, changes nothing of what is known of its node.
func TestLastGoodReportStands(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		h.report(node)
		h.match()
		before := h.known(node)
		if len(before.Occurrences) == 0 {
			t.Fatal("nothing was found")
		}
		h.clock.Advance(time.Minute)

		// other has an agent report something that would resolve all and open more.
		other := func() string {
			t.Helper()
			doc := &sbom.Document{Components: []sbom.Component{{Ecosystem: "Debian:12", Name: "openssl", Version: "1.0"}}}
			doc.Normalize()
			encoded, err := doc.Encode()
			if err != nil {
				t.Fatal(err)
			}
			id, command := h.start(node), h.claim(node)
			if err := h.fleet.Put(t.Context(), sbom.Digest(encoded), encoded); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Finish(t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, DocumentDigest: sbom.Digest(encoded)}); err != nil {
				t.Fatal(err)
			}
			return id
		}
		cancel := func(id string) {
			t.Helper()
			if _, err := h.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		for _, end := range []struct {
			how, state string
			scan       func() string
		}{
			{"cancelled while queued", scan.Cancelled, func() string { id := h.start(node); cancel(id); return id }},
			{"cancelled while collecting", scan.Cancelled, func() string { id := h.start(node); h.claim(node); cancel(id); return id }},
			{"failed while collecting", scan.Failed, func() string {
				id, command := h.start(node), h.claim(node)
				if _, err := h.Finish(t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, Error: "disk gone"}); err != nil {
					t.Fatal(err)
				}
				return id
			}},
			{"cancelled before matching", scan.Cancelled, func() string { id := other(); cancel(id); return id }},
			{"failed while matching", scan.Failed, func() string {
				id, good := other(), h.Service
				h.Service = scan.NewService(h.db, h.fleet, h.findings, broken{}, h.signals, h.clock.Now)
				for range 5 {
					h.match()
					h.clock.Advance(10 * time.Minute)
				}
				h.Service = good
				return id
			}},
		} {
			h.wantState(end.scan(), end.state)
			if after := h.known(node); !reflect.DeepEqual(after, before) {
				t.Errorf("%s: the node is known as\n%s\nand was\n%s", end.how, fmt.Sprintf("%+v", after), fmt.Sprintf("%+v", before))
			}
		}
		id := other()
		h.match()
		h.wantState(id, scan.Complete)
		if after := h.known(node); reflect.DeepEqual(after, before) {
			t.Error("the new report changed nothing: this test would notice nothing")
		}
	})
}
