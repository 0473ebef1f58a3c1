package finding_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/access"
	"patrol/internal/platform/db"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
)

const fullDay = 24 * time.Hour

// aging is a fleet with a history: of two nodes with a critical and a medium each, one
// was mended on the fifth day, and the other has another critical since the ninth.
func (h house) aging() {
	rev := revision{"r", []advisory{
		{"D-1", "Debian:12", "openssl", "", "CVE-2026-1", critical},
		{"D-2", "Debian:12", "openssl", "", "CVE-2026-2", medium},
		{"D-3", "Debian:12", "bash", "", "CVE-2026-3", critical},
	}}
	web, other := h.node("web-1"), h.node("web-2")
	h.scan(web, rev, vulnerable)   // 1 May, 13:00
	h.scan(other, rev, vulnerable) // 14:00
	h.clock.Advance(4*fullDay - time.Hour)
	h.scan(web, rev) // 5 May, 14:00
	h.clock.Advance(4*fullDay - time.Hour)
	h.scan(other, rev, vulnerable, bash) // 9 May, 14:00
}

func (h house) trend(q finding.TrendQuery) finding.Trend {
	h.t.Helper()
	trend, err := h.Trend(h.t.Context(), q)
	if err != nil {
		h.t.Fatal(err)
	}
	trend.AsOf = time.Time{}
	return trend
}

func TestTrend(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.aging()
		two, one := fleet.Counts{Critical: 2, Medium: 2}, fleet.Counts{Critical: 1, Medium: 1}
		got := h.trend(finding.TrendQuery{From: noon})
		want := []finding.Day{
			{Day: "2026-05-01", Open: two, Opened: two},
			{Day: "2026-05-02", Open: two},
			{Day: "2026-05-03", Open: two},
			{Day: "2026-05-04", Open: two},
			{Day: "2026-05-05", Open: one, Resolved: one},
			{Day: "2026-05-06", Open: one},
			{Day: "2026-05-07", Open: one},
			{Day: "2026-05-08", Open: one},
			{Day: "2026-05-09", Open: fleet.Counts{Critical: 2, Medium: 1}, Opened: fleet.Counts{Critical: 1}},
		}
		if !reflect.DeepEqual(got.Days, want) {
			t.Errorf("days = %+v\nwant %+v", got.Days, want)
		}
		if got.Ages[0].Open != (fleet.Counts{Critical: 1}) || got.Ages[1].Open != one || got.Ages[1].From != 7 || got.Ages[1].To != 30 {
			t.Errorf("ages = %+v", got.Ages)
		}
		// Open for four days and an hour; both, so that the mean is the median's day.
		mean := float64(97) / 24
		if !reflect.DeepEqual(got.TimeToFix, []finding.TimeToFix{{Severity: risk.Critical, Fixed: 1, Mean: mean, Median: 4}, {Severity: risk.Medium, Fixed: 1, Mean: mean, Median: 4}}) {
			t.Errorf("time to fix = %+v", got.TimeToFix)
		}
		if got.Overdue != (fleet.Counts{Critical: 1}) || got.Due != finding.DefaultDue {
			t.Errorf("overdue = %+v by %+v", got.Overdue, got.Due)
		}
		// The days that are over are told from what was kept, and to the same.
		for range 2 {
			if err := h.CountTrend(t.Context()); err != nil {
				t.Fatal(err)
			}
			if kept := h.trend(finding.TrendQuery{From: noon}); !reflect.DeepEqual(kept, got) {
				t.Errorf("kept: %+v\ncounted: %+v", kept, got)
			}
		}
		if n := h.count(`SELECT count(*) FROM trend_day`); n != 16 {
			t.Errorf("%d rows are kept; want one for each severity of eight days", n)
		}
		// What was resolved is swept, and the days stay as they were.
		if _, err := h.SweepOccurrences(t.Context(), h.clock.Now()); err != nil {
			t.Fatal(err)
		}
		if kept := h.trend(finding.TrendQuery{From: noon}); !reflect.DeepEqual(kept, got) {
			t.Errorf("swept: %+v\nbefore: %+v", kept, got)
		}
		h.clock.Advance(fullDay)
		if days := h.trend(finding.TrendQuery{From: noon}).Days; len(days) != 10 || days[8] != got.Days[8] || days[9].Open != got.Days[8].Open {
			t.Errorf("a day later: %+v", days)
		}
		for _, q := range []finding.TrendQuery{{From: h.clock.Now().Add(fullDay)}, {From: noon.AddDate(-3, 0, 0)}} {
			_, err := h.Trend(t.Context(), q)
			var refused *problem.Error
			if !errors.As(err, &refused) || refused.Kind != problem.KindInvalid {
				t.Errorf("a trend of %+v: %v", q, err)
			}
		}
		team := access.With(t.Context(), access.Principal{Role: access.Viewer, Scope: `node.name == "web-2"`})
		theirs, err := h.Trend(team, finding.TrendQuery{From: noon})
		if err != nil || theirs.Days[0].Opened != one || theirs.Days[4].Resolved != (fleet.Counts{}) || theirs.Open != (fleet.Counts{Critical: 2, Medium: 1}) {
			t.Errorf("a team sees %+v, %v", theirs, err)
		}
	})
}

// A trend is of one moment, whatever is opened and resolved while it is asked for: before
// the first was opened, nothing was open.
func TestTrendWhileMuchChanges(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{{"D-1", "Debian:12", "openssl", "", "CVE-2026-1", critical}}}
		node := h.node("web-1")
		h.scan(node, rev, vulnerable)
		clean := h.put()
		now, next := h.had[node], finding.State{Inventory: clean.Inventory.ID, Result: h.match(clean, rev)}
		var changing sync.WaitGroup
		var done atomic.Bool
		changing.Go(func() {
			defer done.Store(true)
			for range 100 {
				err := h.db.Write(t.Context(), func(tx *db.Tx) error {
					_, _, err := h.Apply(t.Context(), tx, node, "scan", now, next, nil)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				now, next = next, now
			}
		})
		defer changing.Wait()
		for !done.Load() {
			trend := h.trend(finding.TrendQuery{From: noon})
			today := trend.Days[0]
			if before := today.Open.Critical - today.Opened.Critical + today.Resolved.Critical; before != 0 {
				t.Fatalf("%d open before the first day: %+v", before, today)
			}
			if youngest := trend.Ages[0].Open; youngest != trend.Open {
				t.Fatalf("open are %+v, of today %+v", trend.Open, youngest)
			}
		}
	})
}

// A clock that was a year ahead has taken days for over that are yet to come.
func TestTrendAfterAClockWasAhead(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.aging()
		got := h.trend(finding.TrendQuery{From: noon})
		h.clock.Advance(365 * fullDay)
		for _, back := range []time.Duration{0, -365 * fullDay, 0} {
			h.clock.Advance(back)
			if err := h.CountTrend(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.count(`SELECT count(*) FROM trend_day`); n != 16 {
			t.Errorf("%d rows are kept; want one for each severity of eight days", n)
		}
		if kept := h.trend(finding.TrendQuery{From: noon}); !reflect.DeepEqual(kept, got) {
			t.Errorf("kept: %+v\nbefore: %+v", kept, got)
		}
	})
}

// Of many, ages are told from what was counted some minutes ago.
func TestAgesOfMany(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.aging()
		h.Many(2)
		first := h.trend(finding.TrendQuery{From: noon})
		if err := h.CountTrend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if kept := h.trend(finding.TrendQuery{From: noon}); !reflect.DeepEqual(kept, first) {
			t.Errorf("kept %+v; counted %+v", kept, first)
		}
		dbtest.Write(t, h.db, func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE occurrence SET opened_at = opened_at - 864000000000 WHERE state = 'open'`)
			return err
		})
		if err := h.CountTrend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if soon := h.trend(finding.TrendQuery{From: noon}); !reflect.DeepEqual(soon.Ages, first.Ages) {
			t.Errorf("counted again at once: %+v", soon.Ages)
		}
		h.clock.Advance(6 * time.Minute)
		if err := h.CountTrend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if later := h.trend(finding.TrendQuery{From: noon}); later.Ages[0].Open != (fleet.Counts{}) {
			t.Errorf("some minutes later: %+v", later.Ages)
		}
	})
}

func TestDue(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.aging()
		due := finding.Due{Critical: 7, Medium: 3}
		h.SetDue(func(context.Context) (finding.Due, error) { return due, nil })
		overdue := func(asked string) (found []string) {
			t.Helper()
			for cursor := ""; ; {
				page, err := h.Occurrences(t.Context(), finding.OccurrenceQuery{Overdue: asked}, rest.Paging{Limit: 1, Cursor: cursor})
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range page.Items {
					if o.Overdue != (asked == "true") {
						t.Errorf("overdue=%s lists %+v", asked, o)
					}
					found = append(found, o.Vulnerability)
				}
				if cursor = page.Next; cursor == "" {
					return found
				}
			}
		}
		if got := overdue("true"); !reflect.DeepEqual(got, []string{"CVE-2026-2", "CVE-2026-1"}) {
			t.Errorf("overdue: %q", got)
		}
		if got := overdue("false"); !reflect.DeepEqual(got, []string{"CVE-2026-3"}) {
			t.Errorf("not overdue: %q", got)
		}
		if got := h.trend(finding.TrendQuery{From: noon}).Overdue; got != (fleet.Counts{Critical: 1, Medium: 1}) {
			t.Errorf("overdue = %+v", got)
		}
		page, err := h.Occurrences(t.Context(), finding.OccurrenceQuery{Vulnerability: "CVE-2026-1"}, rest.Paging{Limit: 1})
		if err != nil || !page.Items[0].DueAt.Equal(time.Date(2026, 5, 9, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("due at %v, %v; want the end of 8 May", page.Items[0].DueAt, err)
		}
		due = finding.Due{KEV: 14}
		if got := overdue("true"); got != nil {
			t.Errorf("without dates: %q", got)
		}
		if got := overdue("false"); len(got) != 3 {
			t.Errorf("without dates there are %q", got)
		}
	})
}
