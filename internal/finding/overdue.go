package finding

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
	"patrol/internal/risk"
)

// Nobody changes anything when an occurrence becomes overdue: a day ends. So it is told
// once a day, of all that were due on it, by the terms of then. What other terms, another
// severity or the end of a decision make overdue at once was due on a day that is over:
// those are events of their own.

// overduePoll finds that a day has begun if the clock was set.
const overduePoll = time.Minute

// KeepDates tells when due dates have passed, until the context ends.
func (s *Service) KeepDates(ctx context.Context) {
	failing := logs.Lasting{What: "what has become overdue could not be told; it will be tried again"}
	lease.Every(ctx, 0, func(ctx context.Context) time.Duration {
		failing.Note(ctx, s.TellOverdue(ctx))
		now := s.now()
		return min(overduePoll, dayAt(dayOf(now)+1).Sub(now))
	})
}

// overdue is what is told of the due days that have passed since it was last told.
type overdue struct {
	From       string       `json:"from_day"`
	To         string       `json:"to_day"`
	Due        Due          `json:"due"`
	Count      int          `json:"count"`
	Severities fleet.Counts `json:"severities"`
}

// TellOverdue tells what was due on the days that have passed since it was last told, if
// anything was that is open still. The first time it tells nothing.
func (s *Service) TellOverdue(ctx context.Context) error {
	today := dayOf(s.now())
	through, err := db.One(s.db.Read().QueryRowContext(ctx, `SELECT through FROM overdue WHERE id = 1`), db.Value[int64])
	switch {
	case errors.Is(err, db.ErrNotFound):
		return s.note(ctx, `INSERT INTO overdue (id, through) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, today)
	case err != nil:
		return fmt.Errorf("read which due days were told: %w", err)
	case through > today+1: // further than consoles' clocks differ: one was ahead, and has told of days that are yet to come
		return s.note(ctx, `UPDATE overdue SET through = $1 WHERE id = 1 AND through = $2`, today, through)
	case through >= today:
		return nil
	}
	due, err := s.due(ctx)
	if err != nil {
		return err
	}
	told := overdue{From: dayAt(through).Format(time.DateOnly), To: dayAt(today - 1).Format(time.DateOnly), Due: due}
	if err := told.count(ctx, s.db.Read(), dueBetween(through, today-1, due)); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return s.tellOverdue(ctx, tx, through, today, told) })
}

func (s *Service) tellOverdue(ctx context.Context, tx *db.Tx, through, today int64, told overdue) error {
	result, err := tx.ExecContext(ctx, `UPDATE overdue SET through = $1 WHERE id = 1 AND through = $2`, today, through)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 || told.Count == 0 {
		return err // another console was first, or there is nothing to tell
	}
	tx.AfterCommit(func() {
		slog.WarnContext(ctx, "occurrences have become overdue", "from", told.From, "to", told.To, "occurrences", told.Count)
	})
	return event.Append(ctx, tx, s.now(), "occurrences.overdue", "overdue", told)
}

// count counts what is open in runs.
func (o *overdue) count(ctx context.Context, q db.Querier, runs []dueRun) error {
	for _, r := range runs {
		var n int
		var args arguments
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM occurrence WHERE `+r.where(&args), args...).Scan(&n); err != nil {
			return fmt.Errorf("count what has become overdue: %w", err)
		}
		o.Count += n
		addTo(&o.Severities, r.severity, n)
	}
	return nil
}

// dueRun is what is open of a severity, listed by KEV or not, and was opened from one
// moment until before another: two runs of the index.
type dueRun struct {
	severity      risk.Severity
	kev           int
	opened, until time.Time
}

// dueBetween returns where to look for what is due on the days from one to another.
func dueBetween(from, to int64, due Due) []dueRun {
	var runs []dueRun
	for _, severity := range risk.Severities {
		for kev := range 2 {
			if days, dated := due.days(severity, kev == 1); dated {
				runs = append(runs, dueRun{severity, kev, dayAt(from - days), dayAt(to - days + 1)})
			}
		}
	}
	return runs
}

func (r dueRun) where(args *arguments) string {
	kind := run{severity: r.severity, kev: r.kev}.number()
	return fmt.Sprintf(`state = '%s' AND `+alike+` IN (%d, %d) AND opened_at >= %s AND opened_at < %s`,
		Open, kind, kind+1, args.add(r.opened.UnixMicro()), args.add(r.until.UnixMicro()))
}

// BecameOverdue returns what is open, and by such terms was due on the days from one to
// another, both of them included, in the order of ids.
func (s *Service) BecameOverdue(ctx context.Context, q db.Querier, from, to time.Time, due Due) ([]Noted, error) {
	var args arguments
	looks := []string{}
	for _, r := range dueBetween(dayOf(from), dayOf(to), due) {
		looks = append(looks, noted(`opened_because`, r.where(&args)))
	}
	if len(looks) == 0 {
		return []Noted{}, nil
	}
	found, err := readNoted(ctx, q, strings.Join(looks, ` UNION ALL `), args...)
	if err != nil {
		return nil, fmt.Errorf("read what has become overdue: %w", err)
	}
	return found, nil
}
