package finding_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/finding"
	"patrol/internal/platform/db"
	"patrol/internal/platform/event"
	"patrol/internal/risk"
)

// overdue tells what there is, and returns it: "from to count critical/medium".
func (h house) overdue(last *int64) []string {
	h.t.Helper()
	if err := h.TellOverdue(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	found := []string{}
	for _, e := range h.told("occurrences.overdue", last) {
		var told struct {
			From       string `json:"from_day"`
			To         string `json:"to_day"`
			Due        finding.Due
			Count      int
			Severities struct{ Critical, Medium int }
		}
		data, _ := strings.CutPrefix(e, "overdue ")
		if err := (db.JSON{Into: &told}).Scan(data); err != nil {
			h.t.Fatalf("%s: %v", e, err)
		}
		found = append(found, fmt.Sprint(told.From, " ", told.To, " ", told.Count, " ", told.Severities.Critical, "/", told.Severities.Medium))
		from, _ := time.Parse(time.DateOnly, told.From)
		to, err := time.Parse(time.DateOnly, told.To)
		if err != nil {
			h.t.Fatal(err)
		}
		read, err := h.BecameOverdue(h.t.Context(), h.db.Read(), from, to, told.Due)
		if err != nil || len(read) != told.Count {
			h.t.Errorf("%s are told, and read %+v, %v", e, read, err)
		}
	}
	return found
}

// What is due is told on the day after, of all days since it was last told, by the terms
// of then.
func TestOverdueIsTold(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		due := finding.Due{Critical: 2, Medium: 4}
		h.SetDue(func(context.Context) (finding.Due, error) { return due, nil })
		rev := revision{"r", []advisory{
			{"D-1", "Debian:12", "openssl", "", "CVE-2026-1", critical},
			{"D-2", "Debian:12", "openssl", "", "CVE-2026-2", medium},
			{"D-3", "Debian:12", "bash", "", "CVE-2026-3", critical},
			{"D-4", "Debian:12", "bash", "", "CVE-2026-4", ""}, // without a date
		}}
		last := int64(0)
		on := func(day string, want ...string) {
			t.Helper()
			moment, err := time.Parse("2006-01-02 15:04:05", "2026-05-"+day)
			if err != nil {
				t.Fatal(err)
			}
			h.clock.Set(moment)
			for _, again := range []string{"", ", again"} {
				if got := h.overdue(&last); !slices.Equal(got, want) {
					t.Errorf("on %s%s: %q; want %q", day, again, got, want)
				}
				want = nil
			}
		}
		h.scan(h.node("web-1"), rev, vulnerable, bash) // 1 May, 13:00
		// It was never told before: nothing is that is past.
		on("20 00:00:00")
		h.clock.Set(noon.AddDate(0, 0, 19))            // 20 May
		h.scan(h.node("web-2"), rev, vulnerable, bash) // 13:00
		on("20 23:59:59")
		on("21 00:00:00")
		h.scan(h.node("web-3"), rev, vulnerable)
		on("22 23:59:59")
		on("23 00:00:00", "2026-05-22 2026-05-22 2 2/0")
		on("24 00:00:00", "2026-05-23 2026-05-23 1 1/0")
		// Nobody was there for some days.
		on("29 09:00:00", "2026-05-24 2026-05-28 2 0/2")

		// Neither what was decided is told, nor what is resolved.
		h.clock.Set(noon.AddDate(0, 0, 28)) // 29 May
		h.scan(h.node("web-4"), rev, vulnerable, bash)
		h.scan(h.node("web-5"), rev, vulnerable)
		h.decide(finding.DecisionRequest{Vulnerability: "CVE-2026-3", Status: finding.FalsePositive})
		h.scan(h.node("web-5"), rev)
		on("31 23:59:59")
		// A day ends by the terms of then: by those before, one was due on this.
		due.Critical = 3
		h.clock.Advance(time.Second)
		if got := h.overdue(&last); len(got) != 0 {
			t.Errorf("by longer terms, %q", got)
		}
		h.clock.Advance(fullDay)
		if got, want := h.overdue(&last), []string{"2026-06-01 2026-06-01 1 1/0"}; !slices.Equal(got, want) {
			t.Errorf("%q; want %q", got, want)
		}
		// By shorter ones it was due on a day that is told of.
		due = finding.Due{Medium: 1}
		h.clock.Advance(fullDay)
		if got := h.overdue(&last); len(got) != 0 {
			t.Errorf("by shorter terms, %q", got)
		}
		due = finding.Due{}
		h.clock.Advance(fullDay)
		if got := h.overdue(&last); len(got) != 0 {
			t.Errorf("without terms, %q", got)
		}
	})
}

// Consoles whose clocks differ a little tell a day once; one that was far ahead has told
// of nothing that will come.
func TestOverdueByClocksThatDiffer(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.SetDue(func(context.Context) (finding.Due, error) { return finding.Due{Critical: 2}, nil })
		last := int64(0)
		h.overdue(&last)
		h.scan(h.node("web-1"), revision{"r", []advisory{heartbleed}}, vulnerable) // 1 May, 13:00
		moment := h.clock.Now()
		ahead := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
		h.clock.Set(ahead)
		if got := h.overdue(&last); len(got) != 1 {
			t.Errorf("when the day has passed, %q", got)
		}
		for _, at := range []time.Time{ahead.Add(-time.Second), ahead.Add(time.Second)} {
			h.clock.Set(at)
			if got := h.overdue(&last); len(got) != 0 {
				t.Errorf("again, %q", got)
			}
		}
		h.clock.Set(moment.AddDate(1, 0, 0))
		h.overdue(&last)
		h.clock.Set(ahead)
		h.overdue(&last)
		h.scan(h.node("web-2"), revision{"r", []advisory{heartbleed}}, vulnerable) // 4 May, 1:00
		h.clock.Advance(3 * fullDay)
		if got, want := h.overdue(&last), []string{"2026-05-04 2026-05-06 1 1/0"}; !slices.Equal(got, want) {
			t.Errorf("after a clock was ahead, %q; want %q", got, want)
		}
	})
}

func TestOverdueByTwoConsoles(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		last := int64(0)
		h.overdue(&last)
		h.scan(h.node("web-1"), revision{"r", []advisory{heartbleed}}, vulnerable)
		h.clock.Advance(30 * fullDay)
		var consoles sync.WaitGroup
		for range 4 {
			console := finding.NewService(h.db, h.fleet, h.clock.Now)
			consoles.Go(func() {
				if err := console.TellOverdue(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		consoles.Wait()
		if got := h.told("occurrences.overdue", &last); len(got) != 1 {
			t.Errorf("it is told as %q", got)
		}
	})
}

// Told by themselves, for as long as the console runs.
func TestKeepDates(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		last := int64(0)
		h.overdue(&last)
		h.scan(h.node("web-1"), revision{"r", []advisory{heartbleed}}, vulnerable)
		h.clock.Advance(30 * fullDay)
		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan struct{})
		h.db.OnWake(func(topic string) {
			if topic == event.Topic {
				close(told)
			}
		})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			h.KeepDates(ctx)
		}()
		<-told
		cancel()
		<-ended
		if got := h.told("occurrences.overdue", &last); len(got) != 1 {
			t.Errorf("it is told as %q", got)
		}
	})
}

// On each day that is read which lists say is due on it, whatever its severity.
func TestBecameOverdue(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		due := finding.Due{Malicious: 1, Critical: 9, Medium: 3, Unknown: 2, KEV: 4}
		h.SetDue(func(context.Context) (finding.Due, error) { return due, nil })
		if err := h.Reassess(t.Context(), intelligence{"CVE-2026-1": {KEV: &risk.KEV{Listed: true}}, "CVE-2026-5": {KEV: &risk.KEV{Listed: true}}}); err != nil {
			t.Fatal(err)
		}
		rev := revision{"r", []advisory{
			{"D-1", "Debian:12", "openssl", "", "CVE-2026-1", critical},
			{"D-2", "Debian:12", "openssl", "9", "CVE-2026-2", critical},
			{"D-3", "Debian:12", "openssl", "", "CVE-2026-3", medium},
			{"MAL-4", "Debian:12", "bash", "9", "CVE-2026-4", ""},
			{"D-5", "Debian:12", "bash", "", "CVE-2026-5", "Debian: low"},
			{"D-6", "Debian:12", "bash", "", "CVE-2026-6", ""},
		}}
		var nodes []string
		for day := range 3 {
			nodes = append(nodes, h.node(fmt.Sprint("web-", day)))
			h.scan(nodes[day], rev, vulnerable, bash)
			h.clock.Advance(10 * time.Hour) // over midnight, each another hour
		}
		want := map[time.Time][]int64{} // by the day on which it is due
		for _, node := range nodes {
			for _, o := range h.occurrences(node) {
				if !o.DueAt.IsZero() {
					day := o.DueAt.Add(-fullDay)
					want[day] = append(want[day], o.ID)
				}
			}
		}
		read := func(from, to time.Time) (ids []int64) {
			t.Helper()
			found, err := h.BecameOverdue(t.Context(), h.db.Read(), from, to, due)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range found {
				ids = append(ids, n.ID)
			}
			return ids
		}
		var all []int64
		first, end := noon.Truncate(fullDay), noon.Truncate(fullDay).AddDate(0, 0, 20)
		for day := first; day.Before(end); day = day.Add(fullDay) {
			slices.Sort(want[day])
			if got := read(day, day.Add(time.Hour)); !slices.Equal(got, want[day]) {
				t.Errorf("due on %s are %d; lists say %d", day.Format(time.DateOnly), got, want[day])
			}
			all = append(all, want[day]...)
		}
		slices.Sort(all)
		if got := read(first, end); len(want) < 5 || len(all) < 15 || !slices.Equal(got, all) {
			t.Errorf("due on all days are %d; lists say %d, of %d days", got, all, len(want))
		}
		due = finding.Due{}
		if got := read(first, end); got != nil {
			t.Errorf("without dates, %d are due", got)
		}
	})
}
