// Package risk says what a vulnerability means: risk = assess(finding, exposure,
// intelligence). It begins with severity, from vectors and words, and with what
// is known of exploitation; it is pure.
package risk

import (
	"cmp"
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

// OfRank returns the severity of a rank; unknown for a rank that there is not.
func OfRank(rank int) Severity {
	i := len(Severities) - 1 - rank
	if i < 0 || i >= len(Severities) {
		return Unknown
	}
	return Severities[i]
}

// CVSS is a vector with its base score.
type CVSS struct {
	Vector string  `json:"vector"`
	Score  float64 `json:"score"`
	// Source is the id of the record that gives the vector, or who gave it to
	// the CVE: a CNA's name, "CISA-ADP", "NVD".
	Source string `json:"source"`
}

// Assessment is what is known of how bad a vulnerability is.
type Assessment struct {
	// Severity is that of the best vector, wherever the package is from; unknown
	// without one. SeverityIn asks the distribution too.
	Severity Severity
	// CVSS are all readable vectors, the deciding one first, each once.
	CVSS []CVSS
	// Words are what databases say themselves, sorted.
	Words []Word
	SSVC  *SSVC
	EPSS  *EPSS
	KEV   *KEV
}

// Assess takes the severity from the vector of the newest CVSS version, the
// highest score among equals. A record of malicious packages outdoes them all.
func Assess(v match.Vulnerability, known Intelligence) Assessment {
	a := Assessment{
		CVSS: vectors(v.Severity, known.CVSS), Words: words(v.Severity),
		SSVC: known.SSVC, EPSS: known.EPSS, KEV: known.KEV,
	}
	switch {
	case slices.ContainsFunc(v.Records, func(id string) bool { return strings.HasPrefix(id, "MAL-") }):
		a.Severity = Malicious
	case len(a.CVSS) > 0:
		a.Severity = Rate(a.CVSS[0].Score)
	default:
		a.Severity = Unknown
	}
	return a
}

// SeverityIn is the severity in a package of the ecosystem: without a vector it
// is the word of that ecosystem's own database, and without one it is unknown,
// never invented. What one distribution says of its build says nothing of
// another's, nor of a Go program.
func (a Assessment) SeverityIn(ecosystem string) Severity {
	if a.Severity != Unknown {
		return a.Severity
	}
	return rateWord(a.WordOf(ecosystem))
}

// vectors returns the readable vectors, best first. One that several give is
// said to come from the advisory rather than from the CVE. What NVD made counts
// where nobody closer to the vulnerability gave one.
func vectors(stated []match.Severity, known []Vector) []CVSS {
	found := []CVSS{}
	add := func(vector, source string) {
		score, ok := baseScore(vector)
		if ok && !slices.ContainsFunc(found, func(c CVSS) bool { return c.Vector == vector }) {
			found = append(found, CVSS{vector, score, source})
		}
	}
	for _, s := range stated {
		add(s.Score, s.Source)
	}
	for _, k := range known {
		if k.Source != NVD {
			add(k.Vector, k.Source)
		}
	}
	if len(found) == 0 {
		for _, k := range known {
			add(k.Vector, k.Source)
		}
	}
	slices.SortStableFunc(found, func(x, y CVSS) int {
		return cmp.Or(
			cmp.Compare(version(y.Vector), version(x.Vector)),
			cmp.Compare(y.Score, x.Score),
			cmp.Compare(x.Vector, y.Vector),
		)
	})
	return found
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
