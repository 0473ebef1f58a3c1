package collect

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

func TestStanzas(t *testing.T) {
	tests := []struct {
		name, text string
		times      int
		cut        string
		left       int // of the text, times over
	}{
		{"packages", "P:a\n\n", maxPackages, "more than 100000 packages", maxPackages},
		{"packages, as on another system", "P:a\r\n\r\n", maxPackages + 5, "more than 100000 packages", maxPackages},
		{"fewer packages", "P:a\n\n", maxPackages - 1, "", maxPackages - 1},
		{"blank lines", "\n", 3 * maxPackages, "", 3 * maxPackages},
		{"lines", "F:\n", maxLines + 5, "more than 1000000 lines", maxLines},
		{"a line", "x", 5 << 20, "", 5 << 20},
	}
	for _, tt := range tests {
		r := &stanzaReader{r: strings.NewReader(strings.Repeat(tt.text, tt.times))}
		n, err := io.Copy(io.Discard, struct{ io.Reader }{r})
		if err != nil || n != int64(tt.left*len(tt.text)) {
			t.Errorf("%s: %d bytes, %v, want %d", tt.name, n, err, tt.left*len(tt.text))
		}
		if got := fmt.Sprint(r.cut); (r.cut != nil) != (tt.cut != "") || !strings.Contains(got, tt.cut) {
			t.Errorf("%s: cut off because %v, want %q", tt.name, r.cut, tt.cut)
		}
	}
}

func TestMetered(t *testing.T) {
	m := &meteredReader{strings.NewReader("0123456789"), 8}
	if n, err := m.ReadAt(make([]byte, 5), 5); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := m.ReadAt(make([]byte, 4), 0); !errors.Is(err, errMetered) {
		t.Errorf("four more: %v", err)
	}
	if n, err := m.ReadAt(make([]byte, 3), 0); n != 3 || err != nil {
		t.Errorf("three more: %d, %v", n, err)
	}
}

func TestNesting(t *testing.T) {
	deep := strings.Repeat("[", maxNestedTOML+1)
	tests := []struct {
		name, text string
		want       bool
	}{
		{"nothing", "", false},
		{"a lock file", "[[package]]\nname = \"a.b\" # [[[\ndependencies = [\n { name = \"b\", marker = 'x [' },\n]\n", false},
		{"just deep enough", "x = " + deep[1:], false},
		{"brackets", "x = " + deep, true},
		{"braces", strings.Repeat("{a=", maxNestedTOML+1), true},
		{"closed again", strings.Repeat("x = [{}]\n", 1000), false},
		{"closed where nothing is open", strings.Repeat("]", 1000) + deep, true},
		{"dots", "a" + strings.Repeat(".a", maxNestedTOML+1) + " = 1", true},
		{"dots on many lines", strings.Repeat("a.b = 1\n", 1000), false},
		{"dots in quoted keys", "a" + strings.Repeat(".\"a\"", maxNestedTOML+1), true},

		{"in a comment", "# " + deep, false},
		{"after a comment", "# x\n" + deep, true},
		{"after a comment that a bare return ends", "# x\r" + deep, true},
		{"in a string", `x = "` + deep + `"`, false},
		{"in a literal", `x = '` + deep + `'`, false},
		{"after a string", `x = ["a", ` + deep, true},
		{"after an empty string", `x = ["", ` + deep, true},
		{"after an escaped quote", `x = ["\"", ` + deep, true},
		{"after an escaped backslash", `x = ["\\", ` + deep, true},
		{"after a backslash in a literal", `x = ['\', ` + deep, true},
		{"after a string without an end", "x = \"\n" + deep, true},
		{"in a long string", "x = \"\"\"\n" + deep + "\n\"\"\"", false},
		{"in a long string with quotes", `x = """"a"" ` + deep + `"""`, false},
		{"after a long string", `x = ["""a""", ` + deep, true},
		{"after a long string that ends with a quote", `x = ["""a"""", ` + deep, true},
		{"after a long string that ends with two", `x = ["""a""""", ` + deep, true},
		{"after an empty long string", `x = ["""""", ` + deep, true},
		{"after a long literal that ends with two", `x = ['''a''''', ` + deep, true},
		{"after a long string with an escaped quote", `x = ["""\"""", ` + deep, true},
		{"in a long string without an end", `x = """` + deep, false},
	}
	for _, tt := range tests {
		if brackets, dots := nesting([]byte(tt.text)); max(brackets, dots) > maxNestedTOML != tt.want {
			t.Errorf("%s: %d brackets, %d dots", tt.name, brackets, dots)
		}
	}
}

// FuzzNesting: what the parser takes for arrays within arrays, there are brackets
// or dots for.
func FuzzNesting(f *testing.F) {
	f.Add("[[package]]\nname = \"a\" # [\nx = [['a'], [\"\"\"a\"\"\"\"], [{b.c = [1]}]]\n")
	f.Add("a.b.c = [[]]\n[[d]]\n[[d.e]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		var parsed map[string]any
		if brackets, dots := nesting([]byte(text)); max(brackets, dots) > 10_000 {
			return // the parser would not come back
		} else if _, err := toml.Decode(text, &parsed); err == nil && arrays(parsed) > brackets+dots+1 {
			t.Errorf("%d brackets, %d dots, but %d arrays", brackets, dots, arrays(parsed))
		}
	})
}

// arrays is how many of them are within one another.
func arrays(v any) (depth int) {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Map:
		for _, key := range r.MapKeys() {
			depth = max(depth, arrays(r.MapIndex(key).Interface()))
		}
	case reflect.Slice:
		for i := range r.Len() {
			depth = max(depth, arrays(r.Index(i).Interface()))
		}
		depth++
	}
	return depth
}
