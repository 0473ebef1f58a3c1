package chat

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"

	"patrol/internal/notify"
)

// Sentence is one finding in words, for alerts and issues, which have room for them:
// "CVE-2099-0001 (critical, CVSS 9.8, exploited) in openssl on web-1, fixed in 3.0.15".
// It is as its parts were written: [Cut] makes it plain.
func Sentence(f notify.Finding) string {
	about := []string{f.Severity}
	if f.Score > 0 {
		about = append(about, fmt.Sprintf("CVSS %.1f", f.Score))
	}
	if f.KEV {
		about = append(about, "exploited")
	}
	text := fmt.Sprintf("%s (%s) in %s on %s", f.Vulnerability, strings.Join(about, ", "), f.Package, f.Node.Name)
	if len(f.Fixed) > 0 {
		text += ", fixed in " + strings.Join(f.Fixed, ", ")
	}
	return text
}

// Cut returns a text without what cannot be seen, and with another character for the
// end of a line. It has at most so many UTF-16 units, which no way of counting
// characters finds more of. It reads no more of the text than it needs.
func Cut(text string, units int, newline rune) string {
	var b strings.Builder
	count, end, last := 0, 0, ' ' // end leaves room for the mark
	for _, r := range text {
		switch {
		case r == '\n':
			r = newline
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r):
			continue
		}
		if unicode.IsSpace(r) && unicode.IsSpace(last) {
			continue
		}
		size := utf16.RuneLen(r)
		if count+size > units {
			return b.String()[:end] + more
		}
		b.WriteRune(r)
		last = r
		if count += size; count < units {
			end = b.Len()
		}
	}
	return strings.TrimSpace(b.String())
}
