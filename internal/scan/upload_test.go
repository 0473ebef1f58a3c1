package scan_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

// uploaded is an SBOM of somebody's image, with gzip before it was fixed.
const uploaded = `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
	{"type":"library","name":"gzip","version":"1.3.5-10","purl":"pkg:deb/debian/gzip@1.3.5-10?distro=debian-12"},
	{"type":"library","name":"nobody knows","version":"1"}]}`

var web = fleet.Upload{Kind: fleet.Image, Name: "registry.example/web"}

func (h house) upload(u fleet.Upload, data string) scan.Accepted {
	h.t.Helper()
	out, err := h.Upload(h.t.Context(), u, []byte(data))
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func (h house) open(node string) int {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), `SELECT count(*) FROM occurrence WHERE node_id = $1 AND resolved_at IS NULL`, node)
}

func TestUpload(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		out := h.upload(web, uploaded)
		if out.Components != 1 || out.Warnings != 1 || !strings.HasPrefix(out.DocumentDigest, "sha256:") {
			t.Errorf("Upload = %+v", out)
		}
		h.wantState(out.Scan, scan.Matching)
		h.match()
		s := h.wantState(out.Scan, scan.Complete)
		if s.Node.ID != out.Node || s.Trigger != scan.ByUpload || s.DocumentDigest != out.DocumentDigest || len(s.Warnings) != 1 || s.Warnings[0].Path != "nobody knows@1" || s.Opened == 0 {
			t.Errorf("scan = %+v", s)
		}
		if h.open(out.Node) != s.Opened {
			t.Errorf("%d occurrences are open; the scan opened %d", h.open(out.Node), s.Opened)
		}
		// A scan without another upload matches what was uploaded, without an agent.
		again := h.start(out.Node)
		h.match()
		if s := h.wantState(again, scan.Complete); s.DocumentDigest != out.DocumentDigest || s.Opened != 0 || s.Resolved != 0 {
			t.Errorf("scan = %+v", s)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM command`); n != 0 {
			t.Errorf("%d commands wait for an agent that there is not", n)
		}
		// The next version of the image.
		fixed := h.upload(web, `{"components":[]}`)
		if fixed.Node != out.Node {
			t.Errorf("the image is the node %s, not %s", fixed.Node, out.Node)
		}
		h.match()
		h.wantState(fixed.Scan, scan.Complete)
		if h.open(out.Node) != 0 {
			t.Error("what is gone stays open")
		}
	})
}

// The document before has not been matched yet.
func TestUploadOvertakesAnother(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first, second := h.upload(web, uploaded), h.upload(web, `{"components":[]}`)
		h.wantState(first.Scan, scan.Cancelled)
		h.match()
		if s := h.wantState(second.Scan, scan.Complete); s.Opened != 0 || s.DocumentDigest != second.DocumentDigest {
			t.Errorf("scan = %+v", s)
		}
	})
}

func TestUploadRefuses(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for name, test := range map[string]struct {
			upload     fleet.Upload
			data, says string
		}{
			"empty":              {web, "", "no SBOM"},
			"no SBOM":            {web, `{"hello":"world"}`, "no SBOM"},
			"a list":             {web, `[]`, "no SBOM"},
			"SPDX 3":             {web, `{"spdxVersion":"SPDX-3.0"}`, "SPDX-3.0"},
			"cut off":            {web, uploaded[:80], "line 2, column 20"},
			"of a wrong type":    {web, `{"bomFormat":"CycloneDX","components":{"name":1}}`, "components"},
			"name of wrong type": {web, `{"bomFormat":"CycloneDX","components":[{"name":1}]}`, "components.name"},
			"other XML":          {web, `<html></html>`, "no SBOM"},
			"ours, incomplete":   {web, `{"components":[{"ecosystem":"npm","name":"a","version":"1"},{"name":"b"}]}`, "components[1]"},
			"no name":            {fleet.Upload{Kind: fleet.Image}, uploaded, "name"},
			"NUL in the name":    {fleet.Upload{Kind: fleet.Image, Name: "\x00"}, uploaded, "name"},
			"kind of cluster":    {fleet.Upload{Kind: "cluster", Name: "x"}, uploaded, "kind"},
			"label":              {fleet.Upload{Kind: fleet.Image, Name: "x", Labels: map[string]string{"": "x"}}, uploaded, "label"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := h.Upload(t.Context(), test.upload, []byte(test.data))
				wantProblem(t, err, problem.KindInvalid)
				if err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v; want it to say %q", err, test.says)
				}
			})
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT (SELECT count(*) FROM node) + (SELECT count(*) FROM sbom) + (SELECT count(*) FROM scan)`); n != 0 {
			t.Errorf("what was refused left %d rows", n)
		}
	})
}

// What no database holds is cleaned, wherever it stands.
func TestUploadOfNamesThatNoDatabaseHolds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for name, data := range map[string]string{
			"percent-encoded": `{"bomFormat":"CycloneDX","components":[{"type":"library","name":"\u0000","version":"\u0000","purl":"pkg:npm/a%00b@1%ff"}]}`,
			"in our property": `{"bomFormat":"CycloneDX","components":[{"type":"library","name":"a\u0000","version":"1","properties":[{"name":"patrol:ecosystem","value":"npm\u0000"}]}]}`,
			"in a warning":    `{"bomFormat":"CycloneDX","components":[{"type":"library","name":"a\u0000","version":"1"}]}`,
			"ours":            `{"distribution":{"name":"\u0000"},"components":[{"ecosystem":"npm","name":"a\u0000","version":"1"}]}`,
			"tag-value":       "SPDXVersion: SPDX-2.3\nPackageName: a\x00\xff\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a\x00b@1\n",
		} {
			t.Run(name, func(t *testing.T) {
				out := h.upload(web, data)
				h.match()
				h.wantState(out.Scan, scan.Complete)
			})
		}
	})
}

// retired retires a node as the console does.
func (h house) retired(node string) {
	h.t.Helper()
	h.fleet.SetLifecycle(fleet.Lifecycle{OnRetire: []func(context.Context, *db.Tx, string) error{h.findings.Retire, h.Service.Retire}})
	if err := h.fleet.Retire(h.t.Context(), node); err != nil {
		h.t.Fatal(err)
	}
}

// What is open on a retired node is resolved, and opens again when it is back.
func TestRetireAndRevive(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		first := h.report(node)
		h.match()
		opened := h.wantState(first, scan.Complete).Opened
		waiting := h.start(node)
		h.retired(node)
		h.wantState(waiting, scan.Cancelled)
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM occurrence WHERE node_id = $1 AND resolved_because = $2 AND resolved_at = $3`,
			node, finding.Retired, noon.UnixMicro()); n != opened || opened == 0 {
			t.Errorf("%d of %d occurrences were resolved", n, opened)
		}
		_, err := h.StartOnDemand(t.Context(), []string{node})
		wantProblem(t, err, problem.KindConflict)
		h.clock.Advance(time.Hour)
		if again := h.node("web-1"); again != node {
			t.Fatalf("it came back as %s, not %s", again, node)
		}
		second := h.report(node)
		h.match()
		if s := h.wantState(second, scan.Complete); s.Opened != opened || h.open(node) != opened {
			t.Errorf("%d occurrences were opened; want %d", s.Opened, opened)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM occurrence WHERE node_id = $1 AND opened_because = $2`, node, finding.FirstScan); n != 2*opened {
			t.Errorf("%d are of a first scan; want %d", n, 2*opened)
		}
	})
}

// An agent's own words may be cut in the middle of a letter.
func TestErrorThatNoDatabaseHolds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		id := h.start(node)
		command := h.claim(node)
		text := "\x00" + strings.Repeat("ä", 4096)
		if _, err := h.Finish(t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, Error: text}); err != nil {
			t.Fatal(err)
		}
		if s := h.wantState(id, scan.Failed); !strings.HasPrefix(s.Error, "\ufffdä") {
			t.Errorf("error = %.20q", s.Error)
		}
	})
}
