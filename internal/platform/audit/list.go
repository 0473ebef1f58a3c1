package audit

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/rest"
)

// Log reads the entries.
type Log struct{ db *db.DB }

// NewLog returns the log of a migrated database.
func NewLog(d *db.DB) *Log { return &Log{d} }

// Query says which entries a list holds; empty fields hold for all.
type Query struct {
	Actor   string `query:"actor" doc:"Name or id of who did it."`
	Action  string `query:"action" doc:"Such as schedule.edited."`
	Subject string `query:"subject" doc:"Id of what it was done to."`
}

// List returns entries, newest first.
func (l *Log) List(ctx context.Context, q Query, p rest.Paging) (rest.Page[Entry], error) {
	before := int64(1<<63 - 1)
	if err := p.Decode(&before); err != nil {
		return rest.Page[Entry]{}, err
	}
	// Only the conditions that are asked for stand in the statement: each then
	// walks an index of its own, backwards.
	where, args := "id < $1", []any{before, p.Limit + 1}
	for _, c := range []struct{ condition, value string }{
		{"(actor = $%[1]d OR actor_id = $%[1]d)", q.Actor}, {"action = $%d", q.Action}, {"subject_id = $%d", q.Subject},
	} {
		if c.value != "" {
			args = append(args, c.value)
			where += " AND " + fmt.Sprintf(c.condition, len(args))
		}
	}
	rows, err := l.db.Read().QueryContext(ctx, `SELECT id, time, actor_kind, actor_id, actor, address, action, subject_kind, subject_id, subject, before_state, after_state
		FROM audit WHERE `+where+` ORDER BY id DESC LIMIT $2`, args...)
	items, err := db.All(rows, err, func(scan db.Scan) (e Entry, err error) {
		return e, scan(&e.ID, db.Time{Time: &e.Time}, &e.Actor.Kind, &e.Actor.ID, &e.Actor.Name, &e.Address, &e.Action,
			&e.Subject.Kind, &e.Subject.ID, &e.Subject.Name, db.JSON{Into: &e.Before}, db.JSON{Into: &e.After})
	})
	if err != nil {
		return rest.Page[Entry]{}, fmt.Errorf("list the audit log: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(e Entry) any { return e.ID })
}

// Routes adds the route of the log.
func (l *Log) Routes(api huma.API) {
	rest.Handle(api, access.Admin, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/api/v1/audit", Summary: "Who changed what, newest first", Tags: []string{"audit"},
	}, func(ctx context.Context, in *struct {
		Query
		rest.Paging
	},
	) (*rest.Body[rest.Page[Entry]], error) {
		return rest.JSON(l.List(ctx, in.Query, in.Paging))
	})
}
