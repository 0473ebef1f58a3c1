package finding

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/risk"
)

// The newest of a million occurrences are found where an index has them in their
// order: by vulnerability, and by what is alike. A node has few enough to be put in
// order, and a package is looked for through its vulnerabilities.

// alike numbers severity, KEV and fixable, which have few values: within a state it
// cuts the occurrences into runs, each newest first.
const alike = `rank * 4 + kev * 2 + fixable`

// everyAlike lists what that can be: an index is looked into for each, where it would
// else be read from end to end.
func everyAlike() string {
	kinds := make([]string, 4*len(risk.Severities))
	for n := range kinds {
		kinds[n] = strconv.Itoa(n)
	}
	return strings.Join(kinds, ", ")
}

const newestFirst = ` ORDER BY opened_at DESC, id DESC LIMIT `

// newestOf selects the ids of the newest occurrences that a query means.
func (s *Service) newestOf(ctx context.Context, args *arguments, q OccurrenceQuery, scope fleet.Scope, due Due, before newest, limit int) (string, error) {
	where := ""
	if scope.Column != fleet.All {
		where += ` AND node_id ` + db.Among(args.add(scope.Column))
	}
	if !q.OpenedBefore.IsZero() && q.OpenedBefore.UnixMicro() < before.OpenedAt {
		before = newest{OpenedAt: q.OpenedBefore.UnixMicro()} // no id is zero; one bound, so that the index begins there
	}
	if !q.OpenedAfter.IsZero() {
		where += ` AND opened_at >= ` + args.add(q.OpenedAfter.UnixMicro())
	}
	most := args.add(limit)
	runs := runsMeant(args, q, due, s.now(), before)
	switch {
	case len(runs) == 0:
		return `SELECT id, opened_at FROM occurrence WHERE FALSE` + where + ` LIMIT ` + most, nil
	case q.Node == "" && q.Vulnerability == "" && q.Package == "":
		return newestOfRuns(runs, where, most), nil
	}
	where += ` AND ` + anyOf(runs)
	vulnerability := ""
	if q.Vulnerability != "" {
		id, err := s.idOf(ctx, q.Vulnerability)
		if err != nil {
			return "", err
		}
		vulnerability = ` AND vulnerability_id = ` + args.add(id)
	}
	pkg := ""
	if q.Package != "" {
		pkg = args.add(q.Package)
		where += ` AND package = ` + pkg
	}
	switch {
	case q.Node != "":
		return newestOfNode(args.add(q.Node), q.State, where+vulnerability, most), nil
	case vulnerability != "":
		return `SELECT id, opened_at FROM occurrence WHERE TRUE` + vulnerability + where + newestFirst + most, nil
	default:
		return newestOfPackage(s.db.Dialect(), pkg, where, most), nil
	}
}

// newestOfRuns looks into each run that is meant: no row is read that might have to
// be left out, however rare what is asked for is.
func newestOfRuns(runs []meant, where, most string) string {
	looks := make([]string, len(runs))
	for i, run := range runs {
		looks[i] = `SELECT * FROM (SELECT id, opened_at FROM occurrence WHERE ` + run.String() + run.begins + where + newestFirst + most + `) AS run`
	}
	return mergeNewest(looks, most)
}

// newestOfNode puts the occurrences of a node in order; what is resolved is so in an
// index.
func newestOfNode(node, state, where, most string) string {
	var looks []string
	look := func(resolved string) {
		looks = append(looks, `SELECT * FROM (SELECT id, opened_at FROM occurrence WHERE node_number = `+NumberOf(node)+` AND resolved_at `+resolved+where+newestFirst+most+`) AS run`)
	}
	if state != Resolved {
		look(`IS NULL`)
	}
	if state == Resolved || state == "all" {
		look(`IS NOT NULL`)
	}
	return mergeNewest(looks, most)
}

// mergeNewest is the newest of what several looks find.
func mergeNewest(looks []string, most string) string {
	return `SELECT id, opened_at FROM (` + strings.Join(looks, " UNION ALL ") + `) AS runs` + newestFirst + most
}

// newestOfPackage looks for the newest occurrence of each vulnerability of a package:
// the newest of all are among those of the vulnerabilities that have the newest.
func newestOfPackage(dialect db.Dialect, pkg, where, most string) string {
	look := func(limit string) string {
		return ` FROM occurrence WHERE vulnerability_id = v.vulnerability_id` + where + newestFirst + limit
	}
	newest := `(SELECT n.vulnerability_id FROM (SELECT (SELECT id` + look("1") + `) AS id
			FROM (SELECT DISTINCT vulnerability_id FROM affected_package WHERE package = ` + pkg + `) AS v) AS first JOIN occurrence AS n ON n.id = first.id
		ORDER BY n.opened_at DESC, n.id DESC LIMIT ` + most + `) AS v`
	// SQLite has no LATERAL, which is what PostgreSQL needs to look by index.
	found := newest + ` CROSS JOIN occurrence AS o WHERE o.id IN (SELECT id` + look(most) + `)`
	if dialect == db.PostgreSQL {
		found = newest + ` CROSS JOIN LATERAL (SELECT id, opened_at` + look(most) + `) AS o`
	}
	return `SELECT o.id AS id, o.opened_at AS opened_at FROM ` + found + ` ORDER BY o.opened_at DESC, o.id DESC LIMIT ` + most
}

// meant is a run that a query means, and where in it to begin.
type meant struct {
	run
	begins string
}

// anyOf is the condition that one of the runs holds for. Of those that differ in
// where they begin there are few.
func anyOf(runs []meant) string {
	type group struct{ state, begins string }
	together := make(map[group][]string)
	for _, r := range runs {
		g := group{r.state, r.begins}
		together[g] = append(together[g], strconv.Itoa(r.number()))
	}
	var conditions []string
	for g, numbers := range together {
		condition := `state = '` + g.state + `'` + g.begins
		if len(numbers) < 4*len(risk.Severities) {
			condition += ` AND ` + alike + ` IN (` + strings.Join(numbers, ", ") + `)`
		}
		conditions = append(conditions, condition)
	}
	slices.Sort(conditions)
	return `(` + strings.Join(conditions, " OR ") + `)`
}

// runsMeant returns the runs that a query means.
func runsMeant(args *arguments, q OccurrenceQuery, due Due, now time.Time, before newest) []meant {
	first := sync.OnceValue(func() string { // a parameter that nothing mentions has no type
		return ` AND (opened_at, id) < (` + args.add(before.OpenedAt) + `, ` + args.add(before.ID) + `)`
	})
	var runs []meant
	for _, run := range runsOf(q) {
		begins, is := first, true
		if q.Overdue != "" {
			begins, is = run.overdue(args, q.Overdue == "true", due, now, before, first)
		}
		if is {
			runs = append(runs, meant{run, begins()})
		}
	}
	return runs
}

// run is a run of the indexes: its rows have these values in common.
type run struct {
	state    string
	severity risk.Severity
	kev      int
	fixable  int
}

func (r run) String() string {
	return fmt.Sprintf(`state = '%s' AND `+alike+` = %d`, r.state, r.number())
}

// number is what alike makes of it.
func (r run) number() int { return r.severity.Rank()*4 + r.kev*2 + r.fixable }

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

// runsOf returns the runs that a query means.
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
