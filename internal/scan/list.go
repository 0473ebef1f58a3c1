package scan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

// Query says which scans a list holds; empty fields hold for all.
type Query struct {
	Node  string `query:"node" doc:"Id of a node."`
	State string `query:"state" enum:"queued,collecting,matching,complete,failed,cancelled"`
	Run   string `query:"run" doc:"Id of a schedule's run."`
	// Trigger is what started them.
	Trigger string `query:"trigger" enum:"schedule,on_demand,upload,arrival,change"`
	IDs     string `query:"ids" maxLength:"4096" doc:"Ids of scans, with commas between them."`
}

// List returns scans, newest first.
func (s *Service) List(ctx context.Context, q Query, p rest.Paging) (rest.Page[Scan], error) {
	before := "~" // sorts after every id
	if err := p.Decode(&before); err != nil {
		return rest.Page[Scan]{}, err
	}
	scope, err := s.fleet.Scope(ctx)
	if err != nil {
		return rest.Page[Scan]{}, err
	}
	// Named ones are looked up, and not looked for among all.
	named, ids := `$8 = '[]'`, []string{}
	if q.IDs != "" {
		named, ids = `s.id `+db.Among(`$8`), strings.Split(q.IDs, ",")
	}
	list, err := db.Column(ids)
	if err != nil {
		return rest.Page[Scan]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectScans+`
		WHERE `+named+` AND s.id < $1 AND ($2 = '' OR s.node_id = $2) AND ($3 = '' OR s.state = $3) AND ($4 = '' OR s.run_id = $4)
		  AND ($7 = '' OR s.cause = $7) AND ($6 = 'null' OR s.node_id `+db.Among(`$6`)+`)
		ORDER BY s.id DESC LIMIT $5`, before, q.Node, q.State, q.Run, p.Limit+1, scope.Column, q.Trigger, list)
	items, err := db.All(rows, err, s.read)
	if err != nil {
		return rest.Page[Scan]{}, fmt.Errorf("list scans: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(s Scan) any { return s.ID })
}

// Get returns one scan.
func (s *Service) Get(ctx context.Context, id string) (Scan, error) {
	scope, err := s.fleet.Scope(ctx)
	if err != nil {
		return Scan{}, err
	}
	scan, err := db.One(s.db.Read().QueryRowContext(ctx, selectScans+` WHERE s.id = $1`, id), s.read)
	if errors.Is(err, db.ErrNotFound) || err == nil && !scope.Has(scan.Node.ID) {
		return Scan{}, problem.NotFound("scan", id)
	}
	return scan, err
}

func (s *Service) byID(ctx context.Context, ids []string) ([]Scan, error) {
	list, err := db.Column(ids)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectScans+` WHERE s.id `+db.Among(`$1`)+` ORDER BY s.id`, list)
	return db.All(rows, err, s.read)
}

const selectScans = `SELECT s.id, s.node_id, n.name, n.kind, s.state, s.cause, s.schedule_id, COALESCE(c.name, ''), s.run_id, s.attempt,
	s.queued_at, s.started_at, s.finished_at, s.error, s.warnings, COALESCE(b.digest, ''), COALESCE(i.digest, ''), COALESCE(i.components, 0),
	s.revision, s.sample, s.engine, s.opened, s.resolved, i.ecosystems, r.uncovered, s.not_assessed, r.unread,
	s.unchanged, COALESCE(s.found, '{}')
	FROM scan AS s JOIN node AS n ON n.id = s.node_id
	LEFT JOIN schedule AS c ON c.id = s.schedule_id
	LEFT JOIN sbom AS b ON b.id = s.sbom_id
	LEFT JOIN inventory AS i ON i.id = b.inventory_id
	LEFT JOIN result AS r ON r.id = s.result_id`

func (s *Service) read(scan db.Scan) (Scan, error) {
	var out Scan
	var schedule Named
	var feed Feed
	var sample int
	var ecosystems []string
	var blind []match.NotAssessed
	err := scan(&out.ID, &out.Node.ID, &out.Node.Name, &out.Node.Kind, &out.State, &out.Trigger, &schedule.ID, &schedule.Name, &out.Run, &out.Attempt,
		db.Time{Time: &out.QueuedAt}, db.Time{Time: &out.StartedAt}, db.Time{Time: &out.FinishedAt}, &out.Error, db.JSON{Into: &out.Warnings},
		&out.DocumentDigest, &out.InventoryDigest, &out.Components,
		&feed.Revision, &sample, &out.Engine, &out.Opened, &out.Resolved,
		db.JSON{Into: &ecosystems}, db.JSON{Into: &out.NotAssessed}, db.JSON{Into: &blind}, db.JSON{Into: &out.Unread}, &out.Unchanged, db.JSON{Into: &out.Counts})
	if err != nil {
		return out, err
	}
	if schedule.ID != "" {
		out.Schedule = &schedule
	}
	if feed.Revision != "" {
		feed.Sample = sample == 1
		out.Feed = &feed
	}
	out.NotAssessed = append(append(orEmpty(out.NotAssessed), blind...), match.Unsupported(ecosystems, s.now())...)
	out.Unread = orEmpty(out.Unread)
	return out, nil
}

func orEmpty[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// Finished tells whether a scan has reached a state that it will not leave.
func (s Scan) Finished() bool {
	return s.State == Complete || s.State == Failed || s.State == Cancelled
}

// Duration is how long the scan took from its start; zero while it runs.
func (s Scan) Duration() time.Duration {
	if s.StartedAt.IsZero() || s.FinishedAt.IsZero() {
		return 0
	}
	return s.FinishedAt.Sub(s.StartedAt)
}
