package finding

import (
	"context"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/lease"
	"patrol/internal/platform/logs"
	"patrol/internal/risk"
)

// How old what is open is changes with every occurrence that is resolved. Of few it is
// counted when somebody asks; of many it is counted every few minutes and kept.
const (
	many = 50_000
	// ageEvery is how old the numbers of many may be.
	ageEvery = 5 * time.Minute
	// trendEvery is how often there is a look at whether anything is to be counted.
	trendEvery = time.Minute
	// settled is how long after its end a day is counted: until transactions that began
	// before have ended, on whichever console.
	settled = 10 * time.Minute
)

// cohort is what was opened on one day and is open still.
type cohort struct {
	rank, kev int
	day       int64
	open      int
}

// KeepTrend counts what trends are told from, until the context ends.
func (s *Service) KeepTrend(ctx context.Context) {
	failing := logs.Lasting{What: "the trend could not be counted; it will be tried again"}
	lease.Every(ctx, 0, func(ctx context.Context) time.Duration {
		failing.Note(ctx, s.CountTrend(ctx))
		return trendEvery
	})
}

// CountTrend counts the days that are over and were not counted, and ages that were
// counted too long ago. Several consoles come to the same.
func (s *Service) CountTrend(ctx context.Context) error {
	var through, aged int64
	if err := s.db.Read().QueryRowContext(ctx, `SELECT through, aged_at FROM trend WHERE id = 1`).Scan(&through, &aged); err != nil {
		return err
	}
	now := s.now()
	if through > dayOf(now) {
		return s.forgetDays(ctx, dayOf(now))
	}
	if today := dayOf(now.Add(-settled)); through < today {
		if err := s.keepDays(ctx, through, today); err != nil {
			return err
		}
	}
	all := fleet.Scope{Column: fleet.All}
	open, _, err := openNow(ctx, s.db.Read(), all)
	if err != nil || sum(open) <= s.many || now.Sub(time.UnixMicro(aged)).Abs() < ageEvery {
		return err
	}
	return s.keepAges(ctx, now)
}

// forgetDays forgets the days from one on, which a clock that was ahead took to be
// over: they are yet to come.
func (s *Service) forgetDays(ctx context.Context, today int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM trend_day WHERE day >= $1`, today); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE trend SET through = $1 WHERE id = 1`, today)
		return err
	})
}

// keepDays counts the days before one, and none that stands there already. The first
// time it goes back as far as a trend can.
func (s *Service) keepDays(ctx context.Context, through, today int64) error {
	var found map[slot]*flow
	err := s.db.ReadTx(ctx, func(q db.Querier) error {
		all := fleet.Scope{Column: fleet.All}
		open, decided, err := openNow(ctx, q, all)
		if err != nil {
			return err
		}
		found, err = countDays(ctx, q, all, max(through, today-trendDays), dayOf(s.now()), open, decided)
		return err
	})
	if err != nil {
		return err
	}
	rows := [][]any{}
	for at, f := range found {
		if at.day >= today || f.open+f.opened+f.resolved == 0 {
			continue
		}
		hours, err := db.ToJSON(f.hours)
		if err != nil {
			return err
		}
		rows = append(rows, []any{at.day, at.rank, f.open, f.opened, f.resolved, f.fixed, f.seconds, hours})
	}
	text, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO trend_day (day, rank, open, opened, resolved, fixed, seconds, hours)
			SELECT CAST(value->>0 AS BIGINT), CAST(value->>1 AS BIGINT), CAST(value->>2 AS BIGINT), CAST(value->>3 AS BIGINT), CAST(value->>4 AS BIGINT),
				CAST(value->>5 AS BIGINT), CAST(value->>6 AS BIGINT), value->>7 FROM json_each($1) AS j WHERE TRUE ON CONFLICT (day, rank) DO NOTHING`, text)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE trend SET through = $1 WHERE id = 1 AND through < $1`, today)
		return err
	})
}

func (s *Service) keepAges(ctx context.Context, now time.Time) error {
	cohorts, err := countAges(ctx, s.db.Read(), fleet.Scope{Column: fleet.All})
	if err != nil {
		return err
	}
	rows := make([][]any, len(cohorts))
	for i, c := range cohorts {
		rows[i] = []any{c.rank, c.kev, c.day, c.open}
	}
	text, err := db.ToJSON(rows)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, change := range []struct {
			text string
			args []any
		}{
			{`DELETE FROM trend_age`, nil},
			{`INSERT INTO trend_age (rank, kev, day, open) SELECT CAST(value->>0 AS BIGINT), CAST(value->>1 AS BIGINT), CAST(value->>2 AS BIGINT), CAST(value->>3 AS BIGINT)
				FROM json_each($1) AS j`, []any{text}},
			{`UPDATE trend SET aged_at = $1 WHERE id = 1`, []any{now.UnixMicro()}},
		} {
			if _, err := tx.ExecContext(ctx, change.text, change.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func countAges(ctx context.Context, q db.Querier, scope fleet.Scope) ([]cohort, error) {
	where := `$1 = 'null'`
	if scope.Column != fleet.All {
		where = `resolved_at IS NULL AND ` + amongNumbers(`$1`)
	}
	rows, err := q.QueryContext(ctx, `SELECT (`+alike+`) / 4, (`+alike+`) / 2 % 2, opened_at / 86400000000, count(*) FROM occurrence WHERE state = 'open' AND `+where+` GROUP BY 1, 2, 3`, scope.Column)
	return db.All(rows, err, readCohort)
}

func readCohort(scan db.Scan) (c cohort, err error) { return c, scan(&c.rank, &c.kev, &c.day, &c.open) }

// tellAges tells how old what is open is, and what of it is overdue.
func (t *Trend) tellAges(cohorts []cohort, today int64) {
	for i, from := range ages {
		age := Age{From: from}
		if i+1 < len(ages) {
			age.To = ages[i+1]
		}
		for _, c := range cohorts {
			if old := int(today - c.day); old >= from && (age.To == 0 || old < age.To) {
				addTo(&age.Open, risk.OfRank(c.rank), c.open)
			}
		}
		t.Ages = append(t.Ages, age)
	}
	for _, c := range cohorts {
		severity := risk.OfRank(c.rank)
		if days, dated := t.Due.days(severity, c.kev == 1); dated && c.day+days < today {
			addTo(&t.Overdue, severity, c.open)
		}
	}
}

// cohorts returns what is open by the day on which it was opened, and when that was
// counted.
func (s *Service) cohorts(ctx context.Context, q db.Querier, scope fleet.Scope, open int, now time.Time) ([]cohort, time.Time, error) {
	now = now.UTC()
	if scope.Column != fleet.All || open <= s.many {
		counted, err := countAges(ctx, q, scope)
		return counted, now, err
	}
	var aged time.Time
	if err := q.QueryRowContext(ctx, `SELECT aged_at FROM trend WHERE id = 1`).Scan(db.Time{Time: &aged}); err != nil {
		return nil, now, err
	}
	if aged.UnixMicro() == 0 {
		counted, err := countAges(ctx, q, scope)
		return counted, now, err
	}
	rows, err := q.QueryContext(ctx, `SELECT rank, kev, day, open FROM trend_age`)
	kept, err := db.All(rows, err, readCohort)
	return kept, aged, err
}

func sum(c fleet.Counts) int {
	return c.Malicious + c.Critical + c.High + c.Medium + c.Low + c.Unknown
}
