// Package report writes what one scan found: a format a file.
package report

import (
	"encoding/json"
	"io"

	"patrol/internal/collect"
	"patrol/internal/feed"
	"patrol/internal/finding"
	"patrol/internal/fleet"
	"patrol/internal/match"
	"patrol/internal/risk"
)

// Report is what one scan found. Its JSON is what `patrol scan --output json`
// promises to scripts.
type Report struct {
	Target      string              `json:"target"`
	SBOM        SBOM                `json:"sbom"`
	Feed        Feed                `json:"feed"`
	Engine      string              `json:"engine"`
	Findings    []Finding           `json:"findings"`
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
	Revision string        `json:"revision"`
	Sample   bool          `json:"sample"`
	Sources  []feed.Source `json:"sources"`
}

// Finding is a finding with the intelligence that scripts may rely on; what no
// source has told yet is null, never false.
type Finding struct {
	finding.Finding
	EPSS *float64 `json:"epss"`
	KEV  *bool    `json:"kev"`
	SSVC *string  `json:"ssvc"`
	Risk *string  `json:"risk"`
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

// JSON writes the report as one indented object.
func JSON(w io.Writer, r *Report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}
