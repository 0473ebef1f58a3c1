// Package document keeps the generated parts of a hand-written page: what stands
// between the lines <!-- NAME --> and <!-- /NAME -->.
package document

import (
	"fmt"
	"os"
	"strings"
)

// Table is a table of Markdown: a row of heads, and rows of as many cells.
type Table [][]string

// Row writes one row.
func Row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

func (t Table) String() string {
	var b strings.Builder
	for i, cells := range t {
		b.WriteString(Row(cells...))
		if i == 0 {
			b.WriteString(strings.Repeat("| --- ", len(cells)) + "|\n")
		}
	}
	return b.String()
}

// Replace writes text between the marks of that name in a file.
func Replace(file, name, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+" -->\n", "\n<!-- /"+name+" -->"
	before, rest, opened := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !opened || !closed {
		return fmt.Errorf("%s: the lines <!-- %s --> and <!-- /%s --> are not both there", file, name, name)
	}
	text = before + begin + "\n" + strings.TrimSpace(text) + "\n" + end + after
	return os.WriteFile(file, []byte(text), 0o644)
}
