// Package audit keeps who changed what: an entry is written in the transaction of
// the change that it tells of, so neither can be without the other. The actor and
// the address come from the request's context.
//
// It differs from the event log, which tells machines what happened and has no
// actor; this tells people who did it, and keeps what was there before.
package audit

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the log.
var Migrations = db.Migrations{Room: "audit", Files: files}

// The kinds of actor that are no principal.
const (
	Anonymous = "anonymous" // somebody who has not said who they are
	Console   = "console"   // the console itself, when nobody asked
)

// Actor is who did it.
type Actor struct {
	Kind string `json:"kind" enum:"user,api,ci,enrolment,agent,anonymous,console"`
	ID   string `json:"id" doc:"Of the user or the token; empty if there is none."`
	Name string `json:"name"`
}

// Subject is what it was done to. The name is that of the moment.
type Subject struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Entry is one line of the log.
type Entry struct {
	ID      int64     `json:"id"`
	Time    time.Time `json:"time"`
	Actor   Actor     `json:"actor"`
	Address string    `json:"address" doc:"Where the request came from; empty if there was none."`
	// Action is a noun and what was done to it: "schedule.edited".
	Action  string          `json:"action"`
	Subject Subject         `json:"subject"`
	Before  json.RawMessage `json:"before,omitempty" doc:"What the subject was; absent where it was not."`
	After   json.RawMessage `json:"after,omitempty" doc:"What the subject became; absent where it is no more."`
}

// Record writes an entry in the transaction of the change. Before and after are
// what the API shows of the subject, which holds no secret; nil for nothing.
func Record(ctx context.Context, tx *db.Tx, now time.Time, action string, subject Subject, before, after any) error {
	was, err := column(before)
	if err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	is, err := column(after)
	if err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	actor := actorOf(ctx)
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (time, actor_kind, actor_id, actor, address, action, subject_kind, subject_id, subject, before_state, after_state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		now.UnixMicro(), actor.Kind, actor.ID, actor.Name, access.Address(ctx), action, subject.Kind, subject.ID, subject.Name, was, is)
	if err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	return nil
}

func actorOf(ctx context.Context) Actor {
	p := access.From(ctx)
	switch {
	case p.Kind != "":
		return Actor{p.Kind, p.ID, p.Name}
	case access.Address(ctx) != "":
		return Actor{Kind: Anonymous}
	default:
		return Actor{Kind: Console}
	}
}

func column(state any) (any, error) {
	if state == nil {
		return nil, nil
	}
	return db.ToJSON(state)
}
