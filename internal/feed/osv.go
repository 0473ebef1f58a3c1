package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"patrol/internal/match"
)

// What is kept of a record is bounded, so that one record cannot fill the index.
const (
	maxReferences   = 10   // links; OSV records have up to hundreds
	maxReferenceLen = 2048 // bytes of a link
	maxSummary      = 200  // runes
	maxID           = 256  // bytes of a record's id
	maxPackage      = 4096 // bytes of an ecosystem or a package's name
)

// osvRecord is a record as it is published, as far as Patrol reads it
// (https://ossf.github.io/osv-schema/).
type osvRecord struct {
	ID               string         `json:"id"`
	Aliases          []string       `json:"aliases"`
	Upstream         []string       `json:"upstream"`
	Related          []string       `json:"related"`
	Published        date           `json:"published"`
	Modified         date           `json:"modified"`
	Withdrawn        date           `json:"withdrawn"`
	Summary          string         `json:"summary"`
	Details          string         `json:"details"`
	Severity         []osvSeverity  `json:"severity"`
	Affected         []osvAffected  `json:"affected"`
	References       []osvReference `json:"references"`
	DatabaseSpecific specific       `json:"database_specific"`
}

type osvSeverity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type osvReference struct {
	URL string `json:"url"`
}

type osvAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Severity          []osvSeverity `json:"severity"`
	Ranges            []osvRange    `json:"ranges"`
	Versions          []string      `json:"versions"`
	EcosystemSpecific specific      `json:"ecosystem_specific"`
	DatabaseSpecific  specific      `json:"database_specific"`
}

type osvRange struct {
	Type   string `json:"type"`
	Events []struct {
		Introduced   string `json:"introduced"`
		Fixed        string `json:"fixed"`
		LastAffected string `json:"last_affected"`
		Limit        string `json:"limit"`
	} `json:"events"`
}

// date is a time that may be absent, null or empty. One that cannot be read is
// as good as absent, for databases do publish such: the year 1 as "1-01-01".
type date struct {
	time.Time
	unreadable bool
}

func (d *date) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil || text == "" {
		return err
	}
	t, err := time.Parse(time.RFC3339, text)
	// A zone can carry a date out of the years that RFC 3339 can write.
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
		d.unreadable = true
		return nil
	}
	d.Time = t
	return nil
}

// specific is the part of a record that each database fills as it likes; only a
// word for the severity is read, and only where it is a word.
type specific struct{ word string }

func (s *specific) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '{' {
		return nil
	}
	var fields struct {
		Severity json.RawMessage `json:"severity"`
		Urgency  json.RawMessage `json:"urgency"`
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for _, raw := range []json.RawMessage{fields.Severity, fields.Urgency} {
		var word string
		if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &word) == nil && word != "" {
			s.word = word
			return nil
		}
	}
	return nil
}

// advisory is one record and its statements, in the form that the index keeps.
type advisory struct {
	record     match.Record // without its references
	encoded    []byte       // the whole of it, as JSON
	statements []statement
	// ecosystems are those that the record speaks of, with or without a
	// statement that could be kept.
	ecosystems []string
}

// statement is what an advisory says of one package.
type statement struct {
	key     string // of the index: see encoding.go
	encoded []byte
	total   totals
}

// decodeRecord reads one OSV record.
func decodeRecord(data []byte) (advisory, error) {
	var o osvRecord
	if err := json.Unmarshal(data, &o); err != nil {
		return advisory{}, fmt.Errorf("malformed record: %w", err)
	}
	if o.ID == "" {
		return advisory{}, errors.New("record without an id")
	}
	if len(o.ID) > maxID {
		return advisory{}, fmt.Errorf("record with an id of %d bytes (at most %d)", len(o.ID), maxID)
	}
	if o.Withdrawn.unreadable {
		return advisory{}, fmt.Errorf("record %s: it is withdrawn at a time that cannot be read", o.ID)
	}
	a := advisory{record: match.Record{
		ID:         o.ID,
		Aliases:    o.Aliases,
		Upstream:   o.Upstream,
		Related:    o.Related,
		Published:  o.Published.Time,
		Modified:   o.Modified.Time,
		Withdrawn:  o.Withdrawn.Time,
		Summary:    oneLine(o.Summary, o.Details),
		Severity:   o.severities(),
		References: o.links(),
	}}
	var err error
	if a.encoded, err = json.Marshal(a.record); err != nil {
		return advisory{}, fmt.Errorf("record %s: %w", o.ID, err)
	}
	a.record.References = nil // no longer needed: they are much of what would be held
	// A withdrawn record no longer says anything of a package.
	if !a.record.Withdrawn.IsZero() {
		return a, nil
	}
	for _, affected := range o.Affected {
		if err := a.add(affected); err != nil {
			return advisory{}, fmt.Errorf("record %s: %w", o.ID, err)
		}
	}
	return a, nil
}

func (a *advisory) add(o osvAffected) error {
	ecosystem, name := o.Package.Ecosystem, o.Package.Name
	if ecosystem == "" || name == "" {
		return nil // a statement about commits alone
	}
	if strings.ContainsRune(ecosystem, 0) || len(ecosystem) > maxPackage || len(name) > maxPackage {
		return fmt.Errorf("package %.80q of ecosystem %.80q has no possible name", name, ecosystem)
	}
	if !slices.Contains(a.ecosystems, ecosystem) {
		a.ecosystems = append(a.ecosystems, ecosystem)
	}
	affected := match.Affected{
		Record:    a.record.ID,
		Ecosystem: ecosystem,
		Package:   name,
		Ranges:    o.versionRanges(),
		Versions:  o.Versions,
	}
	if len(affected.Ranges) == 0 && len(affected.Versions) == 0 {
		return nil
	}
	var scratch [256]byte
	value, total := appendAffected(scratch[:0], affected)
	a.statements = append(a.statements, statement{
		key:     affectedKey(ecosystem, match.PackageKey(ecosystem, name)),
		encoded: bytes.Clone(value),
		total:   total,
	})
	return nil
}

// versionRanges returns the ranges over versions. Those of type GIT are over
// commits, which nothing that is installed can be compared with.
func (o *osvAffected) versionRanges() []match.Range {
	var ranges []match.Range
	for _, r := range o.Ranges {
		if r.Type != "SEMVER" && r.Type != "ECOSYSTEM" {
			continue
		}
		events := make([]match.Event, 0, len(r.Events))
		for _, e := range r.Events {
			for _, event := range [...]match.Event{
				{Kind: match.Introduced, Version: e.Introduced},
				{Kind: match.Fixed, Version: e.Fixed},
				{Kind: match.LastAffected, Version: e.LastAffected},
				{Kind: match.Limit, Version: e.Limit},
			} {
				if event.Version != "" {
					events = append(events, event)
				}
			}
		}
		if len(events) > 0 {
			ranges = append(ranges, match.Range{Type: r.Type, Events: events})
		}
	}
	return ranges
}

// severities returns the record's own vectors, or where it has none those of
// its packages (OSV schema, affected[].severity field: only one of the two may
// be set), and after them the words that the database itself uses, as those of the
// ecosystems that it speaks of.
func (o *osvRecord) severities() []match.Severity {
	var found []match.Severity
	add := func(kind, score string) {
		s := match.Severity{Type: kind, Score: score}
		if kind != "" && score != "" && score != "not yet assigned" && !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	for _, s := range o.Severity {
		add(s.Type, s.Score)
	}
	if len(found) == 0 {
		for _, a := range o.Affected {
			for _, s := range a.Severity {
				add(s.Type, s.Score)
			}
		}
	}
	for _, a := range o.Affected {
		add(match.Base(a.Package.Ecosystem), o.DatabaseSpecific.word)
		add(match.Base(a.Package.Ecosystem), o.impact())
		add(match.Base(a.Package.Ecosystem), a.EcosystemSpecific.word)
		add(match.Base(a.Package.Ecosystem), a.DatabaseSpecific.word)
	}
	return found
}

// impact returns the word with which the summary of an erratum begins, where Red
// Hat's errata and those of who rebuilds them have their rating ("Important:
// kernel security update").
func (o *osvRecord) impact() string {
	word, _, _ := strings.Cut(o.Summary, ":")
	if match.IsErratum(o.ID) && slices.Contains([]string{"Critical", "Important", "Moderate", "Low"}, word) {
		return word
	}
	return ""
}

// links returns the first of the record's references that lead to the web:
// they are shown as links, and a feed must not be able to name another scheme.
func (o *osvRecord) links() []string {
	var links []string
	for _, r := range o.References {
		web := strings.HasPrefix(r.URL, "https://") || strings.HasPrefix(r.URL, "http://")
		if web && len(r.URL) <= maxReferenceLen && len(links) < maxReferences && !slices.Contains(links, r.URL) {
			links = append(links, r.URL)
		}
	}
	return links
}

// oneLine returns the summary, or the first line of the details that says
// something, as one line of at most maxSummary runes.
func oneLine(summary, details string) string {
	line := plain(summary)
	for rest := details; line == "" && rest != ""; {
		var first string
		first, rest, _ = strings.Cut(rest, "\n")
		line = plain(strings.TrimLeft(first, "# "))
	}
	if runes := []rune(line); len(runes) > maxSummary {
		return strings.TrimRight(string(runes[:maxSummary-1]), " ") + "…"
	}
	return line
}

// plain joins the words of a text with single spaces, without control characters.
func plain(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}
