package schedule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/scan"
)

// What makes a run.
const (
	OnSchedule = "schedule"
	OnDemand   = "on_demand"
	Backfilled = "backfill"
)

// The states of a run, and why one is given up.
const (
	Running   = "running"
	Finished  = "finished"
	Cancelled = "cancelled"
	TimedOut  = "timeout"
)

// Run is one firing of a schedule.
type Run struct {
	ID           string    `json:"id"`
	Cause        string    `json:"cause" enum:"schedule,on_demand,backfill"`
	State        string    `json:"state" enum:"running,finished,cancelled,timeout" doc:"Whether it goes on, and how it ended. timeout: what was not scanned by then was given up."`
	ScheduledFor time.Time `json:"scheduled_for"`
	FiredAt      time.Time `json:"fired_at"`
	FinishedAt   time.Time `json:"finished_at,omitzero"`
	// Lateness counts from the fire time, whatever held it.
	Lateness float64  `json:"lateness_seconds"`
	CaughtUp bool     `json:"caught_up" doc:"Nobody was there at the fire time; the run makes up for it."`
	HeldBy   string   `json:"held_by" enum:",window,overlap" doc:"What the fire time had to wait for; empty for nothing."`
	Missed   int      `json:"missed" doc:"Fire times since the run before that got none of their own."`
	Dropped  int      `json:"dropped" doc:"Fire times that came while this run went on and were dropped for it."`
	Selected int      `json:"selected" doc:"Nodes that the selector meant."`
	Scans    int      `json:"scans" doc:"Scans that were started."`
	Retried  int      `json:"retried" doc:"How many of these followed one that had failed."`
	Nodes    RunNodes `json:"nodes" doc:"What became of the nodes, each counted once: by its last scan."`
	Error    string   `json:"error" doc:"Why the run could start nothing; empty if it could."`
	Warning  string   `json:"warning" doc:"What is odd about it: no node was meant, or the feed could not be brought up to date. Empty for nothing."`
	// FeedCheckedAt is zero while the run waits for the feed.
	FeedCheckedAt time.Time `json:"feed_checked_at,omitzero" doc:"When the feed was found new enough, or was brought up to date; nothing starts before."`
}

// RunNodes counts the nodes of a run by what became of them.
type RunNodes struct {
	Waiting    int `json:"waiting" doc:"Not begun, or to be scanned again: their time has not come, or there is no room."`
	Queued     int `json:"queued"`
	Collecting int `json:"collecting"`
	Matching   int `json:"matching"`
	Complete   int `json:"complete"`
	Failed     int `json:"failed"`
	Cancelled  int `json:"cancelled" doc:"Scans that were cancelled."`
	Skipped    int `json:"skipped" doc:"Never begun; the route of the skipped says why."`
}

// Why a node was skipped.
const (
	busy = "busy" // it was being scanned already
	gone = "gone" // it was retired, or ended, before its turn
)

// SkippedNode is one that a run meant and did not scan.
type SkippedNode struct {
	Node   string `json:"node"`
	Name   string `json:"name"`
	Reason string `json:"reason" enum:"busy,gone,cancelled,timeout" doc:"busy: it was being scanned already. gone: it was no longer there. cancelled and timeout: the run ended before its turn."`
}

// unfinished holds for scans that go on.
const unfinished = `state IN ('queued', 'collecting', 'matching')`

// counted holds for the scans that tell how their nodes did: others are followed by
// one more.
const counted = `retry <> 'again'`

// selectRuns counts a run's scans while it goes on; afterwards they may be swept.
const selectRuns = `SELECT r.id, r.cause, r.ending, r.scheduled_for, r.fired_at, r.finished_at, r.caught_up, r.held_by, r.missed, r.dropped,
	r.selected, r.started, r.retried, r.error, r.chosen, r.feed_checked_at, r.feed_error, r.schedule_id,
	CASE WHEN r.finished_at IS NULL THEN
		(SELECT CAST(json_group_object(state, amount) AS TEXT) FROM (SELECT state, count(*) AS amount FROM scan WHERE run_id = r.id AND ` + counted + ` GROUP BY state) AS scans)
		ELSE r.states END,
	(SELECT CAST(json_group_object(state, amount) AS TEXT) FROM (SELECT state, count(*) AS amount FROM run_node WHERE run_id = r.id GROUP BY state) AS others)
	FROM run AS r`

// ofSchedule is a run, and whose it is.
type ofSchedule struct {
	Run
	schedule string
}

func readRun(scan db.Scan) (r ofSchedule, err error) {
	var ending, feed string
	var caughtUp, chosen int
	err = scan(&r.ID, &r.Cause, &ending, db.Time{Time: &r.ScheduledFor}, db.Time{Time: &r.FiredAt}, db.Time{Time: &r.FinishedAt},
		&caughtUp, &r.HeldBy, &r.Missed, &r.Dropped, &r.Selected, &r.Scans, &r.Retried, &r.Error, &chosen, db.Time{Time: &r.FeedCheckedAt}, &feed, &r.schedule,
		db.JSON{Into: &r.Nodes}, db.JSON{Into: &r.Nodes})
	r.CaughtUp, r.Lateness, r.State = caughtUp == 1, r.FiredAt.Sub(r.ScheduledFor).Seconds(), Finished
	switch {
	case r.FinishedAt.IsZero():
		r.State = Running
	case ending != "":
		r.State = ending
	}
	r.Warning = warning(chosen == 1 && r.Selected == 0 && r.Error == "", feed)
	return r, err
}

// warning is what is odd about a run.
func warning(nobody bool, feed string) string {
	said := []string{}
	if nobody {
		said = append(said, "the selector matched no node")
	}
	if feed != "" {
		said = append(said, "the feed was not brought up to date, and scans use what is installed: "+feed)
	}
	return strings.Join(said, "; ")
}

// Runs returns the runs of a schedule, newest first.
func (s *Service) Runs(ctx context.Context, id string, p rest.Paging) (rest.Page[Run], error) {
	before := "~" // sorts after every id
	if err := p.Decode(&before); err != nil {
		return rest.Page[Run]{}, err
	}
	if _, err := s.Get(ctx, id); err != nil {
		return rest.Page[Run]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, selectRuns+` WHERE r.schedule_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3`, id, before, p.Limit+1)
	items, err := db.All(rows, err, func(scan db.Scan) (Run, error) {
		r, err := readRun(scan)
		return r.Run, err
	})
	if err != nil {
		return rest.Page[Run]{}, fmt.Errorf("list runs: %w", err)
	}
	return rest.NewPage(items, p.Limit, func(r Run) any { return r.ID })
}

// GetRun returns one run of a schedule.
func (s *Service) GetRun(ctx context.Context, schedule, id string) (Run, error) {
	return findRun(ctx, s.db.Read(), schedule, id)
}

func findRun(ctx context.Context, q db.Querier, schedule, id string) (Run, error) {
	r, err := db.One(q.QueryRowContext(ctx, selectRuns+` WHERE r.id = $1 AND r.schedule_id = $2`, id, schedule), readRun)
	if errors.Is(err, db.ErrNotFound) {
		return Run{}, problem.NotFound("run", id)
	}
	return r.Run, err
}

// Skipped returns the nodes that a run meant and did not scan.
func (s *Service) Skipped(ctx context.Context, schedule, id string, p rest.Paging) (rest.Page[SkippedNode], error) {
	var after string
	if err := p.Decode(&after); err != nil {
		return rest.Page[SkippedNode]{}, err
	}
	if _, err := s.GetRun(ctx, schedule, id); err != nil {
		return rest.Page[SkippedNode]{}, err
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT r.node_id, n.name, r.reason FROM run_node AS r JOIN node AS n ON n.id = r.node_id
		WHERE r.run_id = $1 AND r.state = 'skipped' AND r.node_id > $2 ORDER BY r.node_id LIMIT $3`, id, after, p.Limit+1)
	items, err := db.All(rows, err, func(scan db.Scan) (n SkippedNode, err error) { return n, scan(&n.Node, &n.Name, &n.Reason) })
	if err != nil {
		return rest.Page[SkippedNode]{}, fmt.Errorf("list the skipped nodes of run %s: %w", id, err)
	}
	return rest.NewPage(items, p.Limit, func(n SkippedNode) any { return n.Node })
}

// CancelRun gives up a run that goes on: what waits is skipped, and its scans are
// cancelled.
func (s *Service) CancelRun(ctx context.Context, schedule, id string) (run Run, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		sch, err := find(ctx, tx, schedule)
		if err != nil {
			return err
		}
		old, err := findRun(ctx, tx, schedule, id)
		if err != nil {
			return err
		}
		if old.State != Running {
			return problem.Conflict("the run has ended already")
		}
		if err := audit.Record(ctx, tx, s.now(), "run.cancelled", audit.Subject{Kind: "run", ID: id, Name: sch.Name}, old, nil); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE run SET ending = $2 WHERE id = $1`, id, Cancelled); err != nil {
			return fmt.Errorf("cancel run %s: %w", id, err)
		}
		if _, err := s.step(ctx, tx, id, s.once(ctx, tx)); err != nil {
			return err
		}
		run, err = findRun(ctx, tx, schedule, id)
		return err
	})
	return run, err
}

// reasonOf is what a scan says that was given up with its run.
func reasonOf(ending string) (state, reason string) {
	if ending == Cancelled {
		return scan.Cancelled, "the run of the schedule was cancelled"
	}
	return scan.Failed, "the run of the schedule ended before the scan did: the agent may be away, or slow"
}
