package schedule_test

import (
	"testing"
	"time"

	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/schedule"
)

func TestDefaults(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		start := func() {
			t.Helper()
			if err := h.Defaults(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		start()
		start()
		all := h.list()
		if len(all) != 2 || all[0].Name != schedule.AllHosts || all[1].Name != schedule.AllContainers {
			t.Fatalf("schedules = %+v", all)
		}
		for _, s := range all {
			if s.Enabled || !s.NextFireAt.IsZero() || s.Cron != "0 0 * * 0" || s.TimeZone != "UTC" {
				t.Errorf("schedule = %+v; want it disabled, on Sundays at 00:00 UTC", s)
			}
		}
		if err := h.Delete(t.Context(), all[0].ID); err != nil {
			t.Fatal(err)
		}
		start()
		if all := h.list(); len(all) != 1 || all[0].Name != schedule.AllContainers {
			t.Errorf("schedules = %+v; want that the deleted one stays so", all)
		}
		enabled := h.edit(all[1].ID, schedule.Change{Enabled: pointer(true)})
		if want := time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC); !enabled.NextFireAt.Equal(want) {
			t.Errorf("fires at %v; want %v, a Sunday", enabled.NextFireAt, want)
		}
	})
}

func TestEdit(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.create(hourly("taken"))
		s := h.create(hourly("hourly"))
		h.clock.Advance(10 * time.Minute)

		named := h.edit(s.ID, schedule.Change{Name: pointer("renamed"), Selector: pointer("true")})
		if named.Name != "renamed" || named.Selector != "true" || !named.NextFireAt.Equal(s.NextFireAt) {
			t.Errorf("schedule = %+v; want the same fire time", named)
		}
		for name, test := range map[string]struct {
			change schedule.Change
			want   time.Time
		}{
			"cron":     {schedule.Change{Cron: pointer("0 18 * * *")}, time.Date(2026, 5, 1, 18, 0, 0, 0, time.UTC)},
			"zone":     {schedule.Change{Cron: pointer("0 18 * * *"), TimeZone: pointer("Europe/Berlin")}, time.Date(2026, 5, 1, 16, 0, 0, 0, time.UTC)},
			"override": {schedule.Change{NextFireAt: pointer(noon.Add(33 * time.Minute))}, noon.Add(33 * time.Minute)},
			"disabled": {schedule.Change{Enabled: pointer(false)}, time.Time{}},
		} {
			s := h.create(hourly(name))
			if got := h.edit(s.ID, test.change); !got.NextFireAt.Equal(test.want) {
				t.Errorf("%s: fires at %v; want %v", name, got.NextFireAt, test.want)
			}
		}
		for field, change := range map[string]schedule.Change{
			"cron":         {Cron: pointer("0 0 30 2 *")},
			"time_zone":    {TimeZone: pointer("Mars/Olympus")},
			"selector":     {Selector: pointer("node.kin")},
			"name":         {Name: pointer(" ")},
			"next_fire_at": {Enabled: pointer(false), NextFireAt: pointer(noon)},
		} {
			_, err := h.Edit(t.Context(), s.ID, change)
			wantProblem(t, err, problem.KindInvalid, field)
		}
		_, err := h.Edit(t.Context(), s.ID, schedule.Change{Name: pointer("taken")})
		wantProblem(t, err, problem.KindConflict, "")
		_, err = h.Edit(t.Context(), "no such schedule", schedule.Change{})
		wantProblem(t, err, problem.KindNotFound, "")
		if after := h.get(s.ID); after.Name != "renamed" || after.Cron != s.Cron || !after.Enabled {
			t.Errorf("what was refused changed the schedule: %+v", after)
		}
	})
}

// A schedule that has ended can be edited; it fires again only with times to fire at.
func TestEditAfterTheEnd(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		d := hourly("once")
		d.EndsAt = noon.Add(90 * time.Minute)
		s := h.create(d)
		h.clock.Set(noon.Add(time.Hour))
		h.fire()
		for _, test := range []struct {
			name    string
			minutes time.Duration
			wrong   string // of other times that are over
		}{
			{"after its last fire time", 70, "cron"},
			{"after its end", 120, "ends_at"},
		} {
			h.clock.Set(noon.Add(test.minutes * time.Minute))
			if renamed := h.edit(s.ID, schedule.Change{Name: &test.name, Enabled: pointer(true)}); !renamed.NextFireAt.IsZero() || renamed.Name != test.name {
				t.Errorf("schedule = %+v; want it renamed", renamed)
			}
			_, err := h.Edit(t.Context(), s.ID, schedule.Change{Cron: pointer("0 */2 * * *"), EndsAt: pointer(noon.Add(80 * time.Minute))})
			wantProblem(t, err, problem.KindInvalid, test.wrong)
		}
		for _, change := range []schedule.Change{
			{Cron: pointer("30 * * * *")},
			{TimeZone: pointer("Europe/Berlin")},
			{NextFireAt: pointer(noon.Add(3 * time.Hour))},
		} {
			_, err := h.Edit(t.Context(), s.ID, change)
			wantProblem(t, err, problem.KindInvalid, "ends_at")
		}
		if disabled := h.edit(s.ID, schedule.Change{Enabled: pointer(false)}); disabled.Enabled {
			t.Errorf("schedule = %+v; want it disabled", disabled)
		}
		h.edit(s.ID, schedule.Change{Name: pointer("over")})
		_, err := h.Edit(t.Context(), s.ID, schedule.Change{Enabled: pointer(true)})
		wantProblem(t, err, problem.KindInvalid, "ends_at")
		again := h.edit(s.ID, schedule.Change{Enabled: pointer(true), Clear: []string{"ends_at"}})
		if !again.NextFireAt.Equal(noon.Add(3 * time.Hour)) {
			t.Errorf("fires at %v", again.NextFireAt)
		}
	})
}

// What a schedule holds is judged by what it says after an edit.
func TestEditLetsGo(t *testing.T) {
	window := []schedule.Window{{Cron: "30 12 * * *", Duration: "5h"}} // 12:30 to 17:30
	for name, test := range map[string]struct {
		overlap string
		windows []schedule.Window
		change  schedule.Change
		runs    int
		held    string // by what, after the edit
	}{
		"the window goes":            {schedule.Allow, window, schedule.Change{Windows: &[]schedule.Window{}}, 2, ""},
		"the window becomes shorter": {schedule.Allow, window, schedule.Change{Windows: &[]schedule.Window{{Cron: "30 12 * * *", Duration: "1h"}}}, 1, schedule.ByWindow},
		"the window stays":           {schedule.Allow, window, schedule.Change{Name: pointer("renamed")}, 1, schedule.ByWindow},
		"other times":                {schedule.Allow, window, schedule.Change{Cron: pointer("@daily"), Windows: &[]schedule.Window{}}, 2, ""},
		"it begins later":            {schedule.Allow, window, schedule.Change{StartsAt: pointer(noon.Add(24 * time.Hour))}, 1, ""},
		"overlap is allowed":         {schedule.BufferOne, nil, schedule.Change{Overlap: pointer(schedule.Allow)}, 2, ""},
		"overlap is dropped":         {schedule.BufferOne, nil, schedule.Change{Overlap: pointer(schedule.Skip)}, 1, ""},
		"overlap waits still":        {schedule.BufferOne, nil, schedule.Change{Name: pointer("renamed")}, 1, schedule.ByOverlap},
		"disabled":                   {schedule.BufferOne, nil, schedule.Change{Enabled: pointer(false)}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				h.node("web-1")
				d := hourly("hourly")
				d.Overlap, d.Windows = test.overlap, test.windows
				s := h.create(d)
				if _, err := h.RunNow(t.Context(), s.ID); err != nil { // a run that goes on
					t.Fatal(err)
				}
				h.clock.Set(noon.Add(time.Hour))
				h.fire()
				if h.get(s.ID).Held == nil || len(h.runs(s.ID)) != 1 {
					t.Fatalf("schedule = %+v; want that it holds 13:00", h.get(s.ID))
				}
				h.clock.Advance(10 * time.Minute)
				h.edit(s.ID, test.change)
				h.fire()
				held := ""
				if after := h.get(s.ID); after.Held != nil {
					held = after.Held.By
				}
				runs := h.runs(s.ID)
				if len(runs) != test.runs || held != test.held {
					t.Errorf("%d runs, held by %q; want %d, %q", len(runs), held, test.runs, test.held)
				}
				if last := runs[0]; test.runs == 2 && (!last.ScheduledFor.Equal(noon.Add(time.Hour)) || last.CaughtUp) {
					t.Errorf("run = %+v; want that of 13:00", last)
				}
			})
		})
	}
}

// The fire time that somebody chose counts once; then cron decides.
func TestOverrideCountsOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		s := h.create(hourly("hourly"))
		at := noon.Add(5 * time.Minute)
		h.edit(s.ID, schedule.Change{NextFireAt: &at})
		h.clock.Set(at)
		h.fire()
		if runs := h.runs(s.ID); len(runs) != 1 || !runs[0].ScheduledFor.Equal(at) {
			t.Errorf("runs = %+v", runs)
		}
		if next := h.get(s.ID).NextFireAt; !next.Equal(noon.Add(time.Hour)) {
			t.Errorf("next at %v; want cron's", next)
		}
	})
}

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		s := h.create(hourly("hourly"))
		run, err := h.RunNow(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Delete(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM run`); n != 0 {
			t.Errorf("%d runs were left", n)
		}
		if scans := h.scansOf(run.ID); len(scans) != 1 || scans[0].Schedule == nil || scans[0].Schedule.ID != s.ID {
			t.Errorf("scans = %+v; want that they stay, and say what started them", scans)
		}
		wantProblem(t, h.Delete(t.Context(), s.ID), problem.KindNotFound, "")
		_, err = h.Runs(t.Context(), s.ID, rest.Paging{Limit: 1})
		wantProblem(t, err, problem.KindNotFound, "")
	})
}
