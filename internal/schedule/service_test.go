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
