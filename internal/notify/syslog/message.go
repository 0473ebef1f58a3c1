package syslog

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"patrol/internal/notify"
)

// How large a message may be, in bytes, so that servers need not cut it. By RFC 5425,
// section 4.3.1, they should take 8192, of which rsyslog is short by a few unless told
// otherwise; for datagrams see RFC 5426, section 3.2.
const (
	streamLimit   = 8000
	datagramLimit = 2048
)

// format is what all messages of a sender have in common.
type format struct {
	facility  int
	host, app string
	limit     int
}

// param is an SD-PARAM.
type param struct{ name, value string }

// messages are those of a notification.
func (f format) messages(n notify.Notification) []string {
	if len(n.Findings) == 0 {
		return []string{f.message(n, n.Severity, append(about(n), around(n)...), n.Title+": "+n.Text)}
	}
	all := make([]string, len(n.Findings))
	for i, found := range n.Findings {
		params := append(append(about(n), details(found)...), around(n)...)
		all[i] = f.message(n, found.Severity, params, sentence(n.Action, found))
	}
	return all
}

// id is the SD-ID. A name that is not registered has the private enterprise number of
// who made it (RFC 5424, section 6.3.2); Patrol has none, and uses that which is set
// aside for documentation (RFC 5612).
const id = "patrol@32473"

// message is one by RFC 5424, section 6. Params come in the order of their importance,
// as those that find no place are left out; a quarter is kept for the text.
func (f format) message(n notify.Notification, severity string, params []param, text string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s %s - %s [%s", 8*f.facility+level(n.Action, severity),
		n.Time.UTC().Format("2006-01-02T15:04:05.000000Z07:00"), f.host, f.app, messageID(n.Type), id)
	for _, p := range params {
		if p.value == "" {
			continue
		}
		if p := " " + p.name + `="` + escape(line(p.value, 256)) + `"`; b.Len()+len(p) <= f.limit*3/4 {
			b.WriteString(p)
		}
	}
	b.WriteString("] \ufeff") // the byte order mark says that the text is UTF-8
	b.WriteString(line(text, f.limit-b.Len()))
	return b.String()
}

// about says which notification a message is of; id and occurrence, or id alone, tell
// a server that it was sent a message twice.
func about(n notify.Notification) []param {
	return []param{{"id", n.ID}, {"key", n.Key}, {"action", string(n.Action)}, {"type", n.Type}}
}

// details are those of a finding.
func details(f notify.Finding) []param {
	return []param{
		{"occurrence", strconv.FormatInt(f.Occurrence, 10)},
		{"vulnerability", f.Vulnerability},
		{"severity", f.Severity},
		{"ecosystem", f.Ecosystem},
		{"package", f.Package},
		{"fixed", strings.Join(f.Fixed, ", ")},
		{"node", f.Node.Name},
		{"node_id", f.Node.ID},
		{"node_kind", f.Node.Kind},
		{"score", number(f.Score)},
		{"epss", number(f.EPSS)},
		{"kev", strconv.FormatBool(f.KEV)},
		{"because", f.Because},
	}
}

// around is the rest of a notification.
func around(n notify.Notification) []param {
	params := []param{{"rule", n.Rule}, {"url", n.URL}}
	if len(n.Findings) == 0 {
		return append([]param{{"severity", n.Severity}}, params...)
	}
	return append(params, param{"total", strconv.Itoa(n.Total)}, param{"nodes", strconv.Itoa(n.Nodes)})
}

// number is "" for what is not known.
func number(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// sentence is a finding for people.
func sentence(action notify.Action, f notify.Finding) string {
	s := fmt.Sprintf("%s: %s (%s) in %s on %s", action, f.Vulnerability, f.Severity, f.Package, f.Node.Name)
	if len(f.Fixed) > 0 {
		s += ", fixed in " + strings.Join(f.Fixed, ", ")
	}
	return s + ": " + f.Summary
}

// level is the severity of RFC 5424, section 6.2.1. What is resolved is a notice.
func level(action notify.Action, severity string) int {
	if action == notify.Resolved {
		return 5
	}
	switch severity {
	case "malicious", "critical":
		return 2
	case "high":
		return 3
	case "medium":
		return 4
	case "info":
		return 6
	}
	return 5
}

// messageID is the MSGID, of at most 32 characters.
func messageID(kind string) string {
	if kind = kind[:min(len(kind), 32)]; printable(kind) {
		return kind
	}
	return "-"
}

// printable tells whether a text is PRINTUSASCII, and not empty.
func printable(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// escape prepares a value for standing in quotes (RFC 5424, section 6.3.3).
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(value)
}

// line is the beginning of a text on one line, of at most this many bytes, without
// control characters: what could pass for another message, or turn round what is read,
// is gone.
func line(text string, limit int) string {
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\ufeff', r == utf8.RuneError:
			continue
		case b.Len() > limit:
			return cut(b.String(), limit)
		case space:
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return cut(b.String(), limit)
}

// cut is the beginning of a text, of at most this many bytes.
func cut(text string, limit int) string {
	const more = "…"
	if len(text) <= limit {
		return text
	}
	end := max(0, limit-len(more))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
