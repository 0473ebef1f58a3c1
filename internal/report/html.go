package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"patrol/internal/fleet"
)

// html writes one page that asks nobody for anything: no script, and styles that
// stand in it. Its own policy forbids the rest.
type html struct {
	w        io.Writer
	head     *Head
	findings []*Finding
}

func newHTML(w io.Writer, _ Options) Format { return &html{w: w} }

func (h *html) Begin(head *Head) error {
	h.head = head
	return nil
}

func (h *html) Finding(f *Finding) error {
	h.findings = append(h.findings, f)
	return nil
}

//go:embed page.html
var pageText string

// page is what the template sees.
type page struct {
	*Head
	*Tail
	Groups []*group
}

func (h *html) End(t *Tail) error {
	parsed, err := template.New("page").Funcs(template.FuncMap{
		"clean": Clean, "where": (*group).where, "counts": Counts, "knowledge": knowledge, "osv": osvURL,
		"join":     func(list []string) string { return strings.Join(list, ", ") },
		"moment":   func(t time.Time) string { return t.Format("2006-01-02 15:04 MST") },
		"percent":  func(p *float64) string { return fmt.Sprintf("%.1f %%", *p*100) },
		"severity": severityCounts,
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("parse the page: %w", err)
	}
	return parsed.Execute(h.w, page{h.head, t, groups(h.findings)})
}

// severityCount is a number of the summary.
type severityCount struct {
	Name  string
	Count int
}

func severityCounts(c fleet.Counts) []severityCount {
	return []severityCount{
		{"malicious", c.Malicious},
		{"critical", c.Critical},
		{"high", c.High},
		{"medium", c.Medium},
		{"low", c.Low},
		{"unknown", c.Unknown},
	}
}
