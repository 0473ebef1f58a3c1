package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bytes of UTF-8 that texts are cut to. Together they leave a record below
// [MostBytes] when each byte needs escaping.
const (
	short  = 256
	medium = 1000
	long   = 4000
	most   = 20 // texts in a list
)

// line is a text in one line.
func line(text string, limit int) string {
	return cut(strings.Map(func(r rune) rune {
		if breaks(r) || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")), limit)
}

// lines is a text whose line ends are kept; JSON escapes them.
func lines(text string, limit int) string {
	return cut(strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\r':
			return -1
		case breaks(r) || unicode.IsControl(r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")), limit)
}

// breaks tells of the line and paragraph separators, which some readers of lines
// take for ends.
func breaks(r rune) bool { return r == '\u2028' || r == '\u2029' }

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// list cuts texts, and says how many were left out.
func list(texts []string) []string {
	var cutTexts []string
	for _, text := range texts[:min(len(texts), most)] {
		cutTexts = append(cutTexts, line(text, short))
	}
	if len(texts) > most {
		cutTexts = append(cutTexts, fmt.Sprintf("… and %d more", len(texts)-most))
	}
	return cutTexts
}

func labels(of map[string]string) []string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		texts = append(texts, name+"="+of[name])
	}
	return texts
}

// data is left out rather than cut: half of a JSON value is none.
func data(value json.RawMessage) string {
	if len(value) > long || !json.Valid(value) {
		return ""
	}
	return line(string(value), long)
}
