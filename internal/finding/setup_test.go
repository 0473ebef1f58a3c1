package finding_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/platform/audit"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/clocktest"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/scan"
	"patrol/internal/wire"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// Vectors of known scores.
const (
	critical = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" // 9.8
	medium   = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" // 5.3
)

// advisory says that a package is affected below a version, or in all if that is
// empty. In the place of a vector there can be a distribution's word.
type advisory struct {
	record, ecosystem, pkg, fixed string
	vulnerability, vector         string
}

// revision is a feed of a few advisories: what the interface is made for.
type revision struct {
	id         string
	advisories []advisory
}

func (r revision) ID() string { return r.id }

func (r revision) Covers(ecosystem string) bool {
	return slices.ContainsFunc(r.advisories, func(a advisory) bool { return a.ecosystem == ecosystem })
}

func (r revision) Names(record string) ([]string, error) {
	names := []string{}
	for _, a := range r.advisories {
		if a.record == record {
			names = append(names, a.vulnerability)
		}
	}
	return names, nil
}

func (r revision) Affected(ecosystem, name string) ([]match.Affected, error) {
	found := []match.Affected{}
	for _, a := range r.advisories {
		if a.ecosystem != ecosystem || match.PackageKey(ecosystem, a.pkg) != match.PackageKey(ecosystem, name) {
			continue
		}
		events := []match.Event{{Kind: match.Introduced, Version: "0"}}
		if a.fixed != "" {
			events = append(events, match.Event{Kind: match.Fixed, Version: a.fixed})
		}
		found = append(found, match.Affected{
			Record: a.record, Ecosystem: ecosystem, Package: a.pkg, Ranges: []match.Range{{Type: "ECOSYSTEM", Events: events}},
		})
	}
	return found, nil
}

func (r revision) Vulnerability(name string) (v match.Vulnerability, found bool, err error) {
	for _, a := range r.advisories {
		if a.vulnerability != name {
			continue
		}
		v.Name, found = name, true
		v.Records = append(v.Records, a.record)
		if base, word, isWord := strings.Cut(a.vector, ": "); isWord {
			v.Severity = append(v.Severity, match.Severity{Type: base, Score: word, Source: a.record})
		} else if a.vector != "" {
			v.Severity = append(v.Severity, match.Severity{Type: "CVSS_V3", Score: a.vector, Source: a.record})
		}
	}
	return v, found, nil
}

// house is the room with what it stands on.
type house struct {
	*finding.Service
	t     *testing.T
	db    *db.DB
	fleet *fleet.Service
	clock *clocktest.Clock
	had   map[string]finding.State // what each node's last scan left
	scans *int
}

// each runs a suite on every database. Lists tell of scans, so their table is
// there.
func each(t *testing.T, suite func(t *testing.T, h house)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		suite(t, newHouse(t, d))
	}, migrations...)
}

func newHouse(t *testing.T, d *db.DB) house {
	clock := clocktest.At(noon)
	f := fleet.NewService(d, auth.NewService(d, clock.Now), lease.NewSignals(), clock.Now)
	return house{finding.NewService(d, f, clock.Now), t, d, f, clock, map[string]finding.State{}, new(int)}
}

// migrations are those of the room and of what it stands on.
var migrations = []db.Migrations{event.Migrations, audit.Migrations, auth.Migrations, fleet.Migrations, finding.Migrations, scan.Migrations}

func (h house) node(name string) string {
	h.t.Helper()
	out, err := h.fleet.Register(h.t.Context(), wire.RegisterRequest{Key: "key of the agent on " + name, Facts: wire.Facts{Protocol: wire.Version, Name: name}})
	if err != nil {
		h.t.Fatal(err)
	}
	return out.Node
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

func (h house) match(document fleet.SBOM, rev finding.Revision) int64 {
	h.t.Helper()
	result, err := h.Match(h.t.Context(), document.Inventory.ID, document.Inventory.Ecosystems, rev)
	if err != nil {
		h.t.Fatal(err)
	}
	return result
}

// scan is a complete scan of a node an hour after the last: what the scan room
// does once a document has come.
func (h house) scan(node string, rev finding.Revision, components ...sbom.Component) (id string, opened, resolved int64) {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	*h.scans++
	id = fmt.Sprintf("scan-%03d", *h.scans)
	document := h.put(components...)
	after := finding.State{Inventory: document.Inventory.ID, Result: h.match(document, rev)}
	dbtest.Write(h.t, h.db, func(tx *db.Tx) (err error) {
		if opened, resolved, err = h.Apply(h.t.Context(), tx, node, id, h.had[node], after, nil); err != nil {
			return err
		}
		if err := h.fleet.Installed(h.t.Context(), tx, node, document); err != nil {
			return err
		}
		_, err = tx.ExecContext(h.t.Context(), `INSERT INTO scan (id, node_id, state, cause, schedule_id, run_id, queued_at, finished_at, due_at, sbom_id, result_id, revision, engine)
			VALUES ($1, $2, 'complete', 'on_demand', '', '', $3, $3, $3, $4, $5, $6, $7)`,
			id, node, h.clock.Now().UnixMicro(), document.ID, after.Result, rev.ID(), match.EngineVersion)
		return err
	})
	h.had[node] = after
	return id, opened, resolved
}

// occurrences returns those of a node, oldest first.
func (h house) occurrences(node string) []finding.Occurrence {
	h.t.Helper()
	page, err := h.Occurrences(h.t.Context(), finding.OccurrenceQuery{Node: node, State: "all"}, rest.Paging{Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Reverse(page.Items)
	return page.Items
}

func (h house) count(query string) int {
	h.t.Helper()
	return dbtest.Count(h.t, h.db.Read(), query)
}

// deb is a binary package of Debian 12 with its source, at one version.
func deb(name, source, version string) sbom.Component {
	return sbom.Component{
		Ecosystem: "Debian:12", Name: name, Version: version, Source: sbom.SourcePackage{Name: source, Version: version},
		Locations: []string{"var/lib/dpkg/status"},
	}
}
