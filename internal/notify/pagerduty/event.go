package pagerduty

import (
	"fmt"
	"time"

	"patrol/internal/notify"
	"patrol/internal/notify/chat"
)

// event is an alert event ("Send an Alert Event", Parameters).
type event struct {
	RoutingKey string   `json:"routing_key"`
	Action     string   `json:"event_action"`
	DedupKey   string   `json:"dedup_key"`
	Client     string   `json:"client,omitempty"`
	ClientURL  string   `json:"client_url,omitempty"`
	Links      []link   `json:"links,omitempty"`
	Payload    *payload `json:"payload,omitempty"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// payload is in the PagerDuty Common Event Format.
type payload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp string         `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Group     string         `json:"group,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details,omitempty"`
}

// The limits. Those of summary and of the whole, 512 KB, are PagerDuty's; the others
// keep the whole within: 200 findings and 30 facts make less than 400 KB, even if each
// character takes four bytes.
const (
	summaryLimit = 1024
	wordLimit    = 255
	textLimit    = 8192
	factsLimit   = 30
	factLimit    = 512
	findingLimit = 300
)

func eventOf(key string, n notify.Notification) event {
	e := event{RoutingKey: key, Action: "trigger", DedupKey: n.Key}
	if n.Action == notify.Resolved {
		e.Action = "resolve" // all else is of the alert that this ends
		return e
	}
	e.Client, e.ClientURL = "Patrol", n.URL
	if n.URL != "" {
		e.Links = []link{{n.URL, "Open in Patrol"}}
	}
	e.Payload = &payload{
		Summary: word(n.Title, summaryLimit), Source: source(n), Severity: severity(n.Severity),
		Timestamp: n.Time.UTC().Format(time.RFC3339Nano),
		Group:     word(n.Rule, wordLimit), Class: word(n.Type, wordLimit), Details: details(n),
	}
	if e.Payload.Summary == "" {
		e.Payload.Summary = e.Payload.Class // it may not be empty
	}
	if len(n.Findings) > 0 {
		e.Payload.Component = word(n.Findings[0].Package, wordLimit)
	}
	return e
}

// severity is the event's, of which there are four.
func severity(s string) string {
	switch s {
	case "malicious", "critical":
		return "critical"
	case "high":
		return "error"
	case "medium", "unknown":
		return "warning"
	}
	return "info"
}

// source is the affected system: the node of the worst finding, and how many more.
func source(n notify.Notification) string {
	if len(n.Findings) == 0 {
		return "Patrol"
	}
	name := word(n.Findings[0].Node.Name, wordLimit)
	switch {
	case name == "":
		name = n.Findings[0].Node.ID
	case n.Nodes == 2:
		name += " and 1 more node"
	case n.Nodes > 2:
		name += fmt.Sprintf(" and %d more nodes", n.Nodes-1)
	}
	return name
}

func details(n notify.Notification) map[string]any {
	all := map[string]any{}
	for _, fact := range n.Facts[:min(len(n.Facts), factsLimit)] {
		all[word(fact.Name, wordLimit)] = word(fact.Value, factLimit)
	}
	all["Notification"] = n.ID
	if text := chat.Cut(n.Text, textLimit, '\n'); text != "" {
		all["Text"] = text
	}
	lines := make([]string, 0, len(n.Findings)+1)
	for _, f := range n.Findings[:min(len(n.Findings), notify.MostFindings)] {
		lines = append(lines, word(chat.Sentence(f), findingLimit))
	}
	if more := n.Total - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", more))
	}
	if len(lines) > 0 {
		all["Findings"] = lines
	}
	return all
}

// word returns what stands in one line, of at most so many UTF-16 units.
func word(text string, units int) string { return chat.Cut(text, units, ' ') }
