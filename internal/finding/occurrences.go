package finding

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
)

// OccurrenceQuery says which occurrences a list holds; empty fields hold for all.
type OccurrenceQuery struct {
	Node          string    `query:"node" doc:"Id of a node."`
	Vulnerability string    `query:"vulnerability" doc:"Its name, such as CVE-2024-28757."`
	Package       string    `query:"package" doc:"As the advisories name it: Debian's source."`
	Severity      string    `query:"severity" enum:"malicious,critical,high,medium,low,unknown"`
	KEV           string    `query:"kev" enum:"true,false" doc:"Whether CISA lists the vulnerability as exploited."`
	Fixable       string    `query:"fixable" enum:"true,false" doc:"Whether some version is known that fixes it."`
	OpenedAfter   time.Time `query:"opened_after" doc:"Not before this moment."`
	OpenedBefore  time.Time `query:"opened_before"`
	State         string    `query:"state" enum:"open,decided,resolved,all" default:"open"`
	Overdue       string    `query:"overdue" enum:"true,false" doc:"Whether it is past its due date; of open ones alone, whatever the state that is asked for."`
}

// newest is the sort key of a page's last occurrence.
type newest struct {
	OpenedAt int64 `json:"o"`
	ID       int64 `json:"i"`
}

// Occurrences lists occurrences, newest first.
func (s *Service) Occurrences(ctx context.Context, q OccurrenceQuery, p rest.Paging) (rest.Page[Occurrence], error) {
	before := newest{1<<63 - 1, 1<<63 - 1}
	if err := p.Decode(&before); err != nil {
		return rest.Page[Occurrence]{}, err
	}
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return rest.Page[Occurrence]{}, err
	}
	if err := s.exists(ctx, Query{Node: q.Node}, scope); err != nil {
		return rest.Page[Occurrence]{}, err
	}
	due, err := s.due(ctx)
	if err != nil {
		return rest.Page[Occurrence]{}, err
	}
	var args arguments
	from, err := s.newestOf(ctx, &args, q, scope, due, before, p.Limit+1)
	if err != nil {
		return rest.Page[Occurrence]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT o.id, o.node_id, n.name, n.kind, v.name, o.severity, o.kev, o.fixable, o.state, COALESCE(o.decision_id, ''),
			o.ecosystem, o.package, o.opened_at, o.opened_because, o.resolved_at, COALESCE(o.resolved_because, '')
		FROM (`+from+`) AS newest JOIN occurrence AS o ON o.id = newest.id
		JOIN vulnerability AS v ON v.id = o.vulnerability_id JOIN node AS n ON n.id = o.node_id
		ORDER BY o.opened_at DESC, o.id DESC`, args...)
	items, err := db.All(rows, err, func(scan db.Scan) (o Occurrence, err error) {
		err = scan(&o.ID, &o.Node.ID, &o.Node.Name, &o.Node.Kind, &o.Vulnerability, &o.Severity, &o.KEV, &o.Fixable, &o.State, &o.DecisionID,
			&o.Ecosystem, &o.Package, db.Time{Time: &o.OpenedAt}, &o.OpenedBecause, db.Time{Time: &o.ResolvedAt}, &o.ResolvedBecause)
		o.DueAt = due.at(o.Severity, o.KEV, o.OpenedAt)
		o.Overdue = o.State == Open && !o.DueAt.IsZero() && !s.now().Before(o.DueAt)
		return o, err
	})
	if err != nil {
		return rest.Page[Occurrence]{}, fmt.Errorf("list occurrences: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(o Occurrence) any { return newest{o.OpenedAt.UnixMicro(), o.ID} })
}

// arguments are the parameters of a statement that is put together.
type arguments []any

// add returns the name of a new parameter.
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return fmt.Sprintf("$%d", len(*a))
}

// newestOf selects the ids of the newest occurrences that a query means. State,
// severity, KEV and fixable have few values, by which the indexes are cut into
// short runs, each newest first: one look into each run that is meant, joined, is
// the answer. No row is read that might have to be left out, however rare what is
// asked for is among millions.
func (s *Service) newestOf(ctx context.Context, args *arguments, q OccurrenceQuery, scope fleet.Scope, due Due, before newest, limit int) (string, error) {
	where, err := s.placeOf(ctx, args, q)
	if err != nil {
		return "", err
	}
	if scope.Column != fleet.All {
		where += ` AND node_id IN (SELECT value->>0 FROM json_each(` + args.add(scope.Column) + `))`
	}
	if !q.OpenedBefore.IsZero() && q.OpenedBefore.UnixMicro() < before.OpenedAt {
		before = newest{OpenedAt: q.OpenedBefore.UnixMicro()} // no id is zero; one bound, so that the index begins there
	}
	if !q.OpenedAfter.IsZero() {
		where += ` AND opened_at >= ` + args.add(q.OpenedAfter.UnixMicro())
	}
	const order = ` ORDER BY opened_at DESC, id DESC LIMIT `
	most := args.add(limit)
	var looks []string
	first := sync.OnceValue(func() string { // a parameter that nothing mentions has no type
		return ` AND (opened_at, id) < (` + args.add(before.OpenedAt) + `, ` + args.add(before.ID) + `)`
	})
	for _, run := range runsOf(q) {
		begins, meant := first, true
		if q.Overdue != "" {
			begins, meant = run.overdue(args, q.Overdue == "true", due, s.now(), before, first)
		}
		if meant {
			looks = append(looks, `SELECT * FROM (SELECT id, opened_at FROM occurrence WHERE `+run.String()+where+begins()+order+most+`) AS run`)
		}
	}
	if len(looks) == 0 {
		looks = []string{`SELECT id, opened_at FROM occurrence WHERE FALSE` + where}
	}
	return `SELECT id, opened_at FROM (` + strings.Join(looks, " UNION ALL ") + `) AS runs` + order + most, nil
}

// placeOf is what a query says of node, vulnerability and package. The first of
// them has an index, and the others are written so that theirs is not taken.
func (s *Service) placeOf(ctx context.Context, args *arguments, q OccurrenceQuery) (where string, err error) {
	if q.Node != "" {
		where += ` AND node_id = ` + args.add(q.Node)
	}
	if q.Vulnerability != "" {
		id, err := s.idOf(ctx, q.Vulnerability)
		if err != nil {
			return "", err
		}
		column := ` AND vulnerability_id = `
		if where != "" {
			column = ` AND vulnerability_id + 0 = `
		}
		where += column + args.add(id)
	}
	if q.Package != "" {
		column := ` AND package = `
		if where != "" {
			column = ` AND package || '' = `
		}
		where += column + args.add(q.Package)
	}
	return where, nil
}

// idOf returns the id of a vulnerability, or one that none has.
func (s *Service) idOf(ctx context.Context, name string) (id int64, err error) {
	err = s.db.Read().QueryRowContext(ctx, `SELECT COALESCE(max(id), 0) FROM vulnerability WHERE name = $1`, name).Scan(&id)
	if err != nil {
		err = fmt.Errorf("find vulnerability %s: %w", name, err)
	}
	return id, err
}

// run is a run of the indexes: its rows have these values in common.
type run struct {
	state    string
	severity risk.Severity
	kev      int
	fixable  int
}

func (r run) String() string {
	return fmt.Sprintf(`state = '%s' AND rank = %d AND kev = %d AND fixable = %d`, r.state, r.severity.Rank(), r.kev, r.fixable)
}

// overdue returns where to begin in a run if only what is overdue is meant, or only
// what is not; false if none of the run is.
func (r run) overdue(args *arguments, is bool, due Due, now time.Time, before newest, first func() string) (begins func() string, meant bool) {
	moment, dated := due.openedBefore(r.severity, r.kev == 1, now)
	switch {
	case !dated:
		return first, !is
	case !is:
		return func() string { return first() + ` AND opened_at >= ` + args.add(moment.UnixMicro()) }, true
	case moment.UnixMicro() < before.OpenedAt:
		return func() string { return ` AND (opened_at, id) < (` + args.add(moment.UnixMicro()) + `, 0)` }, true
	default:
		return first, true
	}
}

// runsOf returns the runs of the indexes that a query means.
func runsOf(q OccurrenceQuery) []run {
	states := []string{q.State}
	switch {
	case q.State == "", q.Overdue != "":
		states = []string{Open}
	case q.State == "all":
		states = []string{Open, Decided, Resolved}
	}
	var runs []run
	for _, state := range states {
		for _, severity := range risk.Severities {
			if q.Severity != "" && q.Severity != string(severity) {
				continue
			}
			for _, kev := range flag(q.KEV) {
				for _, fixable := range flag(q.Fixable) {
					runs = append(runs, run{state, severity, kev, fixable})
				}
			}
		}
	}
	return runs
}

// flag is the values of a column that a parameter means.
func flag(asked string) []int {
	switch asked {
	case "true":
		return []int{1}
	case "false":
		return []int{0}
	}
	return []int{0, 1}
}
