// Package openvex is the format OpenVEX 0.2.0
// (https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md), as far as it is
// written or read here.
//
// The idea of VEX is the statement: that some products have, towards one
// vulnerability, a status ("The VEX Statement"). A document is a list of them by one
// author. Who speaks later has the last word, and what a statement does not say of
// its time it inherits from its document ("Data Inheritance"). What a status means to
// Patrol is not said here: a scan ignores findings by it, and a console decides
// occurrences.
package openvex

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const (
	// Context is the context of documents of this version ("Document Struct Fields").
	Context = "https://openvex.dev/ns/v0.2.0"
	// Namespace begins the contexts of all versions.
	Namespace = "https://openvex.dev/ns"
)

// The labels of a status ("Status Labels").
const (
	// NotAffected needs a justification or an impact statement.
	NotAffected = "not_affected"
	// Affected needs an action statement.
	Affected           = "affected"
	Fixed              = "fixed"
	UnderInvestigation = "under_investigation"
)

// IsStatus tells whether text is the label of a status.
func IsStatus(text string) bool {
	switch text {
	case NotAffected, Affected, Fixed, UnderInvestigation:
		return true
	}
	return false
}

// IsJustification tells whether text is a label of why a product is not affected
// ("Status Justifications").
func IsJustification(text string) bool {
	switch text {
	case "component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
		"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist":
		return true
	}
	return false
}

// Document is a list of statements ("Document Struct Fields"). Its id is an IRI, and
// its timestamp RFC 3339.
type Document struct {
	Context    string       `json:"@context"`
	ID         string       `json:"@id"`
	Author     string       `json:"author"`
	Role       string       `json:"role,omitempty"`
	Timestamp  string       `json:"timestamp"`
	Version    Version      `json:"version"`
	Tooling    string       `json:"tooling,omitempty"`
	Statements []*Statement `json:"statements"`
}

// Version counts the changes of a document, from 1.
type Version int

// UnmarshalJSON: before 0.2.0 a version was a text. That of one which is no number is
// 0: nothing depends on it.
func (v *Version) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return json.Unmarshal(data, (*int)(v))
	}
	number, _ := strconv.Atoi(text)
	*v = Version(number)
	return nil
}

// Statement says how products stand to a vulnerability ("Statement Fields").
type Statement struct {
	ID            string        `json:"@id,omitempty"`
	Vulnerability Vulnerability `json:"vulnerability"`
	Timestamp     string        `json:"timestamp,omitempty"`
	Products      []Product     `json:"products"`
	Status        string        `json:"status"`
	Notes         string        `json:"status_notes,omitempty"`
	Justification string        `json:"justification,omitempty"`
	Impact        string        `json:"impact_statement,omitempty"`
	Action        string        `json:"action_statement,omitempty"`
}

// Vulnerability has a name, of which others may be aliases ("Vulnerability Data
// Structure").
type Vulnerability struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
}

// UnmarshalJSON: before 0.2.0 a vulnerability was its name alone.
func (v *Vulnerability) UnmarshalJSON(data []byte) error {
	type plain Vulnerability
	return read(data, &v.Name, (*plain)(v))
}

// Product is anything that an SBOM may describe; its subcomponents are what of it a
// statement is about ("Product Data Structure"). Its id is an IRI, which a purl is.
type Product struct {
	ID            string            `json:"@id,omitempty"`
	Identifiers   map[string]string `json:"identifiers,omitempty"`
	Subcomponents []Product         `json:"subcomponents,omitempty"`
}

// UnmarshalJSON: before 0.2.0 a product was its id alone.
func (p *Product) UnmarshalJSON(data []byte) error {
	type plain Product
	return read(data, &p.ID, (*plain)(p))
}

// read reads a text, or else an object.
func read(data []byte, text *string, object any) error {
	if json.Unmarshal(data, text) == nil {
		return nil
	}
	return json.Unmarshal(data, object)
}

// ByPURL is the product that a purl names.
func ByPURL(purl string) Product {
	return Product{ID: purl, Identifiers: map[string]string{"purl": purl}}
}

// PURL is the purl that a product is known by; empty if by none.
func (p Product) PURL() string {
	for _, id := range []string{p.Identifiers["purl"], p.ID} {
		if strings.HasPrefix(id, "pkg:") {
			return id
		}
	}
	return ""
}

// String is the purl of a product, or its id.
func (p Product) String() string {
	if purl := p.PURL(); purl != "" {
		return purl
	}
	return p.ID
}

// Moment reads a timestamp; what has none inherits one ("Inheritance Flow").
func Moment(timestamp string, inherited time.Time) (time.Time, error) {
	if timestamp == "" {
		return inherited, nil
	}
	return time.Parse(time.RFC3339, timestamp)
}
