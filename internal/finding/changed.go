package finding

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/risk"
)

// That an occurrence was opened is no event: a disclosure opens hundreds of thousands.
// The event is that a scan or a re-match is over, and who wants to tell what it did asks
// here.

// Noted is an occurrence as those need it who tell of it. How severe it is and what
// became of it is as of now.
type Noted struct {
	ID              int64
	VulnerabilityID int64
	Vulnerability   string // its name
	NodeID          string
	Ecosystem       string // without its release
	Package         string // as the advisory names it
	Severity        risk.Severity
	Rank            int // of the severity; 5 is worst
	KEV, Fixable    bool
	OpenedAt        time.Time
	Because         string // why it was opened; of those that are over, why: empty for a decision
	State           string // open, decided, resolved
}

// Cause is what opened or resolved occurrences: a scan of a node, or a re-match.
type Cause struct {
	ID       string
	Node     string    // of a scan; empty for a re-match
	From, To time.Time // of a re-match: all that it did, it did no earlier and no later
}

// OpenedBy returns what a scan or a re-match opened, by id; also what was decided or
// resolved since.
func (s *Service) OpenedBy(ctx context.Context, q db.Querier, c Cause) ([]Noted, error) {
	looks := looksOnNode(`opened_because`, ` AND opened_scan = $2`)
	if c.Node == "" {
		looks = nil
		for _, state := range []string{Open, Decided, Resolved} {
			looks = append(looks, noted(`opened_because`, `state = '`+state+`' AND `+alike+` IN (`+everyAlike()+`)
				AND opened_at >= $1 AND opened_at <= $2 AND opened_scan = $3`))
		}
	}
	return s.notedBy(ctx, q, c, "opened", strings.Join(looks, ` UNION ALL `))
}

// ResolvedBy returns what a scan or a re-match resolved, by id.
func (s *Service) ResolvedBy(ctx context.Context, q db.Querier, c Cause) ([]Noted, error) {
	selected := noted(`resolved_because`, `node_number = `+NumberOf(`$1`)+` AND resolved_at IS NOT NULL AND resolved_scan = $2`)
	if c.Node == "" {
		selected = noted(`resolved_because`, `resolved_at IS NOT NULL AND resolved_at >= $1 AND resolved_at <= $2 AND resolved_scan = $3`)
	}
	return s.notedBy(ctx, q, c, "resolved", selected)
}

func (s *Service) notedBy(ctx context.Context, q db.Querier, c Cause, what, selected string) ([]Noted, error) {
	args := []any{c.Node, c.ID}
	if c.Node == "" {
		args = []any{c.From.UnixMicro(), c.To.UnixMicro(), c.ID}
	}
	found, err := readNoted(ctx, q, selected, args...)
	if err != nil {
		return nil, fmt.Errorf("read what %s %s: %w", c.ID, what, err)
	}
	return found, nil
}

// looksOnNode selects occurrences of the node that is the first parameter, each half of
// them from the index that has it.
func looksOnNode(because, where string) []string {
	return []string{
		noted(because, `node_number = `+NumberOf(`$1`)+` AND resolved_at IS NULL`+where),
		noted(because, `node_number = `+NumberOf(`$1`)+` AND resolved_at IS NOT NULL`+where),
	}
}

// noted selects occurrences for readNoted.
func noted(because, where string) string {
	return `SELECT id, vulnerability_id, node_id, ecosystem, package, ` + alike + ` AS kind, opened_at, ` + because + ` AS because, state FROM occurrence WHERE ` + where
}

// readNoted reads what noted selects. The vulnerabilities of the occurrences are looked
// up, never the other way round.
func readNoted(ctx context.Context, q db.Querier, selected string, args ...any) ([]Noted, error) {
	rows, err := q.QueryContext(ctx, `SELECT o.id, o.vulnerability_id, v.name, o.node_id, o.ecosystem, o.package, o.kind, o.opened_at, o.because, o.state
		FROM (`+selected+`) AS o CROSS JOIN vulnerability AS v WHERE v.id = o.vulnerability_id`, args...)
	found, err := db.All(rows, err, func(scan db.Scan) (n Noted, err error) {
		var kind int
		err = scan(&n.ID, &n.VulnerabilityID, &n.Vulnerability, &n.NodeID, &n.Ecosystem, &n.Package, &kind, db.Time{Time: &n.OpenedAt}, &n.Because, &n.State)
		n.Rank, n.KEV, n.Fixable = kind/4, kind/2%2 == 1, kind%2 == 1
		n.Severity = risk.OfRank(n.Rank)
		return n, err
	})
	slices.SortFunc(found, func(a, b Noted) int { return cmp.Compare(a.ID, b.ID) })
	return found, err
}

// Which says which occurrences are asked for: those for which all holds that it names.
type Which struct {
	Vulnerability string // its name
	Node          string
	Occurrence    int64
	Decided       bool // those that somebody decided about; else those that are open
}

// Unresolved returns occurrences that are open, or those that are decided, by id, at most
// limit of those that follow an id.
func (s *Service) Unresolved(ctx context.Context, q db.Querier, w Which, after int64, limit int) ([]Noted, error) {
	var args arguments
	where, because := `state = '`+Open+`'`, `opened_because`
	if w.Decided {
		where, because = `state = '`+Decided+`'`, `''`
	}
	if w == (Which{Decided: w.Decided}) {
		return nil, errors.New("read what is not resolved: nobody says of what")
	}
	if w.Vulnerability != "" {
		where += ` AND vulnerability_id = (SELECT id FROM vulnerability WHERE name = ` + args.add(w.Vulnerability) + `)`
	}
	if w.Node != "" {
		where += ` AND resolved_at IS NULL AND node_number = ` + NumberOf(args.add(w.Node))
	}
	if w.Occurrence != 0 {
		where += ` AND id = ` + args.add(w.Occurrence)
	}
	// They are found first: to find them in the order of ids would read all that there are.
	last := args.add(after)
	found, err := readNoted(ctx, q, `WITH these AS MATERIALIZED (SELECT id FROM occurrence WHERE `+where+` AND id > `+last+`)
		`+noted(because, `id IN (SELECT id FROM these ORDER BY id LIMIT `+args.add(limit)+`)`), args...)
	if err != nil {
		return nil, fmt.Errorf("read what is not resolved: %w", err)
	}
	return found, nil
}

// RetiredWith returns what was resolved because its node was retired, from a moment on.
func (s *Service) RetiredWith(ctx context.Context, q db.Querier, node string, from time.Time) ([]Noted, error) {
	found, err := readNoted(ctx, q, noted(`resolved_because`, `node_number = `+NumberOf(`$1`)+` AND resolved_at IS NOT NULL AND resolved_at >= $2
		AND resolved_because = '`+Retired+`'`), node, from.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("read what was retired with node %s: %w", node, err)
	}
	return found, nil
}

// Background is what is known of a vulnerability, wherever it is.
type Background struct {
	Aliases []string
	Summary string
	Score   float64 // CVSS, of the deciding vector; 0 without one
	EPSS    float64 // 0 to 1; 0 without a score
	// Fixed are the versions that fix it, sorted, by ecosystem without its release and
	// package, with a NUL between them; those of all releases that nodes have.
	Fixed map[string][]string
}

// FixedIn returns those of a package.
func (b Background) FixedIn(ecosystem, pkg string) []string { return b.Fixed[fixedKey(ecosystem, pkg)] }

func fixedKey(ecosystem, pkg string) string { return ecosystem + "\x00" + pkg }

// Background returns what is known of vulnerabilities, by their ids.
func (s *Service) Background(ctx context.Context, q db.Querier, vulnerabilities []int64) (map[int64]Background, error) {
	list, err := db.Column(vulnerabilities)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]Background, len(vulnerabilities))
	rows, err := q.QueryContext(ctx, `SELECT id, aliases, summary, cvss, COALESCE(epss, 0) FROM vulnerability WHERE id `+db.AmongIDs, list)
	if err == nil {
		err = db.Each(rows, func(scan db.Scan) error {
			var id int64
			var cvss []risk.CVSS
			b := Background{Fixed: make(map[string][]string)}
			err := scan(&id, db.JSON{Into: &b.Aliases}, &b.Summary, db.JSON{Into: &cvss}, &b.EPSS)
			if len(cvss) > 0 {
				b.Score = cvss[0].Score
			}
			found[id] = b
			return err
		})
	}
	if err == nil {
		err = noteFixed(ctx, q, list, found)
	}
	if err != nil {
		return nil, fmt.Errorf("read what is known of vulnerabilities: %w", err)
	}
	return found, nil
}

// noteFixed adds by which versions vulnerabilities are fixed, of what nodes have now.
func noteFixed(ctx context.Context, q db.Querier, list string, found map[int64]Background) error {
	rows, err := q.QueryContext(ctx, `SELECT DISTINCT vulnerability_id, ecosystem, package, fixed FROM finding
		WHERE vulnerability_id `+db.AmongIDs+` AND results > 0 AND fixed <> '[]'`, list)
	if err != nil {
		return err
	}
	err = db.Each(rows, func(scan db.Scan) error {
		var p place
		var fixed []string
		err := scan(&p.Vulnerability, &p.Ecosystem, &p.Package, db.JSON{Into: &fixed})
		if b, ok := found[p.Vulnerability]; ok {
			at := fixedKey(p.Ecosystem, p.Package)
			b.Fixed[at] = append(b.Fixed[at], fixed...)
		}
		return err
	})
	for _, b := range found {
		for at, fixed := range b.Fixed {
			slices.Sort(fixed)
			b.Fixed[at] = slices.Compact(fixed)
		}
	}
	return err
}
