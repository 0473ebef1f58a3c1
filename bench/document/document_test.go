package document_test

import (
	"os"
	"path/filepath"
	"testing"

	"patrol/bench/document"
)

func TestReplace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	const page = "before\n\n<!-- a -->\nold\n<!-- /a -->\n\n<!-- b -->\nkept\n<!-- /b -->\n"
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	table := document.Table{{"what", "time"}, {"scan", "1 s"}}
	for range 2 { // the second time changes nothing
		if err := document.Replace(file, "a", table.String()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		const want = "before\n\n<!-- a -->\n\n| what | time |\n| --- | --- |\n| scan | 1 s |\n\n<!-- /a -->\n\n<!-- b -->\nkept\n<!-- /b -->\n"
		if err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if err := document.Replace(file, "c", "text"); err == nil {
		t.Error("no error though the marks are missing")
	}
}
