// Package risk says what a vulnerability means: risk = assess(finding, exposure,
// intelligence). It begins with severity; it is pure.
package risk

import (
	"slices"
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"patrol/internal/match"
)

// Severity is how bad a vulnerability is for itself.
type Severity string

// The severities. Malicious is a package that was made to harm; it has no score.
const (
	Malicious Severity = "malicious"
	Critical  Severity = "critical"
	High      Severity = "high"
	Medium    Severity = "medium"
	Low       Severity = "low"
	Unknown   Severity = "unknown"
)

// Severities are all of them, worst first; unknown is last because nothing is
// known, not because it is harmless.
var Severities = []Severity{Malicious, Critical, High, Medium, Low, Unknown}

// Rank orders severities: 5 for malicious down to 0 for unknown and any other word.
func (s Severity) Rank() int {
	i := slices.Index(Severities, s)
	if i < 0 {
		return 0
	}
	return len(Severities) - 1 - i
}

// CVSS is a vector with its base score.
type CVSS struct {
	Vector string  `json:"vector"`
	Score  float64 `json:"score"`
	// Source is the id of the record that gives the vector.
	Source string `json:"source"`
}

// Assessment is what is known of a vulnerability's severity.
type Assessment struct {
	Severity Severity
	// CVSS are all readable vectors, the deciding one first.
	CVSS []CVSS
}

// Assess takes the severity from the vector of the newest CVSS version, the
// highest score among equals; without a vector it is unknown, never invented.
func Assess(v match.Vulnerability) Assessment {
	a := Assessment{Severity: Unknown, CVSS: []CVSS{}}
	for _, s := range v.Severity {
		if score, ok := baseScore(s.Score); ok {
			a.CVSS = append(a.CVSS, CVSS{s.Score, score, s.Source})
		}
	}
	slices.SortStableFunc(a.CVSS, func(x, y CVSS) int {
		if order := strings.Compare(version(y.Vector), version(x.Vector)); order != 0 {
			return order
		}
		switch {
		case x.Score > y.Score:
			return -1
		case x.Score < y.Score:
			return 1
		}
		return strings.Compare(x.Vector, y.Vector)
	})
	if len(a.CVSS) > 0 {
		a.Severity = Rate(a.CVSS[0].Score)
	}
	if slices.ContainsFunc(v.Records, func(id string) bool { return strings.HasPrefix(id, "MAL-") }) {
		a.Severity = Malicious
	}
	return a
}

// Rate is CVSS's qualitative rating of a score (CVSS v3.1, section 5). Its
// "none", a score of 0.0, is low here.
func Rate(score float64) Severity {
	switch {
	case score >= 9:
		return Critical
	case score >= 7:
		return High
	case score >= 4:
		return Medium
	default:
		return Low
	}
}

// version returns the CVSS version of a vector; version 2 vectors do not say it.
func version(vector string) string {
	if rest, ok := strings.CutPrefix(vector, "CVSS:"); ok {
		number, _, _ := strings.Cut(rest, "/")
		return number
	}
	return "2.0"
}

func baseScore(vector string) (float64, bool) {
	switch version(vector) {
	case "4.0":
		if v, err := gocvss40.ParseVector(vector); err == nil {
			return v.Score(), true
		}
	case "3.1":
		if v, err := gocvss31.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	case "3.0":
		if v, err := gocvss30.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	case "2.0":
		if v, err := gocvss20.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	}
	return 0, false
}
