package finding_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/platform/event"
	"patrol/internal/platform/lease"
)

// A node for which it fails does not hold back the others, and is asked about again.
func TestFollowPastANodeThatFails(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		nodes := []string{h.node("web-1"), h.node("web-2"), h.node("web-3")}
		for _, node := range nodes {
			h.scan(node, known, vulnerable)
		}
		for _, vulnerability := range []string{heartbleed.vulnerability, "CVE-2026-1"} {
			h.decide(finding.DecisionRequest{Vulnerability: vulnerability, Status: finding.FalsePositive, Selector: `node.labels.env == "test"`})
		}
		due := map[string]bool{}
		last, err := h.AskAll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// That two decisions mean the first node cannot be kept.
		h.execute(`CREATE UNIQUE INDEX refused ON decision_node (node_id) WHERE node_id = '` + nodes[0] + `'`)
		for _, node := range nodes {
			if _, err := h.fleet.SetLabels(t.Context(), node, fleet.LabelChange{Set: map[string]string{"env": "test"}}); err != nil {
				t.Fatal(err)
			}
		}
		want := func(when string, decided int, failing ...string) {
			t.Helper()
			before := last
			last, err = h.AskAfter(t.Context(), last, due)
			if (err != nil) != (len(failing) > 0) || len(failing) > 0 && !strings.Contains(err.Error(), failing[0]) || last < before || len(due) != len(failing) {
				t.Errorf("%s: read up to %d, %d are due, %v; want %q", when, last, len(due), err, failing)
			}
			if got := len(h.occurrencesOf(finding.OccurrenceQuery{State: finding.Decided}, 10)); got != decided {
				t.Errorf("%s: %d occurrences are decided; want %d", when, got, decided)
			}
			h.wantCounted(when)
		}
		want("it fails", 2, nodes[0])
		want("it fails again", 2, nodes[0]) // past what it told itself
		read := last
		want("it fails once more", 2, nodes[0])
		if last != read {
			t.Errorf("read again from %d", read)
		}
		h.execute(`DROP INDEX refused`)
		want("it is mended", 3)
	})
}

// heard passes on what is logged of selectors.
type heard struct {
	slog.Handler
	levels chan slog.Level
}

func (heard) Enabled(context.Context, slog.Level) bool { return true }

func (h heard) Handle(ctx context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += a.String(); return true })
	if strings.Contains(text, "the selectors of decisions could not be asked") {
		select {
		case h.levels <- r.Level:
		case <-ctx.Done():
		}
	}
	return nil
}

// While the database is away that is an error once.
func TestFollowTellsOfAnOutageOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		before, levels := slog.Default(), make(chan slog.Level)
		slog.SetDefault(slog.New(heard{before.Handler(), levels}))
		t.Cleanup(func() { slog.SetDefault(before) })
		h.execute(`ALTER TABLE event RENAME TO away`)
		ctx, cancel := context.WithCancel(t.Context())
		signals, ended := lease.NewSignals(), make(chan struct{})
		go func() { defer close(ended); h.Follow(ctx, signals) }()
		got := []slog.Level{}
		for range 3 {
			got = append(got, <-levels)
			signals.Wake(event.Topic)
		}
		h.execute(`ALTER TABLE away RENAME TO event`)
		for got[len(got)-1] != slog.LevelInfo {
			got = append(got, <-levels)
			signals.Wake(event.Topic)
		}
		cancel()
		<-ended
		loud := slices.DeleteFunc(got, func(l slog.Level) bool { return l == slog.LevelDebug })
		if len(loud) != 2 || loud[0] != slog.LevelError {
			t.Errorf("logged %v; want an error, and that it works again", loud)
		}
	})
}
