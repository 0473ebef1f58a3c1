package scan_test

import (
	"maps"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// children reports two containers of one image on a host, and returns their nodes.
func (h house) children(host string) (first, second string) {
	h.t.Helper()
	report := wire.ChildrenRequest{Full: true, Runtimes: []wire.Runtime{{Name: "docker:/d"}}}
	for _, key := range []string{"c1", "c2"} {
		report.Children = append(report.Children, wire.Child{Kind: fleet.Container, Runtime: "docker:/d", Key: key, Name: "name of " + key})
	}
	if err := h.fleet.Report(h.t.Context(), host, report); err != nil {
		h.t.Fatal(err)
	}
	page, err := h.fleet.List(h.t.Context(), fleet.Query{Kind: fleet.Container}, rest.Paging{Limit: 2})
	if err != nil || len(page.Items) != 2 {
		h.t.Fatalf("children = %+v, %v", page, err)
	}
	return page.Items[0].ID, page.Items[1].ID
}

// A container is scanned by the agent of its host, beside the host itself; two of
// one image share their inventory and its match.
func TestScanOfContainers(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host, stranger := h.node("web-1"), h.node("web-2")
		first, second := h.children(host)
		woken, stop := h.signals.Wait(fleet.CommandTopic(host))
		defer stop()
		digest, encoded := collected(t)
		if err := h.fleet.Put(t.Context(), digest, encoded); err != nil {
			t.Fatal(err)
		}
		scans := map[string]string{first: h.start(first), second: h.start(second), host: h.start(host)}
		<-woken
		if h.start(first) != scans[first] {
			t.Error("the unfinished scan of a container was not joined")
		}
		targets := map[string]wire.Target{}
		for range scans {
			command := h.claim(host)
			if command.Target != nil {
				targets[command.Scan] = *command.Target
			}
			finish := wire.FinishRequest{LeaseID: command.LeaseID, DocumentDigest: digest}
			_, err := h.Finish(t.Context(), stranger, command.ID, finish)
			wantProblem(t, err, problem.KindNotFound)
			if out, err := h.Finish(t.Context(), host, command.ID, finish); err != nil || out.Send {
				t.Fatalf("Finish = %+v, %v", out, err)
			}
		}
		want := map[string]wire.Target{
			scans[first]:  {Kind: fleet.Container, Runtime: "docker:/d", Key: "c1"},
			scans[second]: {Kind: fleet.Container, Runtime: "docker:/d", Key: "c2"},
		}
		if !maps.Equal(targets, want) {
			t.Errorf("targets = %v, want %v", targets, want)
		}
		for h.match() {
		}
		opened := h.wantState(scans[host], scan.Complete).Opened
		for _, node := range []string{first, second} {
			if s := h.wantState(scans[node], scan.Complete); s.Opened == 0 || s.Opened != opened || s.Node.ID != node {
				t.Errorf("scan = %+v", s)
			}
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM result`); n != 1 {
			t.Errorf("%d results; want one for the inventory that all three share", n)
		}
	})
}

// A container's distribution is known by what was found in it; a host's agent says
// its own.
func TestDistributionOfAContainer(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		host := h.node("web-1")
		first, _ := h.children(host)
		doc := &sbom.Document{Distribution: sbom.Distribution{ID: "alpine", Version: "3.20"}, Components: []sbom.Component{}}
		doc.Normalize()
		encoded, err := doc.Encode()
		if err != nil {
			t.Fatal(err)
		}
		digest := sbom.Digest(encoded)
		if err := h.fleet.Put(t.Context(), digest, encoded); err != nil {
			t.Fatal(err)
		}
		for _, node := range []string{first, host} {
			h.start(node)
			command := h.claim(host)
			if _, err := h.Finish(t.Context(), host, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, DocumentDigest: digest}); err != nil {
				t.Fatal(err)
			}
			h.match()
		}
		container, err := h.fleet.Get(t.Context(), first)
		if err != nil || container.Distribution != doc.Distribution {
			t.Errorf("container = %+v, %v", container, err)
		}
		if n, err := h.fleet.Get(t.Context(), host); err != nil || n.Distribution.ID != "" {
			t.Errorf("host = %+v, %v", n, err)
		}
	})
}
