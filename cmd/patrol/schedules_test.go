package main_test

import (
	"path/filepath"
	"strings"
	"testing"

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
	edited := decode[schedule.Schedule](t, patrol("edit", made.ID, "--cron", "@every 6h", "--max-concurrent", "0", "--clear", "per_label,ends_at", "--output", "json"))
	if edited.Cron != "@every 6h" || edited.MaxConcurrent != 0 || edited.PerLabel != nil || !edited.EndsAt.IsZero() || edited.Spread != "1h" {
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
	if out := patrol("run", made.ID); !strings.Contains(out, "is finished: 0 nodes") {
		t.Errorf("run says %s", out)
	}
	patrol("backfill", made.ID, "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z")
	if out := patrol("runs", made.ID); !strings.Contains(out, "on_demand") || !strings.Contains(out, "backfill") {
		t.Errorf("the runs are\n%s", out)
	}
	for says, refused := range map[string][]string{
		"field 2 (hour)":  {"create", "x", "--cron", "0 25 * * *", "--select", "true"},
		"never fires":     {"create", "x", "--cron", "0 0 30 2 *", "--select", "true"},
		"no IANA":         {"preview", "--cron", "@daily", "--select", "true", "--time-zone", "Mars/Olympus"},
		"1:5":             {"preview", "--cron", "@daily", "--select", "node.kin"},
		"is not written":  {"edit", made.ID, "--window", "0 8 * * *"},
		"--until":         {"pause", made.ID, "--reason", "r", "--until", "soon"},
		"ended already":   {"cancel", made.ID, decode[[]schedule.Run](t, patrol("runs", made.ID, "--output", "json"))[0].ID},
		"not paused":      {"resume", made.ID},
		"no fire time":    {"backfill", made.ID, "--from", "2999-01-01T00:00:00Z"},
		"is no duration,": {"edit", made.ID, "--spread", "long"},
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
