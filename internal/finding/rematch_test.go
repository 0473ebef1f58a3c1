package finding_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patrol/internal/feed"
	"patrol/internal/feed/feedtest"
	"patrol/internal/finding"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/sbom"
)

func (h house) feed() feedtest.Feed {
	h.t.Helper()
	return feedtest.New(h.t, h.db, h.clock.Now)
}

func (h house) rematch(p feedtest.Feed) {
	h.t.Helper()
	h.clock.Advance(time.Hour)
	rev, settled, err := p.Newest(h.t.Context())
	if err != nil || !settled {
		h.t.Fatal(settled, err)
	}
	if err := h.Rematch(h.t.Context(), p, rev); err != nil {
		h.t.Fatal(err)
	}
}

// rematches are the re-matches so far, one line each.
func (h house) rematches() string {
	h.t.Helper()
	return dbtest.Text(h.t, h.db.Read(), `SELECT COALESCE(string_agg(line, '; '), '') FROM (SELECT cause || ' ' || state || ', ' || records_new || '+' || records_changed || '-' || records_gone
		|| ', nodes ' || nodes || ', opened ' || opened || ', resolved ' || resolved || ', unchanged ' || unchanged AS line FROM rematch ORDER BY id) AS r`)
}

func goModule(name, version string) sbom.Component {
	return sbom.Component{Ecosystem: "Go", Name: name, Version: version, Locations: []string{"app"}}
}

func wheel(name, version string) sbom.Component {
	return sbom.Component{Ecosystem: "PyPI", Name: name, Version: version, Locations: []string{"usr/lib/python3"}}
}

// What is disclosed today is found on a node that is not scanned again, and what is
// corrected or withdrawn is resolved, with the reason.
func TestRematchOpensAndResolves(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		corrected := feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-1"}}
		withdrawn := feedtest.Record{ID: "GO-2", Ecosystem: "Go", Package: "example.org/b", Aliases: []string{"CVE-2026-2"}}
		stays := feedtest.Record{ID: "GO-3", Ecosystem: "Go", Package: "example.org/b", Aliases: []string{"CVE-2026-3"}}
		first := p.Publish(corrected, withdrawn, stays)
		one, two, other := h.node("web-1"), h.node("web-2"), h.node("db-1")
		for _, node := range []string{one, two} {
			h.scan(node, first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
		}
		h.scan(other, first, goModule("example.org/c", "1.0.0"))
		h.rematch(p)
		if got := h.rematches(); got != "" {
			t.Errorf("where nothing is behind: %s", got)
		}

		corrected.Fixed, withdrawn.Withdrawn, stays.Fixed = "0.9.0", true, "2.0.0"
		disclosed := feedtest.Record{ID: "GO-4", Ecosystem: "Go", Package: "example.org/a", Fixed: "1.1.0", Aliases: []string{"CVE-2026-4"}}
		p.Publish(corrected, withdrawn, stays, disclosed)
		h.rematch(p)
		for _, node := range []string{one, two} {
			got := []string{}
			for _, o := range h.occurrences(node) {
				got = append(got, fmt.Sprintf("%s %s %s %s%s fixable %v", o.Vulnerability, o.Package, o.State, o.OpenedBecause, "/"+o.ResolvedBecause, o.Fixable))
			}
			slices.Sort(got)
			want := []string{
				"CVE-2026-1 example.org/a resolved first_scan/corrected fixable false",
				"CVE-2026-2 example.org/b resolved first_scan/withdrawn fixable false",
				"CVE-2026-3 example.org/b open first_scan/ fixable true",
				"CVE-2026-4 example.org/a open disclosed/ fixable true",
			}
			if !slices.Equal(got, want) {
				t.Errorf("occurrences\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		if got, want := h.rematches(), "feed complete, 1+3-0, nodes 3, opened 2, resolved 4, unchanged 2"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'node.rematched'`); n != 2 {
			t.Errorf("%d events tell of nodes; want one for each that something changed on", n)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'rematch.completed'`); n != 1 {
			t.Errorf("%d events tell of the whole", n)
		}
		if n := h.count(`SELECT count(DISTINCT revision) FROM result_of`); n != 1 {
			t.Errorf("what inventories gave is remembered of %d revisions", n)
		}
		h.wantCounted("the re-match")
		h.rematch(p)
		if got := h.count(`SELECT count(*) FROM rematch`); got != 1 {
			t.Errorf("%d re-matches where there was nothing to do", got)
		}
	})
}

// What steps mean is compared before the transaction that takes them, and anew if it no
// longer stands there.
func TestComparisonStands(t *testing.T) {
	changes := map[string]string{
		"nothing":                      ``,
		"something else":               `UPDATE vulnerability SET kev = 1 WHERE name = 'CVE-2026-9'`,
		"it is exploited":              `UPDATE vulnerability SET kev = 1 WHERE name = 'CVE-2026-2'`,
		"it is worse":                  `UPDATE finding SET rank = 5 WHERE name = 'CVE-2026-2'`,
		"another vulnerability it is":  `UPDATE finding SET vulnerability_id = (SELECT id FROM vulnerability WHERE name = 'CVE-2026-9') WHERE name = 'CVE-2026-2'`,
		"a result has another finding": `INSERT INTO result_finding (result_id, finding_id) SELECT n.result_id, f.id FROM node_result AS n, finding AS f WHERE f.name = 'CVE-2026-2'`,
		"somebody has decided about it": `INSERT INTO decision (id, vulnerability, package, status, justification, reason, author, node_id, selector, created_at)
			VALUES ('1', 'CVE-2026-2', '', 'false_positive', '', '', '', '', '', 0)`,
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				p := h.feed()
				known := feedtest.Record{ID: "GO-9", Ecosystem: "Go", Package: "example.org/b", Aliases: []string{"CVE-2026-9"}}
				unnamed := feedtest.Record{ID: "GHSA-9", Ecosystem: "Go", Package: "example.org/b"}
				first := p.Publish(known, unnamed)
				h.scan(h.node("web-1"), first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
				second := p.Publish(known, unnamed, feedtest.Record{ID: "GO-2", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-2"}})
				h.match(h.put(goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0")), second)
				stands, err := h.Compared(t.Context(), second)
				if err != nil {
					t.Fatal(err)
				}
				switch change {
				case "":
				case "merge":
					unnamed.Aliases = []string{"CVE-2026-9"}
					h.scan(h.node("web-2"), p.Publish(known, unnamed), goModule("example.org/b", "1.0.0"))
				default:
					h.execute(change)
				}
				want := name == "nothing" || name == "something else"
				if got, err := stands(); err != nil || got != want {
					t.Errorf("stands: %v, %v; want %v", got, err, want)
				}
			})
		})
	}
}

func TestSweepRematches(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for i, state := range []string{"failed", "complete", "running"} {
			h.execute(`INSERT INTO rematch (id, cause, state, revision_before, revision, engine, records_new, records_changed, records_gone, components, nodes,
				opened, resolved, unchanged, started_at, finished_at) VALUES ($1, 'feed', $2, '', '', '1', 0, 0, 0, 0, 0, 0, 0, 0, 0, $3)`, fmt.Sprint(i), state, i+1)
		}
		removed, err := h.SweepRematches(t.Context(), time.UnixMicro(2))
		if left := h.count(`SELECT count(*) FROM rematch`); err != nil || removed != 1 || left != 2 {
			t.Errorf("removed %d, left %d, %v; want one that ended before", removed, left, err)
		}
	})
}

// A node of which more is open than its result says, and vulnerabilities that somebody
// decided about, go the way that a scan goes.
func TestRematchOfWhatDependsOnTheNode(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		a := feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-1"}}
		first := p.Publish(a)
		blind, sees := h.node("web-1"), h.node("web-2")
		h.scan(sees, first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
		h.scan(blind, first, goModule("example.org/a", "1.0.0"), goModule("example.org/b", "1.0.0"))
		// What could not be looked at at last is open still.
		document := h.put(goModule("example.org/b", "1.0.0"))
		after := finding.State{Inventory: document.Inventory.ID, Result: h.match(document, first)}
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			if err := h.fleet.Installed(t.Context(), tx, blind, document); err != nil {
				return err
			}
			_, _, err := h.Apply(t.Context(), tx, blind, "scan", h.had[blind], after, []sbom.Key{goModule("example.org/a", "1.0.0").Key()})
			return err
		})
		if _, err := h.Decide(t.Context(), finding.DecisionRequest{Vulnerability: "CVE-2026-2", Status: "false_positive", Reason: "known", Node: sees}, "admin"); err != nil {
			t.Fatal(err)
		}
		p.Publish(a, feedtest.Record{ID: "GO-2", Ecosystem: "Go", Package: "example.org/b", Aliases: []string{"CVE-2026-2"}})
		h.rematch(p)
		for node, want := range map[string]string{sees: "CVE-2026-1 open, CVE-2026-2 decided", blind: "CVE-2026-1 open, CVE-2026-2 open"} {
			got := []string{}
			for _, o := range h.occurrences(node) {
				got = append(got, o.Vulnerability+" "+o.State)
			}
			if got := strings.Join(got, ", "); got != want {
				t.Errorf("%s; want %s", got, want)
			}
		}
		h.wantCounted("the re-match")
	})
}

// One inventory that cannot be matched leaves only its own nodes behind, and holds up
// neither the rest of the fleet nor the sweep. The re-match says why it failed, and is
// complete once it can be. The fault is an index that lets the inventory have no second
// result.
func TestRematchAroundAFault(t *testing.T) {
	const fault = "unique constraint"
	mend := func(h house, _ string, _ *feed.Revision) { h.execute(`DROP INDEX fault`) }
	for name, test := range map[string]struct {
		engine string // by whose rules the fleet was matched before
		end    func(h house, node string, rev *feed.Revision)
	}{
		"the fault is mended":                   {match.EngineVersion, mend},
		"the fault is mended, by new rules too": {"before", mend},
		"the node has something else now": {"before", func(h house, node string, rev *feed.Revision) {
			h.scan(node, rev, goModule("example.org/a", "1.3.0"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				p := h.feed()
				first := p.Publish(feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Fixed: "1.0.0", Aliases: []string{"CVE-2026-1"}})
				faulty, sound := h.node("web-1"), h.node("web-2")
				h.scan(faulty, first, goModule("example.org/a", "1.1.0"))
				h.scan(sound, first, goModule("example.org/a", "1.2.0"))
				rev := p.Publish(feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-1"}})
				inventory := h.count(`SELECT inventory_id FROM node WHERE name = 'web-1'`)
				h.execute(fmt.Sprintf(`UPDATE result_of SET engine = '%s'`, test.engine))
				h.execute(fmt.Sprintf(`CREATE UNIQUE INDEX fault ON result_of (inventory_id) WHERE inventory_id = %d`, inventory))
				h.execute(`INSERT INTO result (digest, uncovered, unread) VALUES ('that nothing needs', '[]', '[]')`)
				for range 2 {
					if err := h.Rematch(t.Context(), p, rev); err == nil || !strings.Contains(strings.ToLower(err.Error()), fault) {
						t.Errorf("Rematch = %v", err)
					}
				}
				if f, s := h.occurrences(faulty), h.occurrences(sound); len(f) != 0 || len(s) != 1 {
					t.Errorf("%d occurrences where the fault is, %d where there is none", len(f), len(s))
				}
				digest := dbtest.Text(t, h.db.Read(), `SELECT digest FROM inventory WHERE id = $1`, inventory)
				if got := dbtest.Text(t, h.db.Read(), `SELECT state || ': ' || error FROM rematch`); !strings.HasPrefix(got, "failed: match inventory "+digest) ||
					!strings.Contains(strings.ToLower(got), fault) {
					t.Errorf("it says %q", got)
				}
				if n := h.count(`SELECT count(*) FROM event WHERE type = 'rematch.failed'`); n != 1 {
					t.Errorf("%d events tell that it failed; want one, however often it is tried", n)
				}
				if n, err := h.SweepResults(t.Context(), h.clock.Now()); err != nil || n != 1 {
					t.Errorf("%d results were swept, %v; want the one that nothing needs", n, err)
				}

				test.end(h, faulty, rev)
				h.rematch(p)
				if f := h.occurrences(faulty); len(f) != 1 {
					t.Errorf("%d occurrences where the fault was", len(f))
				}
				if got := dbtest.Text(t, h.db.Read(), `SELECT state || error FROM rematch`); got != "complete" {
					t.Errorf("in the end it is %q", got)
				}
				if n := h.count(`SELECT count(*) FROM event WHERE type = 'rematch.completed'`); n != 1 {
					t.Errorf("%d events tell that it is over", n)
				}
			})
		})
	}
}

// A node that cannot be moved holds up no other.
func TestRematchAroundANode(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		first := p.Publish(feedtest.Record{ID: "GO-0", Ecosystem: "Go", Package: "example.org/b"})
		faulty, sound := h.node("web-1"), h.node("web-2")
		for _, node := range []string{faulty, sound} {
			h.scan(node, first, goModule("example.org/a", "1.1.0"))
		}
		rev := p.Publish(feedtest.Record{ID: "GO-0", Ecosystem: "Go", Package: "example.org/b"},
			feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-1"}},
			feedtest.Record{ID: "GO-2", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-2"}})
		h.execute(`CREATE UNIQUE INDEX fault ON occurrence (node_id) WHERE node_id = '` + faulty + `'`)
		if err := h.Rematch(t.Context(), p, rev); err == nil || !strings.Contains(err.Error(), "node "+faulty) {
			t.Errorf("Rematch = %v", err)
		}
		if f, s := h.occurrences(faulty), h.occurrences(sound); len(f) != 0 || len(s) != 2 {
			t.Errorf("%d occurrences on the node that cannot move, %d on the other", len(f), len(s))
		}
		h.execute(`DROP INDEX fault`)
		h.rematch(p)
		if f := h.occurrences(faulty); len(f) != 2 {
			t.Errorf("%d occurrences once it can", len(f))
		}
	})
}

// A console that was killed in the middle goes on: whichever transactions it had
// done, each occurrence and each event is there once in the end.
func TestRematchGoesOn(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		p := h.feed()
		first := p.Publish(feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-1"}})
		for i := range 4 {
			h.scan(h.node(fmt.Sprintf("web-%d", i)), first, goModule("example.org/a", fmt.Sprintf("1.%d.0", i)))
		}
		rev := p.Publish(feedtest.Record{ID: "GO-1", Ecosystem: "Go", Package: "example.org/a", Fixed: "1.2.0", Aliases: []string{"CVE-2026-1"}},
			feedtest.Record{ID: "GO-2", Ecosystem: "Go", Package: "example.org/a", Aliases: []string{"CVE-2026-2"}})
		h.clock.Advance(time.Hour)
		for looks := range 100 {
			// It is killed when it looks at the clock, which each transaction does.
			ctx, kill := context.WithCancel(t.Context())
			left := looks
			s := finding.NewService(h.db, h.fleet, func() time.Time {
				if left--; left < 0 {
					kill()
				}
				return h.clock.Now()
			})
			s.MoveOneByOne()
			err := s.Rematch(ctx, p, rev)
			kill()
			if err == nil {
				break
			}
			h.wantCounted(fmt.Sprintf("%d looks at the clock", looks))
		}
		if got, want := h.rematches(), "feed complete, 1+1-0, nodes 4, opened 4, resolved 2, unchanged 2"; got != want {
			t.Errorf("%s; want %s", got, want)
		}
		if n := h.count(`SELECT count(*) FROM event WHERE type = 'node.rematched'`); n != 4 {
			t.Errorf("%d events tell of nodes", n)
		}
		h.wantCounted("the re-match")
	})
}
