// Package chat has what the kinds of integration that write to people have in common:
// texts without surprises, cut to what the far side takes. What a finding says was
// written by strangers, so it is brought to plain characters here and escaped, rune by
// rune, by the kind that knows the markup. Limits are counted in bytes of the escaped
// text: no service counts more than those. Alerts and issues have room, and count in
// UTF-16 units.
package chat

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"patrol/internal/notify"
)

// more ends a text that was cut.
const more = "…"

// Escape returns a rune as a markup shows it.
type Escape func(rune) string

// Plain is for services that interpret nothing.
func Plain(r rune) string { return string(r) }

// Line is a text as one line: control and formatting characters, which hide or turn
// around what stands beside them, become spaces.
func Line(text string) string {
	return strings.Join(strings.Fields(strings.Map(visible, strings.ToValidUTF8(text, "�"))), " ")
}

// Lines is a text whose line breaks stay; of empty lines one.
func Lines(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = Line(line); line != "" || len(lines) > 0 && lines[len(lines)-1] != "" {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func visible(r rune) rune {
	if unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}

// Fit escapes a text and cuts it to a number of bytes, never within what an escape
// wrote.
func Fit(text string, limit int, escape Escape) string {
	var b strings.Builder
	end := 0 // where the text is cut, so that more has room
	for _, r := range text {
		shown := escape(r)
		if b.Len()+len(shown) > limit {
			return strings.TrimRight(b.String()[:end], " \n") + more
		}
		b.WriteString(shown)
		if b.Len() <= limit-len(more) {
			end = b.Len()
		}
	}
	return b.String()
}

// lineLimit keeps one finding from taking the place of the others.
const lineLimit = 240

// Finding is one finding in a line of plain text:
// "CVE-2099-0001 critical 9.8: openssl on web-1, exploited, fixed in 3.0.15".
func Finding(f notify.Finding) string {
	var b strings.Builder
	b.WriteString(short(f.Vulnerability) + " " + short(f.Severity))
	if f.Score > 0 {
		fmt.Fprintf(&b, " %.1f", f.Score)
	}
	b.WriteString(": " + short(f.Package))
	if f.Node.Name != "" {
		b.WriteString(" on " + short(f.Node.Name))
	}
	if f.KEV {
		b.WriteString(", exploited")
	}
	if len(f.Fixed) > 0 {
		b.WriteString(", fixed in " + short(strings.Join(f.Fixed, " or ")))
	}
	return Fit(b.String(), lineLimit, Plain)
}

func short(text string) string { return Fit(Line(text), 60, Plain) }

// Findings are at most so many lines within a limit, and how many more there are.
func Findings(n notify.Notification, most, limit int, escape Escape) string {
	var lines []string
	size, total := 0, max(n.Total, len(n.Findings))
	room := limit - utf8.UTFMax - len(rest(total))
	for _, f := range n.Findings[:min(most, len(n.Findings))] {
		line := Fit("• "+Finding(f), lineLimit*2, escape)
		if size += len(line) + 1; size > room {
			break
		}
		lines = append(lines, line)
	}
	if left := total - len(lines); left > 0 {
		lines = append(lines, rest(left))
	}
	return strings.Join(lines, "\n")
}

func rest(n int) string { return fmt.Sprintf("… and %d more", n) }

// Mark is a sign of how bad it is, for where nothing can be coloured.
func Mark(n notify.Notification) string {
	if n.Action == notify.Resolved {
		return "✅"
	}
	switch n.Severity {
	case "malicious":
		return "☠️"
	case "critical":
		return "🔴"
	case "high":
		return "🟠"
	case "medium":
		return "🟡"
	case "low":
		return "🔵"
	case "info":
		return "ℹ️"
	}
	return "⚪"
}

// Title is the notification's, marked; that it is resolved is said in words as well.
func Title(n notify.Notification) string {
	title := Line(n.Title)
	if n.Action == notify.Resolved && !strings.HasPrefix(title, "Resolved") {
		title = "Resolved: " + title
	}
	return Mark(n) + " " + title
}
