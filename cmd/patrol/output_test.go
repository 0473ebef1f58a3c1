package main

import (
	"bytes"
	"iter"
	"strings"
	"testing"
)

// What an agent says of itself does not steer the terminal of who lists it.
func TestListsAreCleaned(t *testing.T) {
	items := iter.Seq2[string, error](func(yield func(string, error) bool) { yield("evil\x1b[31m\a\nforged row", nil) })
	var out bytes.Buffer
	if err := showList(&out, "table", items, []column[string]{{"NAME", func(s string) string { return s }}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\a") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("printed %q", out.String())
	}
}
