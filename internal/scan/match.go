package scan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"patrol/internal/collect"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
	"patrol/internal/platform/trace"
)

// idle is how long the matcher waits when nothing wakes it: what remains to be
// taken over then are the leases of killed consoles.
const idle = 5 * time.Second

// Run matches what agents collect, and tries again what failed, until the context
// ends.
func (s *Service) Run(ctx context.Context) {
	var retrying sync.WaitGroup
	retrying.Go(func() { s.keepRetrying(ctx) })
	defer retrying.Wait()
	failing := logs.Lasting{What: "matching failed; it will be tried again"}
	s.signals.Loop(ctx, matchTopic, func(ctx context.Context) time.Duration {
		worked, err := s.matchNext(ctx)
		failing.Note(ctx, err)
		switch {
		case err != nil:
			return time.Second
		case worked:
			return 0
		}
		return idle
	})
}

// matchNext matches one scan; false if none waits.
func (s *Service) matchNext(ctx context.Context) (bool, error) {
	var claims []lease.Claim
	err := s.db.Write(ctx, func(tx *db.Tx) (err error) {
		claims, err = matches.Claim(ctx, tx, s.now(), 1, "")
		return err
	})
	if err != nil || len(claims) == 0 {
		return false, err
	}
	claim := claims[0]
	if claim.Attempt > attempts {
		reason := fmt.Sprintf("the console began to match it %d times and never finished: see its log", attempts)
		return true, s.db.Write(ctx, func(tx *db.Tx) error {
			_, err := s.end(ctx, tx, claim.ID, Failed, reason)
			return err
		})
	}
	err = s.keepWhile(ctx, claim, func(ctx context.Context) error {
		err := s.match(ctx, claim)
		if errors.Is(err, errOvertaken) {
			err = s.match(ctx, claim)
		}
		return err
	})
	if err == nil || errors.Is(err, lease.ErrLost) || ctx.Err() != nil {
		return true, nil // done; or cancelled, or taken over, and then not ours to end
	}
	slog.Error("scan could not be matched", "scan", claim.ID, "attempt", claim.Attempt, "error", err)
	if claim.Attempt == attempts {
		reason := "matching failed: " + err.Error()
		return true, s.db.Write(ctx, func(tx *db.Tx) error { return s.fail(ctx, tx, claim.ID, reason) })
	}
	return true, s.db.Write(ctx, func(tx *db.Tx) error { return matches.Retry(ctx, tx, claim, s.now()) })
}

// keepWhile extends the lease for as long as work runs, and ends the work when
// the lease is lost.
func (s *Service) keepWhile(ctx context.Context, claim lease.Claim, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		ticker := time.NewTicker(lease.Duration / 3)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			err := s.db.Write(ctx, func(tx *db.Tx) error { return matches.Extend(ctx, tx, claim, s.now()) })
			if errors.Is(err, lease.ErrLost) {
				cancel(err)
			}
		}
	}()
	err := work(ctx)
	lost := errors.Is(context.Cause(ctx), lease.ErrLost)
	cancel(nil)
	<-kept
	if lost {
		return lease.ErrLost
	}
	return err
}

func (s *Service) match(ctx context.Context, claim lease.Claim) (err error) {
	ctx, end := trace.Span(ctx, "match scan", &err, "scan", claim.ID)
	defer end()
	var digest string
	var warnings []collect.Warning
	err = s.db.Read().QueryRowContext(ctx, `SELECT b.digest, s.warnings FROM scan AS s JOIN sbom AS b ON b.id = s.sbom_id WHERE s.id = $1`, claim.ID).
		Scan(&digest, db.JSON{Into: &warnings})
	if err != nil {
		return fmt.Errorf("read scan %s: %w", claim.ID, err)
	}
	document, ok, err := s.fleet.Lookup(ctx, digest)
	if err == nil && !ok {
		err = db.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("read SBOM %s of scan %s: %w", digest, claim.ID, err)
	}
	revision, err := s.knowledge.For(ctx, document.Inventory.Ecosystems)
	if err != nil {
		return fmt.Errorf("read the feed: %w", err)
	}
	result, err := s.findings.Match(ctx, document.Inventory.ID, document.Inventory.Ecosystems, revision)
	if err != nil {
		return err
	}
	before, err := s.before(ctx, claim.ID)
	if err != nil {
		return err
	}
	gaps, err := s.gaps(ctx, before, digest, warnings)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return s.complete(ctx, tx, claim, before, outcome{document, result, Feed{revision.ID(), revision.Sample()}, gaps})
	})
}

// errOvertaken says that the fleet was matched with what became known while this scan
// was: with what was known before, it would undo that for its node.
var errOvertaken = errors.New("the node was matched with a newer feed meanwhile")

// outcome is what matching a scan came to.
type outcome struct {
	document fleet.SBOM
	result   int64
	feed     Feed
	gaps     gaps
}

// complete ends the scan, opens and resolves occurrences, and writes the event,
// all or nothing.
func (s *Service) complete(ctx context.Context, tx *db.Tx, claim lease.Claim, b before, o outcome) error {
	held, err := db.One(tx.QueryRowContext(ctx, `SELECT COALESCE(max(result_id), 0) FROM node_result WHERE node_id = $1`, b.node), db.Value[int64])
	if err != nil {
		return fmt.Errorf("read what is known of node %s: %w", b.node, err)
	}
	if held != b.state.Result {
		return errOvertaken
	}
	if err := matches.Finish(ctx, tx, claim, Complete); err != nil {
		return err
	}
	after := finding.State{Inventory: o.document.Inventory.ID, Result: o.result}
	// First what the node is, which selectors of decisions ask for.
	keys := keysOf(o.gaps.unseen)
	if err := s.fleet.Installed(ctx, tx, b.node, o.document, keys...); err != nil {
		return err
	}
	opened, resolved, err := s.findings.Apply(ctx, tx, b.node, claim.ID, b.state, after, keys)
	if err != nil {
		return err
	}
	unseen, err := db.ToJSON(o.gaps.unseen)
	if err != nil {
		return err
	}
	notAssessed, err := db.ToJSON(o.gaps.notAssessed)
	if err != nil {
		return err
	}
	now := s.now()
	_, err = tx.ExecContext(ctx, `UPDATE scan SET result_id = $2, revision = $3, sample = $4, engine = $5, opened = $6, resolved = $7,
		unseen = $8, not_assessed = $9, finished_at = $10 WHERE id = $1`,
		claim.ID, o.result, o.feed.Revision, db.Bit(o.feed.Sample), match.EngineVersion, opened, resolved, unseen, notAssessed, now.UnixMicro())
	if err != nil {
		return fmt.Errorf("complete scan %s: %w", claim.ID, err)
	}
	if err := tally(ctx, tx, claim.ID); err != nil {
		return err
	}
	if err := s.finished(ctx, tx, claim.ID); err != nil {
		return err
	}
	return event.AppendTo(ctx, tx, now, event.Of(b.node), "scan.completed", claim.ID, map[string]any{
		"node": b.node, "revision": o.feed.Revision, "opened": opened, "resolved": resolved,
	})
}
