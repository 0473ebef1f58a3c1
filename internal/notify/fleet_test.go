package notify_test

import (
	"fmt"
	"strings"
	"time"

	"patrol/internal/feed/feedtest"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

func (h house) node(name string, labels ...string) string {
	h.t.Helper()
	facts := wire.Facts{Protocol: wire.Version, Name: name, Labels: map[string]string{}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		facts.Labels[key] = value
	}
	out, err := h.fleet.Register(h.t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: facts})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Node
}

// record is an OSV record that a Go module is affected, below a version or in all.
type record struct {
	id, module, fixed, cve, vector string
}

// publish installs a feed of the records.
func (h house) publish(records ...record) {
	h.t.Helper()
	published := make([]feedtest.Record, len(records))
	for i, r := range records {
		published[i] = feedtest.Record{ID: r.id, Ecosystem: "Go", Package: r.module, Fixed: r.fixed, Vector: r.vector, Summary: "A flaw in " + r.module}
		if r.cve != "" {
			published[i].Aliases = []string{r.cve}
		}
	}
	h.feed.Publish(published...)
}

// Vectors of known scores.
const (
	critical = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" // 9.8
	medium   = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" // 5.3
)

var (
	leak   = record{"GO-1", "example.org/leak", "1.1.0", "CVE-2026-1", critical}
	slip   = record{"GO-2", "example.org/slip", "1.1.0", "CVE-2026-2", medium}
	silent = record{"GO-3", "example.org/silent", "", "CVE-2026-3", ""}
)

// module is a component of a Go program.
func module(r record, version string) sbom.Component {
	return sbom.Component{Ecosystem: "Go", Name: r.module, Version: version, Locations: []string{"app"}}
}

// scan is a complete scan of a node an hour after the last, against the newest feed:
// what the scan room does once a document has come, with the event that it writes.
func (h house) scan(node string, components ...sbom.Component) (id string) {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	*h.scans++
	id = fmt.Sprintf("scan-%03d", *h.scans)
	document, rev := h.put(components...), h.feed.Current()
	result, err := h.findings.Match(h.t.Context(), document.Inventory.ID, document.Inventory.Ecosystems, rev)
	if err != nil {
		h.t.Fatal(err)
	}
	after := finding.State{Inventory: document.Inventory.ID, Result: result}
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		now := h.clock.Now()
		if err := h.fleet.Installed(h.t.Context(), tx, node, document); err != nil {
			return err
		}
		opened, resolved, err := h.findings.Apply(h.t.Context(), tx, node, id, h.had[node], after, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(h.t.Context(), `INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, finished_at, due_at, sbom_id, result_id, revision, engine)
			VALUES ($1, $2, 'complete', 'on_demand', '', '', $3, $3, $3, $4, $5, $6, $7)`, id, node, now.UnixMicro(), document.ID, after.Result, rev.ID(), match.EngineVersion)
		if err != nil {
			return err
		}
		return event.AppendTo(h.t.Context(), tx, now, event.Of(node), "scan.completed", id, map[string]any{"opened": opened, "resolved": resolved, "cause": "on_demand"})
	})
	h.had[node] = after
	return id
}

// put keeps a document of the components.
func (h house) put(components ...sbom.Component) fleet.SBOM {
	h.t.Helper()
	doc := &sbom.Document{Components: components}
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	digest := sbom.Digest(encoded)
	if err := h.fleet.Put(h.t.Context(), digest, encoded); err != nil {
		h.t.Fatal(err)
	}
	found, ok, err := h.fleet.Lookup(h.t.Context(), digest)
	if err != nil || !ok {
		h.t.Fatal(ok, err)
	}
	return found
}

// rematch matches the fleet against the newest feed.
func (h house) rematch() {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	if err := h.findings.Rematch(h.t.Context(), h.feed, h.feed.Current()); err != nil {
		h.t.Fatal(err)
	}
	for node, had := range h.had {
		had.Result = int64(h.count(`SELECT result_id FROM node_result WHERE node_id = $1`, node))
		h.had[node] = had
	}
}

func (h house) decide(r finding.DecisionRequest) finding.Decision {
	h.t.Helper()
	r.Reason = "Because of the test."
	d, err := h.findings.Decide(h.t.Context(), r, "ada")
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}
