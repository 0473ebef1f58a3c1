package slack

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// The limits of Slack's "Block Kit: Blocks" and "Composition objects", in characters.
const (
	headerLimit = 150
	textLimit   = 3000
	fieldsLimit = 10
)

// Those chosen here are lower: beyond what is documented Slack refuses messages whose
// blocks have more than some 13,000 characters as JSON (msg_blocks_too_long).
const (
	bodyLimit    = textLimit / 2
	nameLimit    = 50
	valueLimit   = 150
	urlLimit     = 1000
	findingLines = 10
)

// message is what both ways of sending take, with what only a bot may say.
type message struct {
	Channel   string  `json:"channel,omitempty"`
	Thread    string  `json:"thread_ts,omitempty"`
	Broadcast bool    `json:"reply_broadcast,omitempty"`
	Text      string  `json:"text"`
	Blocks    []block `json:"blocks"`
	Unfurl    bool    `json:"unfurl_links"`
	Media     bool    `json:"unfurl_media"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Fields   []text `json:"fields,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

// text is verbatim where it has markup: Slack then makes no links or mentions of what
// only looks like them.
type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim,omitempty"`
}

func mrkdwn(s string) text { return text{"mrkdwn", s, true} }

// escape is for mrkdwn (Slack, "Formatting message text", section "Escaping text"):
// without these three there are no mentions and no links.
func escape(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return string(r)
}

func compose(n notify.Notification) message {
	title := chat.Title(n)
	m := message{Text: chat.Fit(title, bodyLimit, escape)}
	m.add(block{Type: "header", Text: &text{Type: "plain_text", Text: chat.Fit(title, headerLimit, chat.Plain)}})
	m.section(chat.Fit(chat.Lines(n.Text), bodyLimit, escape))
	m.facts(n.Facts)
	m.section(chat.Findings(n, findingLines, bodyLimit, escape))
	// Not a button: Slack warns of one that no server of the app answers for.
	if n.URL != "" && len(n.URL) < urlLimit {
		m.section("<" + strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C").Replace(n.URL) + "|Open in Patrol>")
	}
	from := n.Type + " · " + n.Time.UTC().Format(time.RFC3339)
	if n.Rule != "" {
		from = n.Rule + " · " + from
	}
	m.add(block{Type: "context", Elements: []text{mrkdwn(chat.Fit(chat.Line(from), valueLimit, escape))}})
	return m
}

func (m *message) add(b block) { m.Blocks = append(m.Blocks, b) }

func (m *message) section(s string) {
	if s != "" {
		t := mrkdwn(s)
		m.add(block{Type: "section", Text: &t})
	}
}

func (m *message) facts(facts []notify.Fact) {
	var fields []text
	for _, f := range facts[:min(len(facts), fieldsLimit)] {
		name, value := chat.Fit(chat.Line(f.Name), nameLimit, escape), chat.Fit(chat.Line(f.Value), valueLimit, escape)
		fields = append(fields, mrkdwn("*"+name+"*\n"+value))
	}
	if fields != nil {
		m.add(block{Type: "section", Fields: fields})
	}
}

// marshal leaves <, > and & as they are: six bytes for each would count.
func marshal(m message) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(m)
	return b.Bytes(), err
}
