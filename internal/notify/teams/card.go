package teams

import (
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// A message has at most 28 KB (Microsoft's "Limits and specifications for Microsoft
// Teams"). JSON may double the bytes of a text, so these come to less than half.
const (
	titleLimit    = 300
	bodyLimit     = 3000
	factsLimit    = 10
	nameLimit     = 60
	valueLimit    = 200
	findingLines  = 20
	findingsLimit = 3000
	urlLimit      = 2000
)

// message is what a workflow of Microsoft's template takes: attachments, each a card.
type message struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string  `json:"contentType"`
	ContentURL  *string `json:"contentUrl"`
	Content     card    `json:"content"`
}

// card is an AdaptiveCard of version 1.4. All texts are TextRuns: unlike TextBlocks and
// facts they know no Markdown (Adaptive Cards schema, "TextRun"), so nothing needs to be
// escaped, and nothing can be forgotten.
type card struct {
	Schema  string   `json:"$schema"`
	Type    string   `json:"type"`
	Version string   `json:"version"`
	Teams   width    `json:"msteams"`
	Body    []any    `json:"body"`
	Actions []action `json:"actions,omitempty"`
}

type width struct {
	Width string `json:"width"`
}

type container struct {
	Type  string     `json:"type"`
	Style string     `json:"style"`
	Bleed bool       `json:"bleed"`
	Items []richText `json:"items"`
}

type richText struct {
	Type      string `json:"type"`
	Separator bool   `json:"separator,omitempty"`
	Spacing   string `json:"spacing,omitempty"`
	Inlines   []run  `json:"inlines"`
}

type run struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Size   string `json:"size,omitempty"`
	Weight string `json:"weight,omitempty"`
	Subtle bool   `json:"isSubtle,omitempty"`
}

type action struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

func compose(n notify.Notification) message {
	c := card{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4", Teams: width{"Full"},
		Body: []any{container{
			Type: "Container", Style: style(n), Bleed: true,
			Items: []richText{paragraph(run{Text: chat.Fit(chat.Title(n), titleLimit, chat.Plain), Size: "Large", Weight: "Bolder"})},
		}},
	}
	c.lines(chat.Fit(chat.Lines(n.Text), bodyLimit, chat.Plain), false)
	c.facts(n.Facts)
	c.lines(chat.Findings(n, findingLines, findingsLimit, chat.Plain), true)
	c.add(paragraph(run{Text: from(n), Size: "Small", Subtle: true}))
	if n.URL != "" && len(n.URL) <= urlLimit {
		c.Actions = []action{{"Action.OpenUrl", "Open in Patrol", n.URL}}
	}
	return message{"message", []attachment{{"application/vnd.microsoft.card.adaptive", nil, c}}}
}

// style colours the title (Adaptive Cards schema, "ContainerStyle").
func style(n notify.Notification) string {
	if n.Action == notify.Resolved {
		return "good"
	}
	switch n.Severity {
	case "malicious", "critical", "high":
		return "attention"
	case "medium":
		return "warning"
	}
	return "emphasis"
}

func paragraph(runs ...run) richText {
	for i := range runs {
		runs[i].Type = "TextRun"
	}
	return richText{Type: "RichTextBlock", Inlines: runs}
}

func (c *card) add(p richText) { c.Body = append(c.Body, p) }

// lines adds a paragraph for each line: a TextRun breaks none.
func (c *card) lines(text string, separate bool) {
	if text == "" {
		return
	}
	lines := strings.Split(text, "\n")
	if len(lines) > findingLines+1 {
		lines = append(lines[:findingLines], chat.Line(strings.Join(lines[findingLines:], " ")))
	}
	for i, line := range lines {
		if line == "" {
			continue
		}
		p := paragraph(run{Text: line})
		if p.Separator = separate && i == 0; i > 0 {
			p.Spacing = "None"
		}
		c.add(p)
	}
}

func (c *card) facts(facts []notify.Fact) {
	for i, f := range facts[:min(len(facts), factsLimit)] {
		p := paragraph(
			run{Text: chat.Fit(chat.Line(f.Name), nameLimit, chat.Plain) + ": ", Weight: "Bolder"},
			run{Text: chat.Fit(chat.Line(f.Value), valueLimit, chat.Plain)},
		)
		if p.Separator = i == 0; i > 0 {
			p.Spacing = "None"
		}
		c.add(p)
	}
}

func from(n notify.Notification) string {
	text := n.Type + " · " + n.Time.UTC().Format(time.RFC3339)
	if n.Rule != "" {
		text = n.Rule + " · " + text
	}
	return chat.Fit(chat.Line(text), titleLimit, chat.Plain)
}
