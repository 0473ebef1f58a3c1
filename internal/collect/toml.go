package collect

import "bytes"

// maxNestedTOML is how deep tables, arrays and dotted keys may be nested. Lock
// files have three levels.
const maxNestedTOML = 64

// nesting is how many brackets of a TOML document (v1.0.0) are open at most, and
// how many dots are on a line, strings and comments left aside. Of what is not TOML
// it may be anything: the parser refuses that.
func nesting(text []byte) (brackets, dots int) {
	open, inLine := 0, 0
	for len(text) > 0 {
		switch text[0] {
		case '#':
			text = text[untilNewline(text):]
			continue
		case '"', '\'':
			text = text[quoted(text):]
			continue
		case '[', '{':
			open++
		case ']', '}':
			open = max(0, open-1)
		case '.':
			inLine++
		case '\n', '\r':
			inLine = 0
		}
		brackets, dots = max(brackets, open), max(dots, inLine)
		text = text[1:]
	}
	return brackets, dots
}

func untilNewline(text []byte) int {
	if i := bytes.IndexAny(text, "\r\n"); i >= 0 {
		return i
	}
	return len(text)
}

// quoted is the length of the string that text begins with. Only basic strings,
// in double quotes, have escapes; only those in three quotes have several lines,
// and may end with a quote or two of their own before the last three.
func quoted(text []byte) int {
	quote := text[0]
	several := bytes.HasPrefix(text, []byte{quote, quote, quote})
	i := 1
	if several {
		i = 3
	}
	for i < len(text) {
		switch c := text[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == quote && !several:
			return i + 1
		case c == quote && bytes.HasPrefix(text[i:], []byte{quote, quote, quote}):
			i += 3
			for n := 0; n < 2 && i < len(text) && text[i] == quote; n++ {
				i++
			}
			return i
		case !several && (c == '\n' || c == '\r'):
			return i
		}
		i++
	}
	return len(text)
}
