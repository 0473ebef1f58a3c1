package finding_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// recounts are each kept number beside the same counted from the occurrences.
var recounts = map[string][2]string{
	"nodes": {
		`SELECT node_id, severity, open, decided FROM node_count WHERE open <> 0 OR decided <> 0`,
		`SELECT node_id, severity, count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'decided')
			FROM occurrence WHERE resolved_at IS NULL GROUP BY node_id, severity`,
	},
	"packages": {
		`SELECT vulnerability_id, ecosystem, package, rank, open, decided, fixable FROM affected_package WHERE open <> 0 OR decided <> 0 OR fixable <> 0`,
		`SELECT vulnerability_id, ecosystem, package, max(rank), count(*) FILTER (WHERE state = 'open'), count(*) FILTER (WHERE state = 'decided'),
			count(*) FILTER (WHERE state = 'open' AND fixable = 1)
			FROM occurrence WHERE resolved_at IS NULL GROUP BY vulnerability_id, ecosystem, package`,
	},
	"vulnerabilities": {
		`SELECT vulnerability_id, name, kev, fixable, packages, nodes, decided FROM affected WHERE nodes <> 0 OR decided <> 0`,
		`SELECT v.id, v.name, COALESCE(v.kev, 0), COALESCE(max(o.fixable) FILTER (WHERE o.state = 'open'), 0),
			count(DISTINCT o.ecosystem || ' ' || o.package) FILTER (WHERE o.state = 'open'),
			count(DISTINCT o.node_id) FILTER (WHERE o.state = 'open'), count(DISTINCT o.node_id) FILTER (WHERE o.state = 'decided')
			FROM occurrence AS o JOIN vulnerability AS v ON v.id = o.vulnerability_id WHERE o.resolved_at IS NULL GROUP BY v.id, v.name, v.kev`,
	},
	"worst": {
		`SELECT vulnerability_id, rank FROM affected WHERE nodes > 0`,
		`SELECT vulnerability_id, max(rank) FROM occurrence WHERE state = 'open' GROUP BY vulnerability_id`,
	},
	"severities": {
		`SELECT DISTINCT o.id, o.severity, o.rank, o.kev FROM occurrence AS o`,
		`SELECT DISTINCT o.id, f.severity, f.rank, COALESCE(v.kev, 0) FROM occurrence AS o JOIN vulnerability AS v ON v.id = o.vulnerability_id
			JOIN finding AS f ON f.vulnerability_id = o.vulnerability_id AND f.ecosystem = o.ecosystem`,
	},
	"fixable": {
		`SELECT id, fixable FROM occurrence WHERE resolved_at IS NULL AND node_id NOT IN (SELECT node_id FROM unseen_component)`,
		`SELECT o.id, CASE WHEN count(*) FILTER (WHERE f.fixed <> '[]') > 0 THEN 1 ELSE 0 END FROM occurrence AS o
			JOIN node_result AS n ON n.node_id = o.node_id JOIN result_finding AS r ON r.result_id = n.result_id
			JOIN finding AS f ON f.id = r.finding_id AND f.vulnerability_id = o.vulnerability_id AND f.ecosystem = o.ecosystem AND f.package = o.package
			WHERE o.resolved_at IS NULL AND o.node_id NOT IN (SELECT node_id FROM unseen_component) GROUP BY o.id`,
	},
	"decisions": {
		`SELECT id, state, decision_id FROM occurrence WHERE resolved_at IS NULL`,
		`WITH means AS (SELECT o.id AS occurrence_id, d.id AS decision_id, d.component, d.name, d.version, d.ecosystem, d.source FROM occurrence AS o JOIN vulnerability AS v ON v.id = o.vulnerability_id
				JOIN decision AS d ON d.vulnerability = v.name
				WHERE o.resolved_at IS NULL AND d.expired_at IS NULL AND d.package IN ('', o.package) AND d.node_id IN ('', o.node_id)
				AND (d.selector = '' OR EXISTS (SELECT 1 FROM decision_node AS m WHERE m.decision_id = d.id AND m.node_id = o.node_id))),
			affected AS (SELECT o.id AS occurrence_id, c.id AS component_id, (SELECT min(m.decision_id) FROM means AS m
					WHERE m.occurrence_id = o.id AND m.component <> '' AND CASE m.source WHEN 1 THEN m.name = c.source_name AND m.version IN ('', c.source_version) ELSE m.name = lower(c.name) AND m.version IN ('', c.version) END AND c.ecosystem LIKE m.ecosystem || '%') AS decision_id
				FROM occurrence AS o JOIN node_result AS n ON n.node_id = o.node_id JOIN result_finding AS r ON r.result_id = n.result_id
				JOIN finding AS f ON f.id = r.finding_id AND f.vulnerability_id = o.vulnerability_id AND f.ecosystem = o.ecosystem AND f.package = o.package
				JOIN component AS c ON c.id = f.component_id WHERE o.resolved_at IS NULL)
			SELECT id, CASE WHEN decision_id IS NULL THEN 'open' ELSE 'decided' END, decision_id FROM (SELECT o.id,
				COALESCE((SELECT min(m.decision_id) FROM means AS m WHERE m.occurrence_id = o.id AND m.component = ''),
				(SELECT min(a.decision_id) FROM affected AS a WHERE a.occurrence_id = o.id
					AND NOT EXISTS (SELECT 1 FROM affected AS other WHERE other.occurrence_id = o.id AND other.decision_id IS NULL))) AS decision_id
				FROM occurrence AS o WHERE o.resolved_at IS NULL) AS meant`,
	},
	"states": {
		`SELECT id, CASE WHEN state = 'resolved' THEN 1 ELSE 0 END FROM occurrence`,
		`SELECT id, CASE WHEN resolved_at IS NOT NULL THEN 1 ELSE 0 END FROM occurrence`,
	},
	"findings": {
		`SELECT id, name, results FROM finding`,
		`SELECT f.id, v.name, (SELECT count(DISTINCT r.result_id) FROM result_finding AS r JOIN node_result AS n ON n.result_id = r.result_id WHERE r.finding_id = f.id)
			FROM finding AS f JOIN vulnerability AS v ON v.id = f.vulnerability_id`,
	},
}

// wantCounted compares every kept number with what it stands for.
func (h house) wantCounted(after string) {
	h.t.Helper()
	for what, q := range recounts {
		for side, query := range map[string]string{
			"kept, not so": `SELECT * FROM (` + q[0] + `) AS kept EXCEPT SELECT * FROM (` + q[1] + `) AS so`,
			"so, not kept": `SELECT * FROM (` + q[1] + `) AS so EXCEPT SELECT * FROM (` + q[0] + `) AS kept`,
		} {
			if n := h.count(`SELECT count(*) FROM (` + query + `) AS differ`); n != 0 {
				h.t.Fatalf("after %s: %s: %d rows are %s", after, what, n, side)
			}
		}
	}
}

// fleetOfChance does whatever can happen to occurrences, in an order of chance.
type fleetOfChance struct {
	house
	*rand.Rand
	nodes      []string
	advisories []advisory
	revisions  int
	decided    []string
}

func newFleetOfChance(h house, seed uint64) *fleetOfChance {
	f := &fleetOfChance{house: h, Rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range 5 {
		f.nodes = append(f.nodes, h.node(fmt.Sprintf("node-%d", i)))
	}
	for i := range 12 {
		f.publish(fmt.Sprintf("GHSA-%04d", i))
	}
	return f
}

// publish makes an advisory for one of a few packages.
func (f *fleetOfChance) publish(record string) {
	places := [][2]string{{"PyPI", "jinja2"}, {"PyPI", "flask"}, {"Debian:12", "openssl"}, {"Debian:12", "bash"}, {"AlmaLinux:9", "golang"}}
	place := places[f.IntN(len(places))]
	fixed := []string{"", "2.0", "3.0"}[f.IntN(3)]
	vector := []string{"", critical, medium, "AlmaLinux: Important"}[f.IntN(4)]
	f.advisories = append(f.advisories, advisory{record, place[0], place[1], fixed, record, vector})
}

// name gives a vulnerability a CVE, which another may have already; all that one
// record says has one name.
func (f *fleetOfChance) name() {
	a := f.advisories[f.IntN(len(f.advisories))]
	cve := fmt.Sprintf("CVE-2099-%04d", f.IntN(6))
	for i := range f.advisories {
		if f.advisories[i].vulnerability == a.vulnerability && f.advisories[i].record == a.vulnerability {
			f.advisories[i].vulnerability = cve
		}
	}
}

// decideSomething takes a decision of any scope.
func (f *fleetOfChance) decideSomething() {
	until := f.clock.Now().Add(time.Duration(f.IntN(20)+1) * time.Hour)
	r := finding.DecisionRequest{Vulnerability: f.advisories[f.IntN(len(f.advisories))].vulnerability, Status: finding.RiskAccepted, Until: &until}
	switch f.IntN(6) {
	case 3, 4:
		r.Component = []string{"pkg:pypi/jinja2@1.0", "pkg:pypi/jinja2", "pkg:deb/debian/libssl3@1.0?distro=debian-12", "pkg:deb/debian/openssl", "pkg:deb/debian/bash@2.0"}[f.IntN(5)]
	case 0:
		r.Node = f.nodes[f.IntN(len(f.nodes))]
	case 1:
		r.Selector = `node.name < "node-3"`
	case 2:
		r.Package = "jinja2"
	}
	f.decided = append(f.decided, f.decide(r).ID)
}

func (f *fleetOfChance) step() string {
	switch f.IntN(12) {
	case 8, 9:
		f.decideSomething()
		return "a decision"
	case 10:
		if err := f.Expire(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		return "the end of decisions"
	case 11:
		if len(f.decided) > 0 && f.IntN(3) == 0 {
			var p *problem.Error // of a node that was deleted
			if err := f.Revoke(f.t.Context(), f.decided[0]); err != nil && !errors.As(err, &p) {
				f.t.Fatal(err)
			}
			f.decided = f.decided[1:]
			return "a decision that is revoked"
		}
	case 0:
		f.publish(fmt.Sprintf("GHSA-%04d", f.IntN(1000)+100))
		return "a new advisory"
	case 1:
		f.name()
		return "a CVE"
	case 2:
		known := intelligence{}
		for _, a := range f.advisories {
			known[a.vulnerability] = risk.Intelligence{KEV: &risk.KEV{Listed: f.IntN(3) == 0}}
			if f.IntN(3) == 0 {
				known[a.vulnerability] = risk.Intelligence{CVSS: []risk.Vector{{Vector: medium, Source: "CISA-ADP"}}}
			}
		}
		if err := f.Reassess(f.t.Context(), known); err != nil {
			f.t.Fatal(err)
		}
		return "intelligence"
	case 3:
		if f.IntN(4) == 0 {
			f.forget(f.nodes[f.IntN(len(f.nodes))])
			return "a node that is deleted"
		}
	case 4:
		f.sweep(time.Duration(f.IntN(40)) * time.Hour)
		return "the end of what is old"
	}
	f.revisions++
	f.scan(f.nodes[f.IntN(len(f.nodes))], revision{fmt.Sprintf("r%d", f.revisions), f.advisories}, f.installed()...)
	return "a scan"
}

func (f *fleetOfChance) installed() []sbom.Component {
	version := func() string { return []string{"1.0", "2.0", "3.0"}[f.IntN(3)] }
	components := []sbom.Component{}
	for _, c := range []sbom.Component{
		python("jinja2", version()), python("jinja2", "2.5"), python("flask", version()),
		deb("libssl3", "openssl", version()), deb("openssl", "openssl", version()), deb("bash", "bash", version()),
		{Ecosystem: "AlmaLinux:9", Name: "golang", Version: version()},
	} {
		if f.IntN(3) > 0 {
			components = append(components, c)
		}
	}
	return components
}

// sweep removes what is older than that.
func (h house) sweep(age time.Duration) {
	h.t.Helper()
	moment := h.clock.Now().Add(-age)
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error {
		_, err := tx.ExecContext(h.t.Context(), `DELETE FROM scan WHERE finished_at < $1 AND EXISTS (SELECT 1 FROM scan AS l WHERE l.node_id = scan.node_id AND l.id > scan.id)`, moment.UnixMicro())
		return err
	})
	for _, sweep := range []func(context.Context, time.Time) (int64, error){h.SweepOccurrences, h.SweepResults} {
		if _, err := sweep(h.t.Context(), moment); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h house) forget(node string) {
	h.t.Helper()
	dbtest.Write(h.t, h.db, func(tx *db.Tx) error { return h.Forget(h.t.Context(), tx, node) })
	delete(h.had, node)
}

// Whatever happens, in whatever order, the numbers that are kept are those that a
// count gives.
func TestNumbersAreRight(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		f := newFleetOfChance(h, 7)
		for range 150 {
			f.wantCounted(f.step())
		}
		if h.count(`SELECT count(*) FROM occurrence WHERE state = 'open'`) == 0 {
			t.Error("nothing is open at the end: nothing was shown")
		}
	})
}

func TestForget(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node, other := h.node("web-1"), h.node("web-2")
		h.scan(node, known, vulnerable)
		h.scan(other, known, vulnerable)
		h.forget(node)
		h.wantCounted("a node that is deleted")
		if all := h.occurrences(node); len(all) != 0 {
			t.Errorf("of the deleted node: %+v", all)
		}
		v, err := h.Vulnerability(t.Context(), heartbleed.vulnerability)
		if err != nil || v.AffectedNodes != 1 || len(h.list(finding.Query{}, 10)) != 1 {
			t.Errorf("%+v, %v; want the other node's", v, err)
		}
	})
}
