package main_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patrol/internal/fleet"
	"patrol/internal/schedule"
)

func TestSchedulesOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	_, c := console(t, dir, filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	ask := func(args ...string) (out, errs string, code int) {
		t.Helper()
		return run(t, append(append([]string{"schedules"}, args...), "--console", c.Console.String(), "--token", c.Token)...)
	}
	patrol := func(args ...string) string {
		t.Helper()
		out, errs, code := ask(args...)
		if code != 0 {
			t.Fatalf("patrol schedules %s: exit %d, %s", strings.Join(args, " "), code, errs)
		}
		return out
	}
	made := decode[schedule.Schedule](t, patrol("create", "nightly", "--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--select", `node.kind == "host"`,
		"--overlap", "skip", "--catch-up", "12h", "--spread", "1h", "--max-concurrent", "50", "--per-label", "zone", "--max-per-label", "5",
		"--window", "*/30 8 * * 1-5 / 10h", "--ends", "2999-01-01T00:00:00Z", "--output", "json"))
	if !made.Enabled || made.NextFireAt.IsZero() || made.Overlap != schedule.Skip || made.CatchUpWindow != "12h" || made.Spread != "1h" || made.MaxConcurrent != 50 ||
		made.PerLabel == nil || *made.PerLabel != (schedule.PerLabel{Key: "zone", Max: 5}) || made.RunTimeout != "24h" || made.EndsAt.Year() != 2999 ||
		len(made.Windows) != 1 || made.Windows[0] != (schedule.Window{Cron: "*/30 8 * * 1-5", Duration: "10h"}) || !strings.Contains(made.Warning, "no node") {
		t.Errorf("schedule = %+v", made)
	}
	edited := decode[schedule.Schedule](t, patrol("edit", made.ID, "--cron", "@every 6h", "--max-concurrent", "0", "--retries", "5", "--clear", "per_label,ends_at", "--output", "json"))
	if edited.Cron != "@every 6h" || edited.MaxConcurrent != 0 || *edited.Retries != 5 || *made.Retries != 2 || edited.PerLabel != nil || !edited.EndsAt.IsZero() || edited.Spread != "1h" {
		t.Errorf("edited = %+v", edited)
	}
	if out := patrol("preview", "--cron", "@daily", "--select", "true"); !strings.Contains(out, "0 nodes") || strings.Count(out, "T00:00:00Z") != 10 || !strings.Contains(out, "Warning") {
		t.Errorf("preview says %s", out)
	}
	if out := patrol("pause", made.ID, "--reason", "we move", "--until", "2999-01-01T00:00:00Z"); !strings.Contains(out, "paused until 2999-01-01T00:00:00Z: we move") {
		t.Errorf("pause says %s", out)
	}
	if out := patrol("list"); !strings.Contains(out, "we move") {
		t.Errorf("the list lacks the pause:\n%s", out)
	}
	patrol("resume", made.ID)
	if out := patrol("run", "nightly"); !strings.Contains(out, "is finished: 0 nodes") || !strings.Contains(out, "Warning: the selector matched no node") {
		t.Errorf("run says %s", out)
	}
	if out := patrol("runs", "show", "nightly"); !strings.Contains(out, "Nodes: 0 meant: none") || !strings.Contains(out, "Warning: the selector matched no node") {
		t.Errorf("the run is\n%s", out)
	}
	var shown schedule.Run // and through the API
	if err := c.Do(t.Context(), "GET", "schedules/"+made.ID+"/runs/"+decode[schedule.Run](t, patrol("runs", "show", "nightly", "-o", "json")).ID, nil, &shown); err != nil ||
		shown.Warning != "the selector matched no node" || shown.State != schedule.Finished || shown.Error != "" {
		t.Errorf("run = %+v, %v; want it finished, with a warning", shown, err)
	}
	patrol("backfill", made.ID, "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z")
	if out := patrol("runs", made.ID); !strings.Contains(out, "on_demand") || !strings.Contains(out, "backfill") {
		t.Errorf("the runs are\n%s", out)
	}
	for says, refused := range map[string][]string{
		"field 2 (hour)":       {"create", "x", "--cron", "0 25 * * *", "--select", "true"},
		"never fires":          {"create", "x", "--cron", "0 0 30 2 *", "--select", "true"},
		"no IANA":              {"preview", "--cron", "@daily", "--select", "true", "--time-zone", "Mars/Olympus"},
		"1:5":                  {"preview", "--cron", "@daily", "--select", "node.kin"},
		"is not written":       {"edit", made.ID, "--window", "0 8 * * *"},
		"--until":              {"pause", made.ID, "--reason", "r", "--until", "soon"},
		"ended already":        {"cancel", made.ID, decode[[]schedule.Run](t, patrol("runs", made.ID, "--output", "json"))[0].ID},
		"not paused":           {"resume", made.ID},
		"no fire time":         {"backfill", made.ID, "--from", "2999-01-01T00:00:00Z"},
		"there is no schedule": {"run", "nightly, or so"},
		"has had no run":       {"runs", "show", schedule.AllHosts},
		"retries":              {"edit", made.ID, "--retries", "-1"},
		"is no duration,":      {"edit", made.ID, "--spread", "long"},
	} {
		if out, errs, code := ask(refused...); code != 1 || !strings.Contains(errs, says) {
			t.Errorf("patrol schedules %s: exit %d, %s%s; want it to say %q", strings.Join(refused, " "), code, out, errs, says)
		}
	}
	patrol("delete", made.ID)
	if out := patrol("list"); strings.Contains(out, "nightly") {
		t.Errorf("it is there after it was deleted:\n%s", out)
	}
}

// What a run skips, and how one is cancelled, as people see it.
func TestRunsOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	_, c := console(t, dir, filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	onDemandOnly(t, c)
	patrol := func(args ...string) string {
		t.Helper()
		out, errs, code := run(t, append(append([]string{"schedules"}, args...), "--console", c.Console.String(), "--token", c.Token)...)
		if code != 0 {
			t.Fatalf("patrol schedules %s: exit %d, %s", strings.Join(args, " "), code, errs)
		}
		return out
	}
	p := agent(t, c, filepath.Join(dir, "agent"), fixture)
	eventually(t, "the node", func() bool { return len(all[fleet.Node](t, c, "nodes", nil)) == 1 })
	p.kill(t)
	patrol("create", "all", "--cron", "@yearly", "--select", "true")
	// There is no feed: each run tries to reach it first, and goes on without.
	if out := patrol("run", "all"); !strings.Contains(out, "1 waiting") || !strings.Contains(out, "until the feed is up to date") {
		t.Errorf("run says %s", out)
	}
	shows := func(says ...string) {
		t.Helper()
		var out string
		eventually(t, strings.Join(says, ", "), func() bool {
			out = patrol("runs", "show", "all")
			return !slices.ContainsFunc(says, func(text string) bool { return !strings.Contains(out, text) })
		})
	}
	shows("1 meant: 1 queued", "Scans: 1", "Warning: the feed was not brought up to date")
	second := decode[schedule.Run](t, patrol("run", "all", "--output", "json"))
	shows(second.ID, "1 skipped", "busy", "is finished")
	if out := patrol("runs", "show", "all", second.ID); !strings.Contains(out, "REASON") {
		t.Errorf("the run is\n%s", out)
	}
	if out := patrol("runs", "skipped", "all", second.ID); !strings.Contains(out, "busy") {
		t.Errorf("it skipped\n%s", out)
	}
	runs := decode[[]schedule.Run](t, patrol("runs", "all", "-o", "json"))
	if len(runs) != 2 || runs[1].State != schedule.Running {
		t.Fatalf("runs = %+v", runs)
	}
	if out := patrol("runs", "cancel", "all", runs[1].ID); !strings.Contains(out, "is cancelled") {
		t.Errorf("cancel says %s", out)
	}
	if out := patrol("runs", "show", "all", runs[1].ID); !strings.Contains(out, "1 meant: 1 cancelled") || !strings.Contains(out, "Ended at") {
		t.Errorf("the run is\n%s", out)
	}
}
