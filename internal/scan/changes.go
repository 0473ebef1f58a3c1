package scan

import (
	"context"
	"fmt"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
)

// The ways in which one state of a node differs from another.
const (
	Opened    = "opened"
	Resolved  = "resolved"
	Unchanged = "unchanged"
)

// inOrder is how lists of changes begin: with what is new.
var inOrder = []string{Opened, Resolved, Unchanged}

// ChangeQuery says which changes a list holds.
type ChangeQuery struct {
	Change string `query:"change" enum:"opened,resolved,unchanged" doc:"All of them unless given."`
}

// Changes are a page of what a scan did to the occurrences of its node, with how many
// there are in all.
type Changes struct {
	rest.Page[OccurrenceChange]
	Opened    int `json:"opened"`
	Resolved  int `json:"resolved"`
	Unchanged int `json:"unchanged"`
}

// OccurrenceChange is an occurrence that a scan opened, resolved or left open.
type OccurrenceChange struct {
	Change        string        `json:"change" enum:"opened,resolved,unchanged"`
	Because       string        `json:"because" doc:"Why it was opened or resolved; of what is unchanged, why it was opened."`
	Occurrence    int64         `json:"occurrence"`
	Vulnerability string        `json:"vulnerability"`
	Severity      risk.Severity `json:"severity"`
	KEV           bool          `json:"kev"`
	Ecosystem     string        `json:"ecosystem" doc:"Without its release."`
	Package       string        `json:"package" doc:"As the advisory names it."`
	OpenedAt      time.Time     `json:"opened_at"`
	DeployedAt    *time.Time    `json:"deployed_at" doc:"As the occurrence has it now; null once it is resolved."`
}

// changed is the sort key of a page's last change.
type changed struct {
	Change int   `json:"c"`
	Rank   int   `json:"r"`
	ID     int64 `json:"i"`
}

// Changes lists what a scan opened, resolved and left as it was, against what was
// known of the node just before: a re-match in between counts, and so does what the
// scan could not look at. A scan that did not complete changed nothing.
func (s *Service) Changes(ctx context.Context, id string, q ChangeQuery, p rest.Paging) (Changes, error) {
	after := changed{Change: -1}
	if err := p.Decode(&after); err != nil {
		return Changes{}, err
	}
	scan, err := s.Get(ctx, id)
	if err != nil {
		return Changes{}, err
	}
	out := Changes{Opened: scan.Opened, Resolved: scan.Resolved, Unchanged: scan.Unchanged}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT c.change, c.id, c.rank, CASE c.change WHEN 1 THEN c.resolved_because ELSE c.opened_because END,
			v.name, c.severity, c.kev, c.ecosystem, c.package, c.opened_at
		FROM (SELECT o.*, CASE WHEN o.opened_scan = $1 THEN 0 WHEN o.resolved_scan = $1 THEN 1 ELSE 2 END AS change
			FROM (SELECT * FROM occurrence WHERE node_number = `+finding.NumberOf(`$2`)+` AND resolved_at IS NULL
				UNION ALL SELECT * FROM occurrence WHERE node_number = `+finding.NumberOf(`$2`)+` AND resolved_at IS NOT NULL) AS o
			WHERE (o.opened_scan = $1 OR o.resolved_scan = $1
				OR o.opened_at <= $3 AND (o.resolved_at IS NULL OR o.resolved_at > $3))) AS c
		JOIN vulnerability AS v ON v.id = c.vulnerability_id
		WHERE ($4 = '' OR c.change = CAST($5 AS BIGINT)) AND (c.change, -c.rank, c.id) > ($6, $7, $8)
		ORDER BY c.change, c.rank DESC, c.id LIMIT $9`,
		id, scan.Node.ID, scan.changedAt(), q.Change, place(q.Change), after.Change, -after.Rank, after.ID, p.Limit+1)
	type row struct {
		OccurrenceChange
		key changed
	}
	items, err := db.All(rows, err, func(scan db.Scan) (r row, err error) {
		err = scan(&r.key.Change, &r.key.ID, &r.key.Rank, &r.Because, &r.Vulnerability, &r.Severity, &r.KEV, &r.Ecosystem, &r.Package, db.Time{Time: &r.OpenedAt})
		r.Change, r.Occurrence = inOrder[r.key.Change], r.key.ID
		return r, err
	})
	if err != nil {
		return Changes{}, fmt.Errorf("list the changes of scan %s: %w", id, err)
	}
	page, err := rest.NewPage(items, p.Limit, func(r row) any { return r.key })
	if err != nil {
		return Changes{}, err
	}
	out.Items, out.Next = make([]OccurrenceChange, len(page.Items)), page.Next
	for i, r := range page.Items {
		out.Items[i] = r.OccurrenceChange
	}
	return out, s.noteDeployed(ctx, out.Items)
}

// noteDeployed tells of changes since when the node has what they are about.
func (s *Service) noteDeployed(ctx context.Context, changes []OccurrenceChange) error {
	ids := make([]int64, len(changes))
	for i, c := range changes {
		ids[i] = c.Occurrence
	}
	found, err := s.findings.Deployed(ctx, ids)
	if err != nil {
		return err
	}
	for i, c := range changes {
		if at, ok := found[c.Occurrence]; ok {
			changes[i].DeployedAt = &at
		}
	}
	return nil
}

// changedAt is the moment whose open occurrences were left as they were; before all,
// unless the scan is complete.
func (s Scan) changedAt() int64 {
	if s.State != Complete {
		return -1
	}
	return s.FinishedAt.UnixMicro()
}

func place(change string) int {
	for i, name := range inOrder {
		if name == change {
			return i
		}
	}
	return -1
}
