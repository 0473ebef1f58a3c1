package schedule

import (
	"context"
	"fmt"
	"strings"
	"time"

	"patrol/internal/platform/db"
)

// Feed is what runs need of what is known.
type Feed interface {
	// Due tells whether the feed is older than its interval, or could not be brought
	// up to date when that was last tried. It is quick.
	Due(ctx context.Context) (bool, error)
	// Refresh brings the feed up to date if it is older than its interval, and returns
	// why it could not be.
	Refresh(ctx context.Context) error
}

// feedPatience is how long a run waits for the feed: then what is installed must do.
const feedPatience = time.Minute

// feedTopic is the signal that some run waits for the feed.
const feedTopic = "schedule/feed"

// checked returns what a run that begins now has for the time at which the feed was
// looked at: zero if it is to wait for that.
func (s *Service) checked(ctx context.Context) time.Time {
	if due, err := s.feed.Due(ctx); due || err != nil {
		return time.Time{} // what is wrong is said where it is mended
	}
	return s.now()
}

// refresh brings the feed up to date for all runs that wait for it, and lets them go
// on whatever came of it. It is done by every console; all but the first find that
// nothing is due any longer. A console that is killed meanwhile leaves them waiting,
// for another or itself.
func (s *Service) refresh(ctx context.Context) (time.Duration, error) {
	var waiting bool
	err := s.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM run WHERE finished_at IS NULL AND feed_checked_at IS NULL)`).Scan(&waiting)
	if err != nil {
		return again, err
	}
	if !waiting {
		return glance, nil
	}
	bound, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	began, failed := s.now(), ""
	if err := s.feed.Refresh(bound); ctx.Err() != nil {
		return again, ctx.Err()
	} else if bound.Err() != nil {
		failed = fmt.Sprintf("it took longer than %v", s.patience)
	} else if err != nil {
		failed = strings.Join(strings.Fields(err.Error()), " ")
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		// One that asked in vain says so also on runs that others let go meanwhile.
		_, err := tx.ExecContext(ctx, `UPDATE run SET feed_checked_at = $1, feed_error = $2 WHERE finished_at IS NULL
			AND (feed_checked_at IS NULL OR $2 <> '' AND feed_checked_at >= $3)`, s.now().UnixMicro(), failed, began.UnixMicro())
		tx.AfterCommit(func() { s.signals.Wake(runTopic) })
		return err
	})
	if err != nil {
		return again, fmt.Errorf("let runs go on that waited for the feed: %w", err)
	}
	return glance, nil
}
