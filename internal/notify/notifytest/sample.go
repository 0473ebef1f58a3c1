package notifytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Sample wants the first block of code under "## What arrives" in the page of a kind
// to be what arrived. With UPDATE_SAMPLES=1 it writes it there.
func Sample(t *testing.T, kind, arrived string) {
	t.Helper()
	path := filepath.Join("..", "..", "..", "docs", "integrations", kind+".md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), "\n## What arrives\n")
	if !ok {
		t.Fatalf("%s has no heading ## What arrives", path)
	}
	intro, rest, opens := strings.Cut(rest, "\n```")
	language, rest, _ := strings.Cut(rest, "\n")
	shown, after, closes := strings.Cut(rest, "\n```\n")
	if !opens || !closes {
		t.Fatalf("%s has no block of code under ## What arrives", path)
	}
	arrived = strings.TrimRight(arrived, "\n")
	if shown == arrived {
		return
	}
	if os.Getenv("UPDATE_SAMPLES") == "" {
		t.Errorf("%s shows\n%s\nwhat arrives is\n%s\nUPDATE_SAMPLES=1 writes it there", path, shown, arrived)
		return
	}
	whole := before + "\n## What arrives\n" + intro + "\n```" + language + "\n" + arrived + "\n```\n" + after
	if err := os.WriteFile(path, []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
}
