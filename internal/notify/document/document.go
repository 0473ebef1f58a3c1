// Package document brings a notification into the form that stores of logs and
// documents are searched by: one flat record for each finding, so that a question
// such as "which critical ones came to production" is a filter, not a join; one record
// for a notification that is about no finding.
//
// Names of members never change their meaning, and a member has one type in every
// record: stores that infer a schema from the first record refuse later ones that
// break it. So labels and facts are lists of text, never objects whose member names
// others choose; numbers always have a fraction; and what is unknown is left out.
//
// Texts come from advisories and package databases, whose writers are strangers. They
// are cut to a size here, and hold no control characters, so that a record is one line
// of at most [MostBytes] whatever it says.
package document

import (
	"math"
	"strconv"
	"time"

	"patrol/internal/notify"
)

// Document is one record. Its members are in the order in which they are written:
// the time comes first, because stores that read a time out of a line take the first
// that they see.
type Document struct {
	Time time.Time `json:"time"`
	// ID is the same each time the notification is sent: its id, with the occurrence's
	// where there is one. Where a store has no keys, it is what to remove duplicates by.
	ID           string        `json:"patrol_id"`
	Notification string        `json:"notification"`
	Key          string        `json:"key"`
	Action       notify.Action `json:"action"`
	Rule         string        `json:"rule,omitempty"`
	Type         string        `json:"type"`
	// Severity is the finding's, or without one the notification's.
	Severity string   `json:"severity"`
	Title    string   `json:"title"`
	Text     string   `json:"text,omitempty"`
	URL      string   `json:"url,omitempty"`
	Facts    []string `json:"facts,omitempty"` // "Nodes: 12"
	// Findings and Nodes are of the whole notification, which may be of more than it
	// holds records for.
	Findings int `json:"findings"`
	Nodes    int `json:"nodes"`

	Occurrence    int64      `json:"occurrence,omitempty"`
	Vulnerability string     `json:"vulnerability,omitempty"`
	Summary       string     `json:"summary,omitempty"`
	Score         Number     `json:"score,omitzero"`
	KEV           *bool      `json:"kev,omitempty"`
	EPSS          Number     `json:"epss,omitzero"`
	Ecosystem     string     `json:"ecosystem,omitempty"`
	Package       string     `json:"package,omitempty"`
	Fixable       *bool      `json:"fixable,omitempty"`
	Fixed         []string   `json:"fixed,omitempty"`
	OpenedAt      *time.Time `json:"opened_at,omitempty"`
	Because       string     `json:"because,omitempty"`
	NodeID        string     `json:"node_id,omitempty"`
	NodeKind      string     `json:"node_kind,omitempty"`
	NodeName      string     `json:"node_name,omitempty"`
	NodeLabels    []string   `json:"node_labels,omitempty"` // "env=prod"

	// Data is the event's, as the text of a JSON value; only where there is no finding.
	Data string `json:"data,omitempty"`
}

// Number is written with a fraction always. A store that infers types would make an
// integer of a first 9, and then take every 9.8 for a 9.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("0.0"), nil
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if f == math.Trunc(f) {
		text += ".0"
	}
	return []byte(text), nil
}

// Of returns the records of a notification: one for each finding, in their order, or
// one if there are none.
func Of(n notify.Notification) []Document {
	about := notification(n)
	if len(n.Findings) == 0 {
		about.Data = data(n.Data)
		return []Document{about}
	}
	documents := make([]Document, len(n.Findings))
	for i, f := range n.Findings {
		documents[i] = finding(about, f)
	}
	return documents
}

func notification(n notify.Notification) Document {
	facts := make([]string, len(n.Facts))
	for i, f := range n.Facts {
		facts[i] = f.Name + ": " + f.Value
	}
	return Document{
		Time: n.Time.UTC(), ID: line(n.ID, short), Notification: line(n.ID, short), Key: line(n.Key, short),
		Action: n.Action, Rule: line(n.Rule, short), Type: line(n.Type, short), Severity: line(n.Severity, short),
		Title: line(n.Title, medium), Text: lines(n.Text, long), URL: line(n.URL, medium),
		Facts: list(facts), Findings: n.Total, Nodes: n.Nodes,
	}
}

func finding(about Document, f notify.Finding) Document {
	d, opened := about, f.OpenedAt.UTC()
	d.ID = about.Notification + "-" + strconv.FormatInt(f.Occurrence, 10)
	d.Severity = line(f.Severity, short)
	d.Occurrence, d.Vulnerability, d.Summary = f.Occurrence, line(f.Vulnerability, short), lines(f.Summary, long)
	d.Score, d.KEV, d.EPSS = Number(f.Score), &f.KEV, Number(f.EPSS)
	d.Ecosystem, d.Package = line(f.Ecosystem, short), line(f.Package, short)
	d.Fixable, d.Fixed, d.Because = &f.Fixable, list(f.Fixed), line(f.Because, medium)
	if !f.OpenedAt.IsZero() {
		d.OpenedAt = &opened
	}
	d.NodeID, d.NodeKind, d.NodeName = line(f.Node.ID, short), line(f.Node.Kind, short), line(f.Node.Name, short)
	d.NodeLabels = list(labels(f.Node.Labels))
	return d
}
