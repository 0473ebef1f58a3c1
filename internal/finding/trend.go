package finding

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/platform/db"
	"patrol/internal/platform/problem"
	"patrol/internal/risk"
)

// TrendQuery says which days a trend is of.
type TrendQuery struct {
	From time.Time `query:"from" doc:"The first day; 90 days ago unless given."`
	To   time.Time `query:"to" doc:"The last day; today unless given."`
}

// trendDays is how many days one trend may have at most.
const trendDays = 731

// Trend tells how what is open has changed from day to day, how old it is, and how
// long it took to fix. Days are those of UTC.
type Trend struct {
	From string `json:"from" example:"2026-05-01"`
	To   string `json:"to"`
	Days []Day  `json:"days"`
	// Open and Decided are now.
	Open    fleet.Counts `json:"open"`
	Decided fleet.Counts `json:"decided"`
	// Ages are of what is open now and not decided, the youngest first.
	Ages []Age `json:"ages"`
	// TimeToFix is of what was fixed on these days, worst first.
	TimeToFix []TimeToFix  `json:"time_to_fix"`
	Overdue   fleet.Counts `json:"overdue" doc:"Open now, not decided, and past the due date."`
	Due       Due          `json:"due"`
	// AsOf is when ages and what is overdue were counted.
	AsOf time.Time `json:"as_of"`
}

// Day is one day of a trend.
type Day struct {
	Day      string       `json:"day" example:"2026-05-01"`
	Open     fleet.Counts `json:"open" doc:"At the end of the day, decided ones too."`
	Opened   fleet.Counts `json:"opened"`
	Resolved fleet.Counts `json:"resolved"`
}

// Age is how much is open since some days.
type Age struct {
	From int          `json:"from_days"`
	To   int          `json:"to_days" doc:"Not included; 0 for however many."`
	Open fleet.Counts `json:"open"`
}

// ages are the bounds of the buckets, in days.
var ages = []int{0, 7, 30, 90, 180, 365}

// TimeToFix is how long occurrences were open that an upgrade or a removal resolved.
type TimeToFix struct {
	Severity risk.Severity `json:"severity"`
	Fixed    int           `json:"fixed"`
	Mean     float64       `json:"mean_days"`
	Median   float64       `json:"median_days" doc:"To the hour up to two days, to the day from there."`
}

// Trend returns the trend of what the caller sees.
func (s *Service) Trend(ctx context.Context, q TrendQuery) (Trend, error) {
	now := s.now()
	last := dayOf(now)
	if !q.To.IsZero() {
		last = min(last, dayOf(q.To))
	}
	first := last - 90
	if !q.From.IsZero() {
		first = dayOf(q.From)
	}
	if first > last {
		return Trend{}, problem.Invalid("from", "is after the end")
	}
	if last-first >= trendDays {
		return Trend{}, problem.Invalid("from", "a trend has %d days at most", trendDays)
	}
	scope, err := s.nodes.Scope(ctx)
	if err != nil {
		return Trend{}, err
	}
	t := Trend{From: dayAt(first).Format(time.DateOnly), To: dayAt(last).Format(time.DateOnly)}
	if t.Due, err = s.due(ctx); err != nil {
		return t, err
	}
	var days map[slot]*flow
	var cohorts []cohort
	err = s.db.ReadTx(ctx, func(q db.Querier) (err error) {
		if t.Open, t.Decided, err = openNow(ctx, q, scope); err != nil {
			return fmt.Errorf("count what is open: %w", err)
		}
		if days, err = daysOf(ctx, q, scope, first, dayOf(now), t.Open, t.Decided); err != nil {
			return fmt.Errorf("count by day: %w", err)
		}
		if cohorts, t.AsOf, err = s.cohorts(ctx, q, scope, sum(t.Open), now); err != nil {
			return fmt.Errorf("count by age: %w", err)
		}
		return nil
	})
	if err != nil {
		return t, err
	}
	t.tellDays(days, first, last)
	t.tellAges(cohorts, dayOf(now))
	return t, nil
}

// openNow counts by the numbers that are kept: of places, which are fewer than those of
// nodes, for who sees all of these.
func openNow(ctx context.Context, q db.Querier, scope fleet.Scope) (open, decided fleet.Counts, err error) {
	by, numbers := `rank, ''`, `affected_package WHERE $1 = 'null'`
	if scope.Column != fleet.All {
		by, numbers = `0, severity`, `node_count WHERE node_id `+db.Among(`$1`)
	}
	rows, err := q.QueryContext(ctx, `SELECT `+by+`, CAST(sum(open) AS BIGINT), CAST(sum(decided) AS BIGINT) FROM `+numbers+` GROUP BY 1, 2`, scope.Column)
	if err != nil {
		return open, decided, err
	}
	return open, decided, db.Each(rows, func(scan db.Scan) error {
		var rank, o, d int
		var severity risk.Severity
		err := scan(&rank, &severity, &o, &d)
		if severity == "" {
			severity = risk.OfRank(rank)
		}
		addTo(&open, severity, o)
		addTo(&decided, severity, d)
		return err
	})
}

// slot is one severity on one day.
type slot struct {
	day  int64
	rank int
}

// flow is what came and went in it.
type flow struct {
	open, opened, resolved int
	fixed                  int
	seconds                int64
	hours                  map[int]int
}

// daysOf returns what came and went from a day on until today, and what was open at the
// end of each day. Days that are over stand in a table, for who sees all nodes; the
// others are counted.
func daysOf(ctx context.Context, q db.Querier, scope fleet.Scope, first, today int64, open, decided fleet.Counts) (map[slot]*flow, error) {
	kept := map[slot]*flow{}
	from := first
	if scope.Column == fleet.All {
		row := q.QueryRowContext(ctx, `SELECT through FROM trend WHERE id = 1`)
		through, err := db.One(row, db.Value[int64])
		if err != nil {
			return nil, err
		}
		from = max(first, through)
		if kept, err = keptDays(ctx, q, first, from); err != nil {
			return nil, err
		}
	}
	counted, err := countDays(ctx, q, scope, from, today, open, decided)
	if err != nil {
		return nil, err
	}
	maps.Copy(kept, counted)
	return kept, nil
}

func keptDays(ctx context.Context, q db.Querier, first, before int64) (map[slot]*flow, error) {
	rows, err := q.QueryContext(ctx, `SELECT day, rank, open, opened, resolved, fixed, seconds, hours FROM trend_day WHERE day >= $1 AND day < $2`, first, before)
	if err != nil {
		return nil, err
	}
	found := make(map[slot]*flow)
	return found, db.Each(rows, func(scan db.Scan) error {
		var at slot
		f := &flow{}
		err := scan(&at.day, &at.rank, &f.open, &f.opened, &f.resolved, &f.fixed, &f.seconds, db.JSON{Into: &f.hours})
		found[at] = f
		return err
	})
}

// countDays counts from occurrences. What was open at the end of a day is what is open
// now, less what was opened since, with what was resolved since: all of one moment.
func countDays(ctx context.Context, q db.Querier, scope fleet.Scope, first, today int64, open, decided fleet.Counts) (map[slot]*flow, error) {
	found := make(map[slot]*flow)
	of := func(at slot) *flow {
		if found[at] == nil {
			found[at] = &flow{hours: map[int]int{}}
		}
		return found[at]
	}
	begins := dayAt(first).UnixMicro()
	rows, err := q.QueryContext(ctx, `SELECT rank, day, CAST(sum(opened) AS BIGINT) FROM (`+openedBy(scope)+`) AS o GROUP BY 1, 2`, scope.Column, begins)
	if err != nil {
		return nil, err
	}
	err = db.Each(rows, func(scan db.Scan) error {
		var at slot
		var n int
		err := scan(&at.rank, &at.day, &n)
		of(at).opened = n
		return err
	})
	if err != nil {
		return nil, err
	}
	rows, err = q.QueryContext(ctx, `SELECT rank, day, fixed, hours, count(*), CAST(sum(lasted) AS BIGINT) FROM (
			SELECT rank, resolved_at / 86400000000 AS day, CASE WHEN resolved_because IN ('`+Upgraded+`', '`+Removed+`') THEN 1 ELSE 0 END AS fixed,
				CASE WHEN resolved_at - opened_at < 172800000000 THEN (resolved_at - opened_at) / 3600000000
					ELSE (resolved_at - opened_at) / 86400000000 * 24 END AS hours, (resolved_at - opened_at) / 1000000 AS lasted
			FROM occurrence WHERE resolved_at IS NOT NULL AND resolved_at >= $2 AND ($1 = 'null' OR node_id `+db.Among(`$1`)+`)) AS r
		GROUP BY rank, day, fixed, hours`, scope.Column, begins)
	if err != nil {
		return nil, err
	}
	err = db.Each(rows, func(scan db.Scan) error {
		var at slot
		var fixed, hours, n int
		var seconds int64
		err := scan(&at.rank, &at.day, &fixed, &hours, &n, &seconds)
		f := of(at)
		f.resolved += n
		if fixed == 1 {
			f.fixed += n
			f.seconds += seconds
			f.hours[hours] += n
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, severity := range risk.Severities {
		n := countOf(open, severity) + countOf(decided, severity)
		for day := today; day >= first; day-- {
			f := of(slot{day, severity.Rank()})
			f.open = n
			n += f.resolved - f.opened
		}
	}
	return found, nil
}

// openedBy counts the occurrences of a scope, which is the first parameter, that were
// opened after the second, by rank and day. Of all nodes, it is each run of what is
// alike that is asked, of which the indexes tell all.
func openedBy(scope fleet.Scope) string {
	if scope.Column != fleet.All {
		return `SELECT rank, opened_at / 86400000000 AS day, count(*) AS opened
			FROM ` + occurrencesWhere(amongNumbers(`$1`)+` AND opened_at >= $2`) + ` GROUP BY 1, 2`
	}
	looks := []string{}
	for _, state := range []string{Open, Decided, Resolved} {
		looks = append(looks, `SELECT (`+alike+`) / 4 AS rank, opened_at / 86400000000 AS day, count(*) AS opened FROM occurrence
			WHERE $1 = 'null' AND state = '`+state+`' AND `+alike+` IN (`+everyAlike()+`) AND opened_at >= $2 GROUP BY 1, 2`)
	}
	return strings.Join(looks, ` UNION ALL `)
}

// tellDays puts days in order, and what was fixed on them together.
func (t *Trend) tellDays(found map[slot]*flow, first, last int64) {
	t.Days = make([]Day, 0, last-first+1)
	for number := first; number <= last; number++ {
		d := Day{Day: dayAt(number).Format(time.DateOnly)}
		for _, severity := range risk.Severities {
			if f := found[slot{number, severity.Rank()}]; f != nil {
				addTo(&d.Open, severity, f.open)
				addTo(&d.Opened, severity, f.opened)
				addTo(&d.Resolved, severity, f.resolved)
			}
		}
		t.Days = append(t.Days, d)
	}
	t.TimeToFix = []TimeToFix{}
	for _, severity := range risk.Severities {
		fixed, seconds, hours := 0, int64(0), map[int]int{}
		for number := first; number <= last; number++ {
			if f := found[slot{number, severity.Rank()}]; f != nil {
				fixed, seconds = fixed+f.fixed, seconds+f.seconds
				for h, n := range f.hours {
					hours[h] += n
				}
			}
		}
		if fixed > 0 {
			t.TimeToFix = append(t.TimeToFix, TimeToFix{severity, fixed, float64(seconds) / float64(fixed) / day.Seconds(), float64(median(hours, fixed)) / 24})
		}
	}
}

// median returns the hours that the middle one of n was open for; of two, the longer.
func median(hours map[int]int, n int) int {
	seen := 0
	for _, h := range slices.Sorted(maps.Keys(hours)) {
		if seen += hours[h]; seen > n/2 {
			return h
		}
	}
	return 0
}

func countOf(c fleet.Counts, severity risk.Severity) int {
	switch severity {
	case risk.Malicious:
		return c.Malicious
	case risk.Critical:
		return c.Critical
	case risk.High:
		return c.High
	case risk.Medium:
		return c.Medium
	case risk.Low:
		return c.Low
	default:
		return c.Unknown
	}
}
