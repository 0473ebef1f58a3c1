package shoutrrr

import (
	"strings"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// message is what all of these services have: a title, or a first line, and a text.
type message struct{ title, text string }

// titleLimit is below Pushover's 250 characters and the 256 of Discord's embeds.
const titleLimit = 240

// findingLines is for screens of telephones.
const findingLines = 10

// write brings a notification into the limit of the service, sharing it out: a third
// each to the text and the findings, a sixth to the facts, the rest to where more is.
func (s service) write(n notify.Notification) message {
	parts := []string{
		chat.Fit(chat.Lines(n.Text), s.limit/3, s.escape),
		facts(n.Facts, s.limit/6, s.escape),
		chat.Findings(n, findingLines, s.limit/3-2, s.escape),
	}
	if room := s.limit / 6; len(n.URL) < room-8 {
		parts = append(parts, n.URL)
	}
	m := message{title: chat.Fit(chat.Title(n), titleLimit, s.escape)}
	for _, p := range parts {
		if p == "" {
			continue
		}
		if m.text != "" {
			m.text += "\n"
			if strings.Contains(p, "\n") {
				m.text += "\n"
			}
		}
		m.text += p
	}
	if m.text == "" { // which some refuse
		m.text = n.Type
	}
	return m
}

// both is for services that know no titles.
func (m message) both() string { return m.title + "\n" + m.text }

func facts(facts []notify.Fact, limit int, escape chat.Escape) string {
	var b strings.Builder
	for _, f := range facts {
		line := chat.Fit(chat.Line(f.Name)+": "+chat.Line(f.Value), limit/2, escape)
		if b.Len()+len(line)+1 > limit {
			break
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		b.WriteString(line)
	}
	return b.String()
}

// nothing is an invisible character that keeps two others apart: after it an @ calls
// nobody, < opens nothing, and ]( is no link.
const nothing = "\u200b"

// apart is for markups in which nothing can be escaped.
func apart(r rune) string {
	switch r {
	case '@', '<', ']':
		return string(r) + nothing
	}
	return string(r)
}

// markdown is for CommonMark (section 2.4, "Backslash escapes"), of which mentions are
// no part.
func markdown(r rune) string {
	switch r {
	case '@':
		return "@" + nothing
	case '\\', '`', '*', '_', '~', '|', '[', ']', '(', ')', '<', '>', '#':
		return `\` + string(r)
	}
	return string(r)
}

// level is how loudly to say it: 1 to 4.
func level(n notify.Notification) int {
	if n.Action == notify.Resolved {
		return 1
	}
	switch n.Severity {
	case "malicious", "critical":
		return 4
	case "high":
		return 3
	case "low", "info":
		return 1
	}
	return 2
}
