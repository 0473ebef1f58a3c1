package jira

import (
	"fmt"
	"strings"
	"unicode"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// The limits, in UTF-16 units as Jira counts. Those of a line (a summary, a label) and
// of a text are Jira's (Data Center's jira.text.field.character.limit by default);
// the others leave room for findings, which are left out from the end until the text
// fits.
const (
	lineLimit    = 255
	textLimit    = 32767
	proseLimit   = 4000
	proseLines   = 30
	factsLimit   = 20
	factLimit    = 160
	findingLimit = 200
	urlLimit     = 2000
)

func (s *sender) summary(n notify.Notification) string {
	title := s.plain(n.Title, lineLimit, ' ')
	if title == "" {
		return "Patrol: " + n.Type // it may not be empty
	}
	return title
}

// plain is a text that Jira can keep, and that means nothing to it. In Data Center what
// ends a {noformat} is broken with a space, and so are mentions, which tell people of
// themselves; and a MySQL of three-byte characters fails on others (JRASERVER-36135).
func (s *sender) plain(text string, units int, newline rune) string {
	text = chat.Cut(text, units, newline)
	if s.cloud {
		return text
	}
	text = strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return unicode.ReplacementChar
		}
		return r
	}, text)
	return chat.Cut(strings.NewReplacer("{n", "{ n", "{N", "{ N", "[~", "[ ~").Replace(text), units, newline)
}

// text is what a notification says, as a description or a comment: a document in Cloud,
// wiki markup else. It is measured by its bytes, which are never fewer than the
// characters that Jira counts.
func (s *sender) text(n notify.Notification, isComment bool) any {
	all := s.said(n, isComment)
	lines, total := all.findings, max(n.Total, len(all.findings))
	for shown := len(lines); ; shown = shown * 3 / 4 {
		if all.findings = lines[:shown:shown]; shown < total {
			all.findings = append(all.findings, fmt.Sprintf("… and %d more", total-shown))
		}
		body := all.document()
		if !s.cloud {
			body = all.wiki()
		}
		if text, err := encode(body); err == nil && len(text) <= textLimit || shown == 0 {
			return body
		}
	}
}

// said is what a text is made of.
type said struct {
	prose, facts, findings []string
	url, id                string
}

func (s *sender) said(n notify.Notification, isComment bool) said {
	all := said{id: "Patrol notification " + n.ID}
	if isComment {
		all.prose = []string{s.plain(n.Title, lineLimit, ' ')} // an issue has it as its summary
	}
	all.prose = append(all.prose, strings.Split(s.plain(n.Text, proseLimit, '\n'), "\n")...)
	if len(all.prose) > proseLines {
		all.prose = append(all.prose[:proseLines], "…")
	}
	for _, fact := range n.Facts[:min(len(n.Facts), factsLimit)] {
		all.facts = append(all.facts, s.plain(fact.Name+": "+fact.Value, factLimit, ' '))
	}
	for _, f := range n.Findings[:min(len(n.Findings), notify.MostFindings)] {
		all.findings = append(all.findings, s.plain(chat.Sentence(f), findingLimit, ' '))
	}
	if len(n.URL) <= urlLimit {
		all.url = n.URL
	}
	return all
}

// block is a node of the Atlassian Document Format, in which texts are literal.
type block struct {
	Type    string         `json:"type"`
	Version int            `json:"version,omitempty"`
	Attrs   map[string]any `json:"attrs,omitempty"`
	Content []block        `json:"content,omitempty"`
	Text    string         `json:"text,omitempty"`
	Marks   []block        `json:"marks,omitempty"`
}

func (s said) document() any {
	doc := block{Type: "doc", Version: 1}
	add := func(b ...block) { doc.Content = append(doc.Content, b...) }
	var prose []block
	for _, text := range s.prose {
		if text == "" {
			continue // a text node may not be empty
		}
		if len(prose) > 0 {
			prose = append(prose, block{Type: "hardBreak"})
		}
		prose = append(prose, block{Type: "text", Text: text})
	}
	if len(prose) > 0 {
		add(block{Type: "paragraph", Content: prose})
	}
	for _, items := range [][]string{s.facts, s.findings} {
		if len(items) > 0 {
			add(bullets(items))
		}
	}
	if s.url != "" {
		link := block{Type: "link", Attrs: map[string]any{"href": s.url}}
		add(block{Type: "paragraph", Content: []block{{Type: "text", Text: "Open in Patrol", Marks: []block{link}}}})
	}
	add(paragraph(s.id))
	return doc
}

func paragraph(text string) block {
	return block{Type: "paragraph", Content: []block{{Type: "text", Text: text}}}
}

func bullets(items []string) block {
	list := block{Type: "bulletList"}
	for _, item := range items {
		list.Content = append(list.Content, block{Type: "listItem", Content: []block{paragraph(item)}})
	}
	return list
}

// wiki is the text between two {noformat}, where markup means nothing.
func (s said) wiki() any {
	var b strings.Builder
	for _, lines := range [][]string{s.prose, s.facts, s.findings} {
		if len(lines) > 0 {
			b.WriteString(strings.Join(lines, "\n") + "\n\n")
		}
	}
	text := "{noformat}\n" + strings.TrimSpace(b.String()) + "\n{noformat}\n"
	if s.url != "" {
		text += strings.NewReplacer("[", "%5B", "]", "%5D", "{", "%7B", "}", "%7D", "|", "%7C", " ", "%20", "\n", "").Replace(s.url) + "\n"
	}
	return text + s.id
}
