// Package match answers what is known to be wrong with what is installed:
// findings = match(inventory, feed).
//
// It is pure: it does no I/O of its own, takes no context and reads no clock.
// What is known comes through [Knowledge], which one immutable revision of the
// feed implements; so a component, a revision and [EngineVersion] name one
// answer for ever.
package match

import "time"

// EngineVersion changes whenever the same inventory and revision could give
// another answer. It is part of a result's identity.
const EngineVersion = "2"

// Record is one advisory of a source, without its affected packages. It follows
// the OSV schema (https://ossf.github.io/osv-schema/), slimmed.
type Record struct {
	ID        string     `json:"id"`
	Aliases   []string   `json:"aliases,omitempty"`
	Upstream  []string   `json:"upstream,omitempty"`
	Related   []string   `json:"related,omitempty"`
	Published time.Time  `json:"published,omitzero"`
	Modified  time.Time  `json:"modified,omitzero"`
	Withdrawn time.Time  `json:"withdrawn,omitzero"`
	Summary   string     `json:"summary,omitempty"`
	Severity  []Severity `json:"severity,omitempty"`
	// References are the links of the record.
	References []string `json:"references,omitempty"`
}

// Severity is a CVSS vector or a distribution's own word, as the record has it.
type Severity struct {
	Type  string `json:"type"`  // "CVSS_V3", "CVSS_V4", "Ubuntu", …
	Score string `json:"score"` // the vector, or the word
	// Source is the id of the record that says so; empty inside a Record itself.
	Source string `json:"source,omitempty"`
}

// Affected is what one advisory says of one package in one ecosystem.
type Affected struct {
	// Record is the id of the advisory.
	Record string
	// Ecosystem and Package are as the record names them.
	Ecosystem, Package string
	Ranges             []Range
	// Versions are affected versions listed one by one.
	Versions []string
}

// Range is a list of events on one version line. Type is "SEMVER" or
// "ECOSYSTEM"; ranges of type "GIT" speak of commits and are never compiled.
type Range struct {
	Type   string
	Events []Event
}

// Event is one point of a range.
type Event struct {
	Kind    EventKind
	Version string
}

// EventKind says what an event does to the versions that follow it.
type EventKind byte

// The kinds of event (OSV schema, affected[].ranges[].events fields).
const (
	Introduced   EventKind = 'i'
	Fixed        EventKind = 'f'
	LastAffected EventKind = 'l'
	Limit        EventKind = 'u'
)

// Vulnerability is what the records of one name say together.
type Vulnerability struct {
	// Name is the CVE; without one the GHSA, else the lexically first id of the
	// alias group.
	Name string `json:"name"`
	// Records are the ids of all advisories that name it, sorted.
	Records []string `json:"records"`
	// Aliases are its other names, sorted; without Name.
	Aliases   []string   `json:"aliases,omitempty"`
	Summary   string     `json:"summary,omitempty"`
	Published time.Time  `json:"published,omitzero"`
	Modified  time.Time  `json:"modified,omitzero"`
	Severity  []Severity `json:"severity,omitempty"`
}

// Knowledge is one immutable revision of the feed, as matching needs it.
type Knowledge interface {
	// Affected returns every statement about the package of that name under
	// exactly that ecosystem ("Debian:12", "Go"). Both are normalized by the
	// implementation with [PackageKey]. Withdrawn records have none.
	Affected(ecosystem, name string) ([]Affected, error)
	// Names returns the vulnerabilities that the record is about; none for an
	// erratum that names no CVE.
	Names(record string) ([]string, error)
	// Covers tells whether the revision speaks of that ecosystem, or, naming none
	// of its releases, of all of them. That it knows "Debian:12" says nothing of
	// "Debian:11".
	Covers(ecosystem string) bool
}
