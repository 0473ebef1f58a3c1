package scan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
)

// The kinds of entry of the report.
const (
	KindScan    = "scan"
	KindRematch = "rematch" // of the whole fleet with what became known, without a scan
)

// ReportEntry is one line of the Vulnerability Scans report: a scan of a node, or a
// re-match of the fleet.
type ReportEntry struct {
	Kind    string `json:"kind" enum:"scan,rematch"`
	ID      string `json:"id"`
	State   string `json:"state" enum:"queued,collecting,matching,running,complete,failed,cancelled"`
	Trigger string `json:"trigger" doc:"What started it; of a re-match, feed or engine: what had changed."`
	// Node is what was scanned; a re-match is of all.
	Node       *fleet.NodeName `json:"node,omitempty"`
	Schedule   *Named          `json:"schedule,omitempty"`
	Run        string          `json:"run_id,omitempty"`
	At         time.Time       `json:"at" doc:"When it was asked for; the list is in this order."`
	StartedAt  time.Time       `json:"started_at,omitzero"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
	Duration   float64         `json:"duration_seconds" doc:"From its start to its end; 0 while it goes on."`
	Error      string          `json:"error"`
	// DocumentDigest and InventoryDigest are of what was collected.
	DocumentDigest  string `json:"document_digest"`
	InventoryDigest string `json:"inventory_digest"`
	Components      int    `json:"components" doc:"Of the node; of a re-match, the component versions that were matched."`
	Feed            *Feed  `json:"feed,omitempty"`
	Engine          string `json:"engine"`
	// Counts are what a complete scan found, as it was known then.
	Counts *fleet.Counts `json:"counts,omitempty"`
	// What changed against what was known just before.
	Opened    int      `json:"opened"`
	Resolved  int      `json:"resolved"`
	Unchanged int      `json:"unchanged" doc:"Open before and still; of a re-match, on the nodes where something changed."`
	Rematch   *Rematch `json:"rematch,omitempty"`
}

// Rematch is what only a re-match has to tell.
type Rematch struct {
	RevisionBefore string `json:"revision_before" doc:"Empty where nodes had several."`
	RecordsNew     int    `json:"records_new" doc:"Advisories that came between the two revisions."`
	RecordsChanged int    `json:"records_changed"`
	RecordsGone    int    `json:"records_gone"`
	Nodes          int    `json:"nodes" doc:"Whose result was asked for anew."`
}

// ReportQuery says which entries a report holds; empty fields hold for all.
type ReportQuery struct {
	Kind     string    `query:"kind" enum:"scan,rematch"`
	Trigger  string    `query:"trigger" enum:"schedule,on_demand,upload,arrival,change,registry,feed,engine"`
	Node     string    `query:"node" doc:"Id of a node."`
	NodeKind string    `query:"node_kind" enum:"host,container,image,cluster"`
	State    string    `query:"state" enum:"queued,collecting,matching,running,complete,failed,cancelled"`
	Schedule string    `query:"schedule" doc:"Id of a schedule."`
	Run      string    `query:"run" doc:"Id of a schedule's run."`
	From     time.Time `query:"from" doc:"Not before this moment."`
	To       time.Time `query:"to" doc:"Before this moment."`
	Worst    string    `query:"worst" enum:"malicious,critical,high,medium,low,unknown" doc:"Scans that found something of this severity or a worse one."`
	Changed  bool      `query:"changed" doc:"Only what opened or resolved something."`
}

// newest is the sort key of a page's last entry.
type newest struct {
	At int64  `json:"a"`
	ID string `json:"i"`
}

func (n newest) compare(other newest) int {
	return cmp.Or(cmp.Compare(n.At, other.At), cmp.Compare(n.ID, other.ID))
}

func (e ReportEntry) key() newest { return newest{e.At.UnixMicro(), e.ID} }

// arguments are the parameters of a statement that is put together.
type arguments []any

// add returns the name of a new parameter.
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return fmt.Sprintf("$%d", len(*a))
}

// Report lists scans and re-matches as one, newest first. Re-matches are shown to who
// sees all nodes: their numbers are of the whole fleet.
func (s *Service) Report(ctx context.Context, q ReportQuery, p rest.Paging) (rest.Page[ReportEntry], error) {
	before := newest{1<<63 - 1, ""}
	if err := p.Decode(&before); err != nil {
		return rest.Page[ReportEntry]{}, err
	}
	scope, err := s.fleet.Scope(ctx)
	if err != nil {
		return rest.Page[ReportEntry]{}, err
	}
	if !q.To.IsZero() && q.To.UnixMicro() < before.At {
		before = newest{At: q.To.UnixMicro()} // no id sorts before the empty one
	}
	entries := []ReportEntry{}
	if q.scans() {
		if entries, err = s.reportScans(ctx, q, scope, before, p.Limit+1); err != nil {
			return rest.Page[ReportEntry]{}, fmt.Errorf("report on scans: %w", err)
		}
	}
	if q.rematches() && scope.Column == fleet.All {
		rematches, err := s.reportRematches(ctx, q, before, p.Limit+1)
		if err != nil {
			return rest.Page[ReportEntry]{}, fmt.Errorf("report on re-matches: %w", err)
		}
		entries = append(entries, rematches...)
		slices.SortFunc(entries, func(a, b ReportEntry) int { return b.key().compare(a.key()) })
		entries = entries[:min(len(entries), p.Limit+1)]
	}
	return rest.NewPage(entries, p.Limit, func(e ReportEntry) any { return e.key() })
}

// scans tells whether a query may mean scans.
func (q ReportQuery) scans() bool {
	return q.Kind != KindRematch && q.Trigger != "feed" && q.Trigger != "engine" && q.State != "running"
}

// rematches tells whether it may mean re-matches, which have no node and nothing that
// a node has.
func (q ReportQuery) rematches() bool {
	return q.Kind != KindScan && q.Node == "" && q.NodeKind == "" && q.Schedule == "" && q.Run == "" && q.Worst == "" &&
		(q.Trigger == "" || q.Trigger == "feed" || q.Trigger == "engine") && (q.State == "" || q.State == "running" || q.State == Complete || q.State == Failed)
}

func (s *Service) reportScans(ctx context.Context, q ReportQuery, scope fleet.Scope, before newest, limit int) ([]ReportEntry, error) {
	var args arguments
	from, err := s.newestScans(ctx, &args, q, scope, before, limit)
	if err != nil || from == "" {
		return []ReportEntry{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectScans+` WHERE s.id IN (SELECT id FROM (`+from+`) AS newest) ORDER BY s.queued_at DESC, s.id DESC`, args...)
	scans, err := db.All(rows, err, s.read)
	if err != nil {
		return nil, err
	}
	entries := make([]ReportEntry, len(scans))
	for i, scan := range scans {
		entries[i] = scan.entry()
	}
	return entries, nil
}

// newestScans selects the ids of the newest scans that a query means; it is empty if
// there can be none.
func (s *Service) newestScans(ctx context.Context, args *arguments, q ReportQuery, scope fleet.Scope, before newest, limit int) (string, error) {
	runs, err := s.runsOf(ctx, q)
	if err != nil || len(runs) == 0 {
		return "", err
	}
	at := `queued_at`
	if q.Node != "" {
		at = `+queued_at` // of one node there are few: its index is the one to take
	}
	where := ` AND (` + at + `, id) < (` + args.add(before.At) + `, ` + args.add(before.ID) + `)`
	if !q.From.IsZero() {
		where += ` AND ` + at + ` >= ` + args.add(q.From.UnixMicro())
	}
	if q.Node != "" {
		where += ` AND node_id = ` + args.add(q.Node)
	}
	if q.Run != "" {
		where += ` AND run_id = ` + args.add(q.Run)
	}
	if q.Schedule != "" {
		where += ` AND schedule_id <> '' AND schedule_id = ` + args.add(q.Schedule)
	}
	if scope.Column != fleet.All {
		where += ` AND node_id ` + db.Among(args.add(scope.Column))
	}
	order := ` DESC, id DESC LIMIT ` + args.add(limit)
	looks := make([]string, len(runs))
	for i, run := range runs {
		looks[i] = `SELECT * FROM (SELECT id, queued_at FROM scan WHERE ` + run + where + ` ORDER BY ` + at + order + `) AS run`
	}
	return `SELECT id, queued_at FROM (` + strings.Join(looks, ` UNION ALL `) + `) AS runs ORDER BY queued_at` + order, nil
}

// runsOf returns conditions, each on a run of an index that is in the order of the
// list: together they mean what is asked for of trigger, kind of node, state and what
// was found, so that no row is read which has to be left out. Of one node or one run
// there are few scans, which are looked through.
func (s *Service) runsOf(ctx context.Context, q ReportQuery) ([]string, error) {
	if q.Trigger == "" && q.NodeKind == "" && q.State == "" && q.Worst == "" && !q.Changed && q.Schedule == "" {
		return []string{`TRUE`}, nil
	}
	facets, err := s.facetsOf(ctx, q)
	if err != nil {
		return nil, err
	}
	going, some := goingOf(q)
	if q.Node != "" || q.Run != "" {
		among := `FALSE`
		for _, id := range facets {
			among += fmt.Sprintf(` OR facet_id + 0 = %d`, id)
		}
		among = `(` + among + `)`
		if some {
			among = `(` + among + ` OR ` + going + `)`
		}
		return []string{among}, nil
	}
	var runs []string
	for _, id := range facets {
		runs = append(runs, fmt.Sprintf(`facet_id = %d`, id))
	}
	if some {
		runs = append(runs, going)
	}
	return runs, nil
}

// facetsOf returns the facets of scans that ended and that a query means.
func (s *Service) facetsOf(ctx context.Context, q ReportQuery) ([]int64, error) {
	worst := -1
	if q.Worst != "" {
		worst = risk.Severity(q.Worst).Rank()
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id FROM scan_facet WHERE ($1 = '' OR cause = $1) AND ($2 = '' OR node_kind = $2)
		AND ($3 = '' OR state = $3) AND worst >= $4 AND changed >= $5 ORDER BY id`, q.Trigger, q.NodeKind, q.State, worst, db.Bit(q.Changed))
	return db.All(rows, err, db.Value[int64])
}

// goingOf is the condition on scans that go on, which are few and of no facet yet;
// false if none are meant.
func goingOf(q ReportQuery) (condition string, some bool) {
	if q.State == Complete || q.State == Failed || q.State == Cancelled || q.Worst != "" || q.Changed {
		return "", false
	}
	condition = `facet_id IS NULL`
	// Each of these words is one of an enumeration.
	if q.State != "" {
		condition += ` AND state = '` + q.State + `'`
	}
	if q.Trigger != "" {
		condition += ` AND cause = '` + q.Trigger + `'`
	}
	if q.NodeKind != "" {
		condition += ` AND (SELECT kind FROM node WHERE node.id = scan.node_id) = '` + q.NodeKind + `'`
	}
	return condition, true
}

func (s *Service) reportRematches(ctx context.Context, q ReportQuery, before newest, limit int) ([]ReportEntry, error) {
	var args arguments
	where := `(started_at, id) < (` + args.add(before.At) + `, ` + args.add(before.ID) + `)`
	if !q.From.IsZero() {
		where += ` AND started_at >= ` + args.add(q.From.UnixMicro())
	}
	if q.Trigger != "" {
		where += ` AND cause = ` + args.add(q.Trigger)
	}
	if q.State != "" {
		where += ` AND state = ` + args.add(q.State)
	}
	if q.Changed {
		where += ` AND opened + resolved > 0`
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, cause, state, revision_before, revision, engine, records_new, records_changed, records_gone,
			components, nodes, opened, resolved, unchanged, error, started_at, finished_at
		FROM rematch WHERE `+where+` ORDER BY started_at DESC, id DESC LIMIT `+args.add(limit), args...)
	return db.All(rows, err, func(scan db.Scan) (ReportEntry, error) {
		e := ReportEntry{Kind: KindRematch, Feed: &Feed{}, Rematch: &Rematch{}}
		err := scan(&e.ID, &e.Trigger, &e.State, &e.Rematch.RevisionBefore, &e.Feed.Revision, &e.Engine,
			&e.Rematch.RecordsNew, &e.Rematch.RecordsChanged, &e.Rematch.RecordsGone,
			&e.Components, &e.Rematch.Nodes, &e.Opened, &e.Resolved, &e.Unchanged, &e.Error, db.Time{Time: &e.At}, db.Time{Time: &e.FinishedAt})
		e.StartedAt = e.At
		if !e.FinishedAt.IsZero() {
			e.Duration = e.FinishedAt.Sub(e.StartedAt).Seconds()
		}
		return e, err
	})
}

// entry is a scan as a line of the report.
func (s Scan) entry() ReportEntry {
	e := ReportEntry{
		Kind: KindScan, ID: s.ID, State: s.State, Trigger: s.Trigger, Node: &s.Node, Schedule: s.Schedule, Run: s.Run,
		At: s.QueuedAt, StartedAt: s.StartedAt, FinishedAt: s.FinishedAt, Duration: s.Duration().Seconds(), Error: s.Error,
		DocumentDigest: s.DocumentDigest, InventoryDigest: s.InventoryDigest, Components: s.Components, Feed: s.Feed, Engine: s.Engine,
		Opened: s.Opened, Resolved: s.Resolved, Unchanged: s.Unchanged,
	}
	if s.State == Complete {
		e.Counts = &s.Counts
	}
	return e
}
