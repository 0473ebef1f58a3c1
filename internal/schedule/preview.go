package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
)

// PreviewRequest is a definition that may have no name yet.
type PreviewRequest struct {
	Cron     string `json:"cron"`
	TimeZone string `json:"time_zone,omitempty" default:"UTC"`
	Selector string `json:"selector"`
	Schedule string `json:"schedule,omitempty" doc:"Id of the schedule that would be edited: what is new since its last run depends on it."`
	Options
}

// Preview is what a definition would do.
type Preview struct {
	Nodes PreviewNodes `json:"nodes"`
	// FireTimes are when the next runs would start, after maintenance windows.
	FireTimes []time.Time `json:"fire_times" doc:"When the next ten runs would start."`
	Warning   string      `json:"warning" doc:"What is odd about it; empty for nothing."`
}

// PreviewNodes are nodes that a selector means now.
type PreviewNodes struct {
	Count int           `json:"count"`
	Items []PreviewNode `json:"items" doc:"The first hundred."`
}

// PreviewNode is one of them.
type PreviewNode struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// shown is how many nodes a preview names, and upcoming how many fire times.
const (
	shown    = 100
	upcoming = 10
)

// Preview says what a definition would do, and refuses it as saving would.
func (s *Service) Preview(ctx context.Context, in PreviewRequest) (Preview, error) {
	d := Definition{"preview", in.Cron, in.TimeZone, in.Selector, true, in.Options}.complete()
	now := s.now()
	p, err := d.check(now)
	if err != nil {
		return Preview{}, err
	}
	ids, warning, err := s.meant(ctx, d.Selector, in.Schedule)
	if err != nil {
		return Preview{}, err
	}
	out := Preview{Nodes: PreviewNodes{Count: len(ids)}, FireTimes: p.upcoming(now, upcoming), Warning: warning}
	list, err := db.Column(ids[:min(len(ids), shown)])
	if err != nil {
		return Preview{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT id, name, kind FROM node WHERE id `+db.Among(`$1`)+` ORDER BY id`, list)
	out.Nodes.Items, err = db.All(rows, err, func(scan db.Scan) (n PreviewNode, err error) { return n, scan(&n.ID, &n.Name, &n.Kind) })
	if err != nil {
		return Preview{}, fmt.Errorf("read the nodes of a preview: %w", err)
	}
	return out, nil
}

// meant returns the nodes that a selector means now, and a warning if that is none,
// or if it fails on one of them, which will then fail the run.
func (s *Service) meant(ctx context.Context, selector, schedule string) ([]string, string, error) {
	previous, err := lastFired(ctx, s.db.Read(), schedule, "~") // sorts after every id
	if err != nil {
		return nil, "", err
	}
	nodes, err := s.nodes.Selection(ctx, s.db.Read())
	if err != nil {
		return nil, "", err
	}
	ids, err := nodes.Select(selector, previous)
	var wrong *problem.Error
	switch {
	case errors.As(err, &wrong):
		return nil, "the selector fails " + wrong.Detail, nil
	case err != nil:
		return nil, "", err
	case len(ids) == 0:
		return ids, "the selector matches no node now: runs will start nothing until it does", nil
	}
	return ids, "", nil
}

// Choice is a selector that many want.
type Choice struct {
	Title    string `json:"title"`
	Selector string `json:"selector"`
}

// Choices are selectors to begin with.
func Choices() []Choice {
	return []Choice{
		{"All hosts", `node.kind == "host"`},
		{"All containers", `node.kind == "container"`},
		{"All images", `node.kind == "image"`},
		{"Images and containers of a registry", `node.image.startsWith("registry.example.com/")`},
		{"By label", `node.labels["env"] == "production"`},
		{"Never scanned", `node.last_scan_state == "never"`},
		{"Last scan failed", `node.last_scan_state == "failed"`},
		{"Not scanned for 7 days", `now - node.last_scan_at > duration("168h")`},
		{"New since the last run", `node.first_seen > run.previous`},
	}
}
