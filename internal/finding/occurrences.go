package finding

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
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
	if err := s.noteDeployed(ctx, items); err != nil {
		return rest.Page[Occurrence]{}, err
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

// idOf returns the id of a vulnerability, or one that none has.
func (s *Service) idOf(ctx context.Context, name string) (id int64, err error) {
	err = s.db.Read().QueryRowContext(ctx, `SELECT COALESCE(max(id), 0) FROM vulnerability WHERE name = $1`, name).Scan(&id)
	if err != nil {
		err = fmt.Errorf("find vulnerability %s: %w", name, err)
	}
	return id, err
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
