package notify

import (
	"encoding/json"
	"time"
)

// Action is what a notification says of its key.
type Action string

// The actions. Between an opened and a resolved of one key there is any number of
// changed; a told stands by itself.
const (
	Opened   Action = "opened"
	Changed  Action = "changed"
	Resolved Action = "resolved"
	Told     Action = "told"
)

// Notification is one message to the far sides of a rule, as senders get it. Kinds
// bring it into the form that is usual there; what it says is decided before.
type Notification struct {
	// ID is the same each time this notification is sent: where the far side accepts
	// an idempotency key, this is it.
	ID string `json:"id"`
	// Key is the same for all that a rule tells of one matter: a vulnerability, a
	// node, an occurrence. At most 255 characters, printable ASCII without spaces.
	Key    string `json:"key"`
	Action Action `json:"action"`
	// Rule is the name of the rule; "" in a test.
	Rule string `json:"rule"`
	// Type is that of the event: occurrence.opened, scan.failed.
	Type string `json:"type"`
	// Severity is malicious, critical, high, medium, low or unknown: the worst of the
	// findings, or what the event amounts to; info for what is no harm.
	Severity string `json:"severity"`
	// Title is one line of plain text, Text several.
	Title string `json:"title"`
	Text  string `json:"text"`
	// URL is where the console shows it; "" unless the console knows its address.
	URL  string    `json:"url,omitempty"`
	Time time.Time `json:"time"`
	// Facts are short, and in the order in which to show them.
	Facts []Fact `json:"facts"`
	// Findings are what it is about, the worst first, at most [MostFindings] of Total.
	Findings []Finding `json:"findings"`
	Total    int       `json:"total"`
	// Nodes is how many nodes all of them are on.
	Nodes int `json:"nodes"`
	// Ref is what Send returned for what opened the key, at this integration.
	Ref string `json:"ref,omitempty"`
	// Data is that of the event as /api/v1/events has it.
	Data json.RawMessage `json:"data,omitempty"`
}

// MostFindings is how many findings one notification holds.
const MostFindings = 200

// Fact is something to know of a notification: "Nodes", "12".
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Finding is an occurrence: a vulnerability in a package on a node.
type Finding struct {
	Occurrence    int64     `json:"occurrence"`
	Vulnerability string    `json:"vulnerability"`
	Summary       string    `json:"summary"`
	Severity      string    `json:"severity"`
	Score         float64   `json:"score"` // of the deciding CVSS vector; 0 where there is none
	KEV           bool      `json:"kev"`
	EPSS          float64   `json:"epss"`
	Ecosystem     string    `json:"ecosystem"` // without its release
	Package       string    `json:"package"`
	Fixable       bool      `json:"fixable"`
	Fixed         []string  `json:"fixed"`
	OpenedAt      time.Time `json:"opened_at"`
	Because       string    `json:"because"` // why it was opened or resolved
	Node          Node      `json:"node"`
}

// Node is what a finding is on.
type Node struct {
	ID     string            `json:"id"`
	Kind   string            `json:"kind"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}
