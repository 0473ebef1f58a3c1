package schedule_test

import (
	"strings"
	"testing"
	"time"

	"patrol/internal/platform/problem"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

func TestPause(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		s := h.create(hourly("hourly"))
		pause := func(in schedule.PauseRequest) schedule.Schedule {
			t.Helper()
			paused, err := h.Pause(t.Context(), s.ID, in)
			if err != nil || paused.Pause == nil || paused.Pause.Reason != in.Reason {
				t.Fatalf("Pause = %+v, %v", paused, err)
			}
			return paused
		}
		if paused := pause(schedule.PauseRequest{Reason: "migration"}); !paused.NextFireAt.IsZero() {
			t.Errorf("fires at %v", paused.NextFireAt)
		}
		_, err := h.Edit(t.Context(), s.ID, schedule.Change{NextFireAt: &noon})
		wantProblem(t, err, problem.KindInvalid, "next_fire_at")
		if edited := h.edit(s.ID, schedule.Change{Cron: pointer("30 * * * *")}); !edited.NextFireAt.IsZero() || edited.Pause == nil {
			t.Errorf("an edit resumed it: %+v", edited)
		}
		h.clock.Advance(24 * time.Hour)
		h.fire()
		if runs := h.runs(s.ID); len(runs) != 0 {
			t.Errorf("runs = %+v", runs)
		}
		resumed, err := h.Resume(t.Context(), s.ID)
		if err != nil || resumed.Pause != nil || !resumed.NextFireAt.Equal(noon.Add(24*time.Hour+30*time.Minute)) {
			t.Errorf("Resume = %+v, %v", resumed, err)
		}
		_, err = h.Resume(t.Context(), s.ID)
		wantProblem(t, err, problem.KindConflict, "")

		// A pause with an end ends by itself; what fell into it is not made up for.
		until := h.clock.Now().Add(3*time.Hour + 30*time.Minute) // a fire time
		if paused := pause(schedule.PauseRequest{Reason: "migration", Until: until}); !paused.NextFireAt.Equal(until) {
			t.Errorf("fires at %v; want %v", paused.NextFireAt, until)
		}
		h.clock.Set(until)
		h.fire()
		if runs := h.runs(s.ID); len(runs) != 1 || runs[0].CaughtUp || runs[0].Missed != 0 || h.get(s.ID).Pause != nil {
			t.Errorf("runs = %+v of %+v", runs, h.get(s.ID))
		}
		for field, in := range map[string]schedule.PauseRequest{
			"reason": {Reason: " "},
			"until":  {Reason: "r", Until: noon},
		} {
			_, err := h.Pause(t.Context(), s.ID, in)
			wantProblem(t, err, problem.KindInvalid, field)
		}
		h.edit(s.ID, schedule.Change{Enabled: pointer(false)})
		_, err = h.Pause(t.Context(), s.ID, schedule.PauseRequest{Reason: "r"})
		wantProblem(t, err, problem.KindConflict, "")
	})
}

// A clock that is set back brings no fire time into a pause, whatever was edited in it.
func TestPauseOutlivesTheClock(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		edited, over := h.create(hourly("edited")), h.create(hourly("over"))
		for id, pause := range map[string]time.Duration{edited.ID: 24 * time.Hour, over.ID: 30 * time.Minute} {
			if _, err := h.Pause(t.Context(), id, schedule.PauseRequest{Reason: "migration", Until: noon.Add(pause)}); err != nil {
				t.Fatal(err)
			}
		}
		if s := h.edit(edited.ID, schedule.Change{Cron: pointer("30 * * * *")}); !s.NextFireAt.Equal(noon.Add(24*time.Hour + 30*time.Minute)) {
			t.Errorf("an edit has it fire at %v; want that after the pause", s.NextFireAt)
		}
		h.clock.Set(noon.Add(time.Hour))
		h.fire() // what is paused no longer
		h.clock.Advance(-4 * time.Hour)
		for range 6 {
			h.fire()
			h.clock.Advance(30 * time.Minute)
		}
		h.fire() // at 11:00
		if runs := h.runs(edited.ID); len(runs) != 0 {
			t.Errorf("it fired in the pause: %+v", runs)
		}
		if runs := h.runs(over.ID); len(runs) != 1 {
			t.Errorf("runs = %+v; want that of the hour after the pause alone, which lasts until 12:30 again", runs)
		}
		h.clock.Set(noon.Add(24*time.Hour + 30*time.Minute))
		h.fire()
		if runs := h.runs(edited.ID); len(runs) != 1 || runs[0].Missed != 0 {
			t.Errorf("runs = %+v; want the first after the pause", runs)
		}
	})
}

func TestBackfill(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.node("web-1")
		s := h.create(hourly("hourly"))
		run, err := h.Backfill(t.Context(), s.ID, schedule.Range{From: noon.Add(-5 * time.Hour), To: noon.Add(-2 * time.Hour)})
		if err != nil || run.Cause != schedule.Backfilled || !run.CaughtUp || run.Missed != 3 || run.Scans != 1 || !run.ScheduledFor.Equal(noon.Add(-2*time.Hour)) {
			t.Errorf("Backfill = %+v, %v; want one run for four fire times", run, err)
		}
		if next := h.get(s.ID).NextFireAt; !next.Equal(s.NextFireAt) {
			t.Errorf("fires next at %v", next)
		}
		for _, none := range []schedule.Range{{}, {From: noon.Add(-30 * time.Minute), To: noon.Add(-time.Minute)}, {From: noon.Add(time.Hour)}} {
			_, err := h.Backfill(t.Context(), s.ID, none)
			wantProblem(t, err, problem.KindInvalid, "from")
		}
	})
}

func TestPreview(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		old := h.node("web-1")
		ask := func(selector, schedule_ string) schedule.Preview {
			t.Helper()
			p, err := h.Preview(t.Context(), schedule.PreviewRequest{Cron: "0 * * * *", Selector: selector, Schedule: schedule_})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		p := ask(`node.kind == "host"`, "")
		if p.Nodes.Count != 1 || len(p.Nodes.Items) != 1 || p.Nodes.Items[0] != (schedule.PreviewNode{ID: old, Name: "web-1", Kind: "host"}) || p.Warning != "" {
			t.Errorf("preview = %+v", p)
		}
		if len(p.FireTimes) != 10 || !p.FireTimes[0].Equal(noon.Add(time.Hour)) || !p.FireTimes[9].Equal(noon.Add(10*time.Hour)) {
			t.Errorf("fire times = %v", p.FireTimes)
		}
		if p := ask(`node.kind == "cluster"`, ""); p.Nodes.Count != 0 || !strings.Contains(p.Warning, "no node") {
			t.Errorf("preview = %+v; want a warning", p)
		}
		if p := ask(`1 / size(node.labels) > 0`, ""); !strings.Contains(p.Warning, "web-1") {
			t.Errorf("preview = %+v; want a warning that names the node", p)
		}
		if s := h.create(schedule.Definition{Name: "none", Cron: "@daily", Selector: "false"}); !strings.Contains(s.Warning, "no node") {
			t.Errorf("schedule = %+v; want it saved with a warning", s)
		}
		// What schedules select by.
		s := h.create(hourly("hourly"))
		if _, err := h.RunNow(t.Context(), s.ID); err != nil {
			t.Fatal(err)
		}
		h.end(h.run(s.ID).ID, 1)
		h.clock.Advance(time.Minute)
		h.node("web-2")
		for selector, want := range map[string]string{
			`node.first_seen > run.previous`:             "web-2",
			`node.last_scan_state == "never"`:            "web-2",
			`node.last_scan_state == "cancelled"`:        "web-1",
			`now - node.last_scan_at > duration("168h")`: "web-1 web-2", // neither has a complete one
		} {
			names := []string{}
			for _, n := range ask(selector, s.ID).Nodes.Items {
				names = append(names, n.Name)
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%s: %s; want %s", selector, got, want)
			}
		}
		if p := ask(`node.first_seen > run.previous`, ""); p.Nodes.Count != 2 {
			t.Errorf("before the first run %d are new; want all", p.Nodes.Count)
		}
		for field, in := range map[string]schedule.PreviewRequest{
			"cron":      {Cron: "0 25 * * *", Selector: "true"},
			"time_zone": {Cron: "@daily", TimeZone: "Mars/Olympus", Selector: "true"},
			"selector":  {Cron: "@daily", Selector: "node.kin"},
			"maintenance_windows": {Cron: "@daily", Selector: "true", Options: schedule.Options{
				Windows: []schedule.Window{{Cron: "* * * * *", Duration: "1h"}},
			}},
		} {
			_, err := h.Preview(t.Context(), in)
			wantProblem(t, err, problem.KindInvalid, field)
		}
		for _, choice := range schedule.Choices() {
			if p := ask(choice.Selector, s.ID); strings.Contains(p.Warning, "fails") {
				t.Errorf("%s: %s", choice.Title, p.Warning)
			}
		}
		if scans := h.scansOf(h.run(s.ID).ID); len(scans) != 1 || scans[0].State != scan.Cancelled {
			t.Errorf("scans = %+v; want that previews start none", scans)
		}
	})
}
