// Package finding keeps what is known to be wrong with what is installed.
//
// A finding belongs to a component version and is the same wherever that version
// stands. An occurrence is a finding on a node, known by (node, vulnerability,
// ecosystem, package) and not by any version, so that when it was first seen
// survives a patch that does not fix it.
package finding

import (
	"context"
	"embed"
	"fmt"
	"sync/atomic"
	"time"

	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/platform/db"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

//go:embed migrations
var files embed.FS

// Migrations are the tables of the room.
var Migrations = db.Migrations{Room: "finding", Files: files}

// Finding is a vulnerability in a component version.
type Finding struct {
	ID            int64    `json:"id,omitempty"`
	Vulnerability string   `json:"vulnerability"`
	Aliases       []string `json:"aliases"`
	Advisories    []string `json:"advisories"`
	Summary       string   `json:"summary"`
	// Package is the component's package as the advisories name it: Debian's
	// source. Components of one package share an occurrence.
	Package   string         `json:"package"`
	Component sbom.Component `json:"component"`
	// Fixed are the versions that fix it, lowest first; empty where none is known.
	Fixed    []string      `json:"fixed"`
	Severity risk.Severity `json:"severity" enum:"malicious,critical,high,medium,low,unknown"`
	CVSS     []risk.CVSS   `json:"cvss"`
	// Word is what the component's own distribution says, such as Debian's
	// "unimportant"; empty where it says nothing. That there is no fix shows in
	// Fixed.
	Word string `json:"word,omitempty"`
	// What no source has told is null, never 0 or false.
	EPSS *float64   `json:"epss"`
	KEV  *bool      `json:"kev"`
	SSVC *risk.SSVC `json:"ssvc"`
}

// Revision is one immutable state of the feed.
type Revision interface {
	match.Knowledge
	ID() string
	Vulnerability(name string) (match.Vulnerability, bool, error)
}

// Describe joins what matching found with what the revision says of it, and what
// is known beside that. One finding is returned for each component of the
// document.
func Describe(rev Revision, known Intelligence, doc *sbom.Document, result *match.Result) ([]Finding, error) {
	described := []Finding{}
	for _, c := range doc.Components {
		for _, f := range result.Findings[c.Key()] {
			v, err := vulnerability(rev, f.Vulnerability)
			if err != nil {
				return nil, err
			}
			intelligence, err := known.Of(v.Name)
			if err != nil {
				return nil, err
			}
			a := risk.Assess(v, intelligence)
			described = append(described, Finding{
				Vulnerability: v.Name, Aliases: list(v.Aliases), Advisories: list(f.Advisories), Summary: v.Summary,
				Package: f.Package, Component: c, Fixed: list(f.Fixed), Severity: a.SeverityIn(c.Ecosystem), CVSS: a.CVSS,
				Word: a.WordOf(c.Ecosystem), EPSS: a.EPSS.Probability(), KEV: a.KEV.Known(), SSVC: a.SSVC,
			})
		}
	}
	return described, nil
}

func vulnerability(rev Revision, name string) (match.Vulnerability, error) {
	v, ok, err := rev.Vulnerability(name)
	if err == nil && !ok {
		err = fmt.Errorf("feed revision %s names %s but does not hold it: run patrol feed update", rev.ID(), name)
	}
	return v, err
}

// list makes a nil list an empty one: arrays are never null.
func list(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}

// Fleet is what findings need of the fleet.
type Fleet interface {
	// Locations tells where components stand, which only the documents do: of each
	// digest, the locations of each key, sorted.
	Locations(ctx context.Context, wanted map[string][]sbom.Key) (map[string]map[sbom.Key][]string, error)
	// Select returns the ids of the nodes that a selector means.
	Select(ctx context.Context, q db.Querier, expression string) ([]string, error)
	// Selects tells whether it means one node.
	Selects(ctx context.Context, q db.Querier, expression, node string) (bool, error)
	// Scope returns the nodes that the caller may see.
	Scope(ctx context.Context) (fleet.Scope, error)
}

// Service matches inventories and keeps occurrences.
type Service struct {
	db    *db.DB
	nodes Fleet
	now   func() time.Time
	known atomic.Pointer[Intelligence]
	// moveRows is how many occurrences one transaction of a re-match changes.
	moveRows int
	due      func(context.Context) (Due, error)
	many     int // see age.go
}

// NewService returns the room over a migrated database.
func NewService(d *db.DB, nodes Fleet, now func() time.Time) *Service {
	s := &Service{
		db: d, nodes: nodes, now: now, due: func(context.Context) (Due, error) { return DefaultDue, nil }, many: many, moveRows: moveRows,
	}
	var known Intelligence = nothing{}
	s.known.Store(&known)
	return s
}
