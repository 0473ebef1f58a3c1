package email

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"patrol/internal/notify"
)

// mostRows is how many findings a message lists: more are for the console.
const mostRows = 50

// compose returns a message as it stands in DATA. It is the same each time for the
// same notification.
func (e *sender) compose(n notify.Notification) ([]byte, error) {
	p := newPage(n)
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary("patrol-"+n.ID))
	m.FromMailAddress(e.from)
	m.ToMailAddress(e.to...)
	m.Subject(p.Title)
	m.SetDateWithValue(n.Time.UTC())
	_, domain, _ := strings.Cut(e.from.Address, "@")
	m.SetMessageIDWithValue(n.ID + "@" + domain)
	m.SetGenHeader(gomail.HeaderInReplyTo, thread(n.Key, domain))
	m.SetGenHeader(gomail.HeaderReferences, thread(n.Key, domain))
	m.SetGenHeader("Auto-Submitted", "auto-generated")  // RFC 3834, section 5
	m.SetGenHeader("X-Auto-Response-Suppress", "All")   // the same for Exchange
	m.SetGenHeader("X-Patrol-Action", string(n.Action)) // for filters
	m.SetGenHeader("X-Patrol-Severity", line(n.Severity, 20))
	m.SetBodyString(gomail.TypeTextPlain, p.text())
	html, err := p.html()
	if err != nil {
		return nil, err
	}
	m.AddAlternativeString(gomail.TypeTextHTML, html)
	var b bytes.Buffer
	_, err = m.WriteTo(&b)
	return b.Bytes(), err
}

// thread is the id of the message that all of one matter refer to. A key has
// characters that an id may not have.
func thread(key, domain string) string {
	sum := sha256.Sum256([]byte(key))
	return "<" + hex.EncodeToString(sum[:16]) + ".thread@" + domain + ">"
}

// page is what both forms of a message show.
type page struct {
	Status, Colour string // "Opened, critical"
	Title, URL     string
	Lines          []string
	Facts          []notify.Fact
	Rows           []row
	More           int  // findings beside the rows
	Over           bool // of which no fixes are told
	Rule           string
}

// row is a finding.
type row struct{ Severity, Vulnerability, Package, Node, Fixed, Summary string }

func newPage(n notify.Notification) page {
	p := page{
		Status: status(n), Colour: colour(n), Title: line(n.Title, 200), URL: line(n.URL, 2000), Rule: line(n.Rule, 200),
		Over: n.Action == notify.Resolved,
	}
	for text := range strings.Lines(cut(n.Text, 4000)) {
		p.Lines = append(p.Lines, line(text, 4000))
	}
	for _, f := range n.Facts[:min(len(n.Facts), 30)] {
		p.Facts = append(p.Facts, notify.Fact{Name: line(f.Name, 100), Value: line(f.Value, 300)})
	}
	for _, f := range n.Findings[:min(len(n.Findings), mostRows)] {
		p.Rows = append(p.Rows, newRow(f))
	}
	p.More = max(n.Total, len(n.Findings)) - len(p.Rows)
	return p
}

func newRow(f notify.Finding) row {
	r := row{
		Severity: line(f.Severity, 20), Vulnerability: line(f.Vulnerability, 100), Package: line(f.Package, 100),
		Node: line(f.Node.Name, 100), Fixed: line(strings.Join(f.Fixed, ", "), 100), Summary: line(f.Summary, 200),
	}
	if f.KEV {
		r.Severity += ", exploited"
	}
	switch {
	case r.Fixed != "":
	case f.Fixable:
		r.Fixed = "a version is known"
	default:
		r.Fixed = "no version yet"
	}
	return r
}

// status is what to know first.
func status(n notify.Notification) string {
	switch n.Action {
	case notify.Resolved:
		return "Resolved"
	case notify.Changed:
		return "Changed, " + line(n.Severity, 20)
	case notify.Opened:
		return "Opened, " + line(n.Severity, 20)
	}
	return line(n.Severity, 20)
}

// colour is readable on white, and beside white text.
func colour(n notify.Notification) string {
	if n.Action == notify.Resolved {
		return "#2b7a3d"
	}
	switch n.Severity {
	case "malicious", "critical":
		return "#b42318"
	case "high":
		return "#c2410c"
	case "medium":
		return "#8a6100"
	}
	return "#475467"
}

func (p page) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", p.Status, p.Title)
	for _, l := range p.Lines {
		b.WriteString(l + "\n")
	}
	if len(p.Facts) > 0 {
		b.WriteString("\n")
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	for _, r := range p.Rows {
		fmt.Fprintf(&b, "\n* %s (%s) in %s on %s\n  %s\n", r.Vulnerability, r.Severity, r.Package, r.Node, r.Summary)
		if !p.Over {
			fmt.Fprintf(&b, "  Fixed in: %s\n", r.Fixed)
		}
	}
	if p.More > 0 {
		fmt.Fprintf(&b, "\n… and %d more\n", p.More)
	}
	if p.URL != "" {
		fmt.Fprintf(&b, "\n%s\n", p.URL)
	}
	if p.Rule != "" {
		fmt.Fprintf(&b, "\nSent by Patrol for its rule %q.\n", p.Rule)
	}
	return b.String()
}

//go:embed message.html
var asHTML string

func (p page) html() (string, error) {
	t, err := template.New("message").Parse(asHTML)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, p)
	return b.String(), err
}

// line is the beginning of a text on one line, of at most this many characters: what
// would begin a header or a line of its own, or turn round what is read, is gone.
func line(text string, limit int) string {
	var b strings.Builder
	space := false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == utf8.RuneError:
			continue
		case b.Len() > limit*utf8.UTFMax: // more characters than that, in any case
			return cut(b.String(), limit)
		case space:
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return cut(b.String(), limit)
}

// cut is the beginning of a text.
func cut(text string, limit int) string {
	count := 0
	for i := range text {
		if count == limit {
			return text[:i] + "…"
		}
		count++
	}
	return text
}
