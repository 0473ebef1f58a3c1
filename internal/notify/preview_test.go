package notify_test

import (
	"fmt"
	"slices"
	"testing"

	"patrol/internal/notify"
)

// A preview says what a rule would have told, and nobody is told.
func TestPreview(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.publish(leak, slip)
		one, two := h.node("web-1"), h.node("web-2")
		preview := func(d notify.RuleDefinition) ([]string, notify.RulePreview) {
			t.Helper()
			p, err := h.PreviewRule(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, n := range p.Notifications {
				lines = append(lines, fmt.Sprint(n.Action, " ", n.Title))
			}
			return lines, p
		}
		d := about()
		d.Name, d.Title = "", "{{.Type}} of {{.Total}}"
		got, p := preview(d)
		if !p.Example || p.Matters != 0 || !slices.Equal(got, []string{"opened occurrence.opened of 1"}) {
			t.Errorf("of nothing: %q, %+v", got, p)
		}
		h.scan(one, module(leak, "1.0.0"), module(slip, "1.0.0"))
		h.scan(two, module(leak, "1.0.0"))
		d.Title, d.When = "", `findings.exists(f, f.severity == "critical")`
		got, p = preview(d)
		want := []string{"changed CVE-2026-1 (critical) in example.org/leak on 2 nodes", "opened CVE-2026-1 (critical) in example.org/leak on 2 nodes"}
		if p.Example || p.Matters != 2 || !slices.Equal(got, want) || p.Events < 4 {
			t.Errorf("%q, %+v; want %q", got, p, want)
		}
		// Scans that went well end none that failed.
		got, p = preview(of([]string{"scan.failed"}))
		if !p.Example || p.Matters != 0 {
			t.Errorf("of good scans: %q, %+v", got, p)
		}
		h.happens("scan.failed", "s", one, map[string]string{"error": "no disk"})
		h.happens("scan.completed", "t", one, map[string]int{"opened": 0, "resolved": 0})
		got, _ = preview(of([]string{"scan.failed"}))
		if want := []string{"resolved Resolved: Scan of web-1 complete", "opened Scan of web-1 failed"}; !slices.Equal(got, want) {
			t.Errorf("%q; want %q", got, want)
		}
		if n := h.count(`SELECT count(*) FROM notification`) + h.count(`SELECT count(*) FROM raised`); n != 0 {
			t.Errorf("%d rows were written", n)
		}
		d.When = "nonsense"
		_, err := h.PreviewRule(t.Context(), d)
		wantProblem(t, err, 422, "when")
	})
}
