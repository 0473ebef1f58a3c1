// Package report says what one scan found, a format a file.
//
// A format is three methods: it is told what was scanned and matched, then each
// finding, then what is to be said of the whole. Several formats can be written
// from one scan; see [Outputs].
//
// Names, versions and paths are of the scanned tree, and so of strangers: every
// format escapes them for who reads it, be that a terminal, a browser or a
// spreadsheet.
package report

import (
	"time"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// Report is what one scan found. Its JSON is what `patrol scan --output json`
// promises to scripts.
type Report struct {
	Head
	Findings []Finding `json:"findings"`
	Tail
}

// Head is what is known before the first finding.
type Head struct {
	Target string `json:"target"`
	SBOM   SBOM   `json:"sbom"`
	Feed   Feed   `json:"feed"`
	Engine string `json:"engine"`
	// Document is what was matched, and At when. Formats that have no place for
	// them leave them out.
	Document *sbom.Document `json:"-"`
	At       time.Time      `json:"-"`
}

// Tail is what is said of the whole.
type Tail struct {
	// Ignored are findings that whoever ran the scan wants to hear nothing of.
	// They count nowhere else.
	Ignored     []Ignored           `json:"ignored"`
	NotAssessed []match.NotAssessed `json:"not_assessed"`
	Warnings    []collect.Warning   `json:"warnings"`
	Summary     fleet.Counts        `json:"summary"`
}

// SBOM is what was matched.
type SBOM struct {
	InventoryDigest string `json:"inventory_digest"`
	Components      int    `json:"components"`
}

// Feed is what was known.
type Feed struct {
	Revision string `json:"revision"`
	Sample   bool   `json:"sample"`
	// Intelligence is the revision of what is known beside the advisories; empty
	// where nothing is.
	Intelligence string        `json:"intelligence,omitempty"`
	Sources      []feed.Source `json:"sources"`
}

// AsOf is the newest change among the sources of advisories; zero if there are none.
func (f Feed) AsOf() (newest time.Time) {
	for _, s := range f.Sources {
		if s.Ecosystem() != "" && s.AsOf.After(newest) {
			newest = s.AsOf
		}
	}
	return newest
}

// Finding is a finding with the intelligence that scripts may rely on; what no
// source has told yet is null, never false.
type Finding struct {
	finding.Finding
	Risk *string `json:"risk"`
}

// Exploited tells whether the vulnerability is known to be exploited.
func (f *Finding) Exploited() bool { return f.KEV != nil && *f.KEV }

// Score is the deciding CVSS score; false where there is none.
func (f *Finding) Score() (float64, bool) {
	if len(f.CVSS) == 0 {
		return 0, false
	}
	return f.CVSS[0].Score, true
}

// Ignored is a finding that was asked to be ignored.
type Ignored struct {
	Finding
	// By is the place that says so: a file with its line, or --only-fixed.
	By     string `json:"ignored_by"`
	Reason string `json:"reason"`
	// Until is the day, or the moment, until which it is ignored; may be empty.
	Until string `json:"until,omitempty"`
	// Status is what a VEX document says: "not_affected" or "fixed"; else empty.
	Status string `json:"status,omitempty"`
	// Justification is VEX's reason for not_affected; may be empty.
	Justification string `json:"justification,omitempty"`
}

// Format writes one report in one format. It may keep what it is given.
type Format interface {
	Begin(*Head) error
	Finding(*Finding) error
	End(*Tail) error
}

// Write tells the format everything, in order.
func (r *Report) Write(f Format) error {
	if err := f.Begin(&r.Head); err != nil {
		return err
	}
	for i := range r.Findings {
		if err := f.Finding(&r.Findings[i]); err != nil {
			return err
		}
	}
	return f.End(&r.Tail)
}

// Summarize counts findings by severity, each vulnerability once in each package.
func Summarize(findings []Finding) (counts fleet.Counts) {
	type once struct{ vulnerability, ecosystem, pkg string }
	seen := make(map[once]bool)
	for _, f := range findings {
		key := once{f.Vulnerability, match.Base(f.Component.Ecosystem), f.Package}
		if seen[key] {
			continue
		}
		seen[key] = true
		switch f.Severity {
		case risk.Malicious:
			counts.Malicious++
		case risk.Critical:
			counts.Critical++
		case risk.High:
			counts.High++
		case risk.Medium:
			counts.Medium++
		case risk.Low:
			counts.Low++
		default:
			counts.Unknown++
		}
	}
	return counts
}
