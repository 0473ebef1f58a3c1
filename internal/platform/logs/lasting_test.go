package logs_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"patrol/internal/platform/logs"
)

func TestLastingFailureIsToldTwice(t *testing.T) {
	var out strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	l := logs.Lasting{What: "work failed; it will be tried again"}
	ctx, cancel := context.WithCancel(t.Context())
	for _, err := range []error{nil, errors.New("disk"), errors.New("disk"), errors.New("database"), nil, nil} {
		l.Note(ctx, err)
	}
	cancel()
	l.Note(ctx, ctx.Err())
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != 2 || !strings.Contains(got[0], "level=ERROR") || !strings.Contains(got[0], "error=disk") ||
		!strings.Contains(got[1], "level=INFO") || !strings.Contains(got[1], l.What) {
		t.Errorf("logged %q", got)
	}
}
