package finding

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/trace"
)

// What a node has is known, so what becomes known of it needs no scan. When the feed
// has another revision, or the console other rules, the fleet is matched again:
//
//	inventories of nodes without a result under the revision  (behind.go)
//	  └▶ their results, from those before and from what differs  (carry.go)
//	       └▶ nodes that hold another result than theirs  (behind.go)
//	            └▶ what differs between the two, opened and resolved  (difference.go, move.go)
//
// Each step asks the database what is left to do, so a console that is killed goes
// on where it was, and one that has done all does nothing.

// Knowledge is what re-matching needs of the feed.
type Knowledge interface {
	// Newest returns the installed revision, and whether all consoles are to have it.
	Newest(ctx context.Context) (rev *feed.Revision, settled bool, err error)
	// Revision returns an earlier one, if it is there still.
	Revision(ctx context.Context, id string) (rev *feed.Revision, found bool, err error)
}

const (
	// lookEvery is how often the feed is asked for its revision, which costs a stat(2).
	lookEvery = 2 * time.Second
	// askEvery is how often the nodes are asked for their results while the revision
	// stays: a console that has not heard of it yet may have matched a scan against the
	// one before.
	askEvery = time.Minute
	// longestRest is how long it is left alone at most after it has failed again and again.
	longestRest = 30 * time.Second
)

// KeepMatched has every node's result be that of the newest revision, until the
// context ends. Whoever installs a revision need not say so: another process may.
func (s *Service) KeepMatched(ctx context.Context, k Knowledge) {
	failing := logs.Lasting{What: "the fleet could not be matched against the feed; it will be tried again"}
	var last string
	var asked time.Time
	failed := 0
	lease.Every(ctx, 0, func(ctx context.Context) time.Duration {
		rev, settled, err := k.Newest(ctx)
		if err == nil && settled && (rev.ID() != last || s.now().Sub(asked).Abs() >= askEvery) {
			asked = s.now()
			if err = s.Rematch(ctx, k, rev); err == nil {
				last = rev.ID()
			}
		}
		failing.Note(ctx, err)
		if err != nil {
			failed++
			return lookEvery + min(lease.Backoff(failed), longestRest)
		}
		failed = 0
		return lookEvery
	})
}

// Rematch gives every node what a revision says of its inventory. It may be repeated:
// where nothing is behind, nothing is done.
func (s *Service) Rematch(ctx context.Context, k Knowledge, rev *feed.Revision) (err error) {
	ctx, end := trace.Span(ctx, "match the fleet", &err, "revision", rev.ID())
	defer end()
	err = s.db.Alone(ctx, db.Rematching, func() error {
		if newer, err := s.newerRules(ctx); err != nil || newer {
			return err
		}
		lacking, err := s.lacking(ctx, rev)
		if err != nil {
			return err
		}
		moving, err := s.behind(ctx, rev)
		if err != nil {
			return err
		}
		if len(lacking) == 0 && len(moving) == 0 {
			return s.endRematch(ctx, rev)
		}
		r, err := s.beginRematch(ctx, rev, lacking, moving)
		if err != nil {
			return err
		}
		if err = s.matchLacking(ctx, k, r, lacking); err == nil {
			err = s.moveAll(ctx, r)
		}
		if err != nil {
			return errors.Join(err, s.failRematch(ctx, r, err))
		}
		return s.endRematch(ctx, rev)
	})
	if err != nil {
		return fmt.Errorf("match the fleet against revision %s: %w", rev.ID(), err)
	}
	return nil
}

// yieldFor is for how long a console leaves the fleet to one with newer rules: while
// consoles are exchanged one after the other, the fleet must not go back and forth.
const yieldFor = time.Hour

// newerRules tells whether a console with newer rules has matched the fleet of late.
func (s *Service) newerRules(ctx context.Context) (bool, error) {
	var newer int
	err := s.db.Read().QueryRowContext(ctx, `SELECT count(*) FROM rematch WHERE CAST(engine AS BIGINT) > CAST($1 AS BIGINT) AND started_at > $2`,
		match.EngineVersion, s.now().Add(-yieldFor).UnixMicro()).Scan(&newer)
	return newer > 0, err
}

// rematch is one that goes on.
type rematch struct {
	id  string
	rev *feed.Revision
}

// What makes the fleet be matched again.
const (
	byFeed   = "feed"
	byEngine = "engine" // the console has other rules
)

// beginRematch goes on with the re-match against a revision that was begun, or has
// failed, or begins one; any other is over.
func (s *Service) beginRematch(ctx context.Context, rev *feed.Revision, lacking []inventory, moving []moving) (r rematch, err error) {
	r.rev = rev
	nodes := len(moving)
	for _, i := range lacking {
		nodes += i.nodes
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		if err := leaveBehind(ctx, tx, rev, now); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `UPDATE rematch SET state = 'running', finished_at = NULL
			WHERE state IN ('running', 'failed') AND revision = $1 AND engine = $2 RETURNING id`, rev.ID(), match.EngineVersion)
		going, err := db.All(rows, err, db.Value[string])
		if err != nil {
			return err
		}
		if len(going) > 0 {
			r.id = going[0]
			return nil
		}
		r.id = db.NewID()
		_, err = tx.ExecContext(ctx, `INSERT INTO rematch (id, cause, state, revision_before, revision, engine, records_new, records_changed, records_gone,
				components, nodes, opened, resolved, unchanged, started_at)
			VALUES ($1, $2, 'running', '', $3, $4, 0, 0, 0, 0, $5, 0, 0, 0, $6)`, r.id, byFeed, rev.ID(), match.EngineVersion, nodes, now.UnixMicro())
		return err
	})
	return r, err
}

// leaveBehind ends re-matches that go on against another revision, or by other rules:
// what they had not done yet is nobody's wish any more.
func leaveBehind(ctx context.Context, tx *db.Tx, rev *feed.Revision, now time.Time) error {
	rows, err := tx.QueryContext(ctx, `UPDATE rematch SET state = CASE error WHEN '' THEN 'complete' ELSE 'failed' END, finished_at = $1
		WHERE state = 'running' AND (revision <> $2 OR engine <> $3) RETURNING id`, now.UnixMicro(), rev.ID(), match.EngineVersion)
	overtaken, err := db.All(rows, err, db.Value[string])
	if err != nil {
		return err
	}
	for _, id := range overtaken {
		if err := event.Append(ctx, tx, now, "rematch.overtaken", id, map[string]string{"rematch": id, "revision": rev.ID()}); err != nil {
			return err
		}
	}
	return nil
}

// failRematch says why a re-match goes no further. It will be tried again; that it
// fails is told the first time.
func (s *Service) failRematch(ctx context.Context, r rematch, because error) error {
	text := strings.Join(strings.Fields(because.Error()), " ")
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var before string
		if err := tx.QueryRowContext(ctx, `SELECT error FROM rematch WHERE id = $1`, r.id).Scan(&before); err != nil {
			return err
		}
		now := s.now()
		_, err := tx.ExecContext(ctx, `UPDATE rematch SET state = 'failed', error = $2, finished_at = $3 WHERE id = $1`, r.id, text, now.UnixMicro())
		if err != nil || before != "" {
			return err
		}
		return event.Append(ctx, tx, now, "rematch.failed", r.id, map[string]string{"rematch": r.id, "revision": r.rev.ID(), "error": text})
	})
}

// faults are what went wrong with some inventories or nodes, while the others go on.
type faults struct {
	first error
	more  int
}

func (f *faults) note(err error) {
	if f.first == nil {
		f.first = err
	} else {
		f.more++
	}
}

func (f *faults) err() error {
	if f.more > 0 {
		return fmt.Errorf("%w, and so with %d others", f.first, f.more)
	}
	return f.first
}

// endRematch says that the re-match is over, if one went on or had failed, and forgets
// what inventories gave under other revisions: nobody asks for that again.
func (s *Service) endRematch(ctx context.Context, rev *feed.Revision) error {
	var over []ended
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		now := s.now()
		if err := leaveBehind(ctx, tx, rev, now); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, `UPDATE rematch SET state = 'complete', error = '', finished_at = $1
			WHERE state IN ('running', 'failed') AND revision = $2 AND engine = $3
			RETURNING id, cause, revision, nodes, opened, resolved, started_at`, now.UnixMicro(), rev.ID(), match.EngineVersion)
		over, err = db.All(rows, err, func(scan db.Scan) (e ended, err error) {
			return e, scan(&e.ID, &e.Cause, &e.Revision, &e.Nodes, &e.Opened, &e.Resolved, db.Time{Time: &e.StartedAt})
		})
		if err != nil {
			return err
		}
		for _, e := range over {
			if err := event.Append(ctx, tx, now, "rematch.completed", e.ID, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(over) == 0 {
		return err
	}
	for _, e := range over {
		slog.InfoContext(ctx, "fleet matched again", "revision", e.Revision, "cause", e.Cause, "nodes", e.Nodes, "opened", e.Opened, "resolved", e.Resolved,
			"took", s.now().Sub(e.StartedAt).Round(time.Millisecond))
	}
	return s.forgetOlder(ctx, rev)
}

// ended is what is told of a re-match that is over.
type ended struct {
	ID        string    `json:"rematch"`
	Cause     string    `json:"cause"`
	Revision  string    `json:"revision"`
	Nodes     int       `json:"nodes"`
	Opened    int       `json:"opened"`
	Resolved  int       `json:"resolved"`
	StartedAt time.Time `json:"started_at"`
}

// forgetOlder forgets what inventories gave under other revisions and engines. A
// console that is behind may be told anew.
func (s *Service) forgetOlder(ctx context.Context, rev *feed.Revision) error {
	for {
		n, err := s.sweep(ctx, `DELETE FROM result_of WHERE (inventory_id, revision, engine) IN (
			SELECT inventory_id, revision, engine FROM result_of WHERE revision <> $1 OR engine <> $2 LIMIT $3)`, rev.ID(), match.EngineVersion, sweepMatches)
		if err != nil || n < sweepMatches {
			return err
		}
	}
}
