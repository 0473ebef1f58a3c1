package securityhub

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"patrol/internal/notify"
)

// finding is an AwsSecurityFinding, of which these are the fields that Patrol fills.
// Severity and types are given as the provider's, so that what people set stays.
type finding struct {
	SchemaVersion   string
	ID              string `json:"Id"`
	ProductARN      string `json:"ProductArn"`
	ProductName     string
	CompanyName     string
	GeneratorID     string `json:"GeneratorId"`
	AccountID       string `json:"AwsAccountId"`
	Title           string
	Description     string
	CreatedAt       string
	UpdatedAt       string
	FirstObservedAt string `json:",omitempty"`
	LastObservedAt  string `json:",omitempty"`
	RecordState     string
	Provider        provider          `json:"FindingProviderFields"`
	SourceURL       string            `json:"SourceUrl,omitempty"`
	Remediation     *remediation      `json:",omitempty"`
	Resources       []resource        // at least one
	Vulnerabilities []vulnerability   `json:",omitempty"`
	ProductFields   map[string]string `json:",omitempty"`
}

type provider struct {
	Severity struct{ Label, Original string }
	Types    []string
}

type remediation struct{ Recommendation struct{ Text string } }

type resource struct {
	Type    string
	ID      string `json:"Id"`
	Details struct {
		Container *container        `json:",omitempty"`
		Other     map[string]string `json:",omitempty"`
	}
}

type container struct {
	Name      string `json:",omitempty"`
	ImageName string `json:",omitempty"`
}

type vulnerability struct {
	ID       string     `json:"Id"`
	CVSS     []cvss     `json:"Cvss,omitempty"`
	EPSS     float64    `json:"EpssScore,omitempty"`
	Exploit  string     `json:"ExploitAvailable,omitempty"`
	Fix      string     `json:"FixAvailable"`
	Packages []software `json:"VulnerablePackages"`
}

type cvss struct{ BaseScore float64 }

type software struct {
	Name           string
	FixedInVersion string `json:",omitempty"`
	Remediation    string `json:",omitempty"`
}

// The lengths, in characters, that the API Reference gives for AwsSecurityFinding and
// its parts; where it gives none, 256.
const (
	titleLength       = 256
	descriptionLength = 1024
	idLength          = 512
	adviceLength      = 512
	originalLength    = 64
	detailKeyLength   = 127 // "fewer than 128"
	detailLength      = 256 // 1023 may be; what is said here is short
	otherLength       = 256
)

// mostDetails is how many labels of a node are told, of 50 that may be. 100 findings
// with all of them stay below the 6 MB of a request.
const mostDetails = 20

// form brings notifications into the form of findings of one account.
type form struct{ account, product string }

func (f form) findings(n notify.Notification) []finding {
	if len(n.Findings) == 0 {
		return []finding{f.console(n)}
	}
	var all []finding
	seen := map[string]bool{}
	for _, occurrence := range n.Findings {
		// One request must not hold an Id twice: two intervals of one occurrence.
		if one := f.occurrence(n, occurrence); !seen[one.ID] {
			seen[one.ID] = true
			all = append(all, one)
		}
	}
	return all
}

func (f form) occurrence(n notify.Notification, o notify.Finding) finding {
	one := f.finding(n, o.Severity)
	one.ID = id("patrol", o.Node.ID, o.Vulnerability, o.Ecosystem, o.Package)
	one.GeneratorID = id("patrol", o.Vulnerability)
	one.Title = line(o.Vulnerability+" in "+o.Package+" on "+cmp.Or(o.Node.Name, o.Node.ID), titleLength)
	one.Description = cmp.Or(line(o.Summary, descriptionLength), one.Title)
	if !o.OpenedAt.IsZero() {
		one.CreatedAt = stamp(o.OpenedAt)
	}
	one.FirstObservedAt, one.LastObservedAt = one.CreatedAt, one.UpdatedAt
	one.Provider.Types = []string{"Software and Configuration Checks/Vulnerabilities"}
	if strings.HasPrefix(o.Vulnerability, "CVE-") {
		one.Provider.Types[0] += "/CVE"
	}
	one.Resources = []resource{node(o.Node)}
	v := vulnerability{ID: line(o.Vulnerability, otherLength), EPSS: o.EPSS, Fix: "NO"}
	if o.Score > 0 {
		v.CVSS = []cvss{{o.Score}}
	}
	if o.KEV {
		v.Exploit = "YES"
	}
	p := software{Name: line(o.Package, otherLength)}
	if o.Fixable {
		version := cmp.Or(strings.Join(o.Fixed, " or "), "a version without the vulnerability")
		v.Fix = "YES"
		p.FixedInVersion = line(strings.Join(o.Fixed, ", "), otherLength)
		p.Remediation = line("Update "+o.Package+" to "+version+".", adviceLength)
		one.Remediation = &remediation{}
		one.Remediation.Recommendation.Text = p.Remediation
	}
	v.Packages = []software{p}
	one.Vulnerabilities = []vulnerability{v}
	one.ProductFields = fields("patrol/ecosystem", o.Ecosystem, "patrol/because", o.Because)
	return one
}

// console is the finding of a notification that is about none: of the console itself.
func (f form) console(n notify.Notification) finding {
	one := f.finding(n, n.Severity)
	one.ID, one.GeneratorID = id("patrol", n.Key), id("patrol", n.Type)
	one.Title = cmp.Or(line(n.Title, titleLength), "Patrol")
	one.Description = cmp.Or(line(n.Text, descriptionLength), one.Title)
	one.Provider.Types = []string{"Software and Configuration Checks"}
	r := resource{Type: "Other", ID: "patrol/console"}
	facts := []string{"event", n.Type}
	for _, fact := range n.Facts[:min(len(n.Facts), mostDetails)] {
		facts = append(facts, fact.Name, fact.Value)
	}
	r.Details.Other = fields(facts...)
	one.Resources = []resource{r}
	return one
}

// finding has what all findings of a notification share.
func (f form) finding(n notify.Notification, severity string) finding {
	one := finding{
		SchemaVersion: "2018-10-08", ProductARN: f.product, ProductName: "Patrol", CompanyName: "Patrol", AccountID: f.account,
		CreatedAt: stamp(n.Time), UpdatedAt: stamp(n.Time), RecordState: "ACTIVE", SourceURL: n.URL,
	}
	if n.Action == notify.Resolved {
		one.RecordState = "ARCHIVED"
	}
	one.Provider.Severity.Label = label(severity)
	one.Provider.Severity.Original = cmp.Or(line(severity, originalLength), "unknown")
	return one
}

// label is that of a severity. Security Hub has none for what is not known; others
// who scan say INFORMATIONAL, and the original stands beside it.
func label(severity string) string {
	switch severity {
	case "malicious", "critical":
		return "CRITICAL"
	case "high", "medium", "low":
		return strings.ToUpper(severity)
	}
	return "INFORMATIONAL"
}

func node(n notify.Node) resource {
	r := resource{Type: "Other", ID: id("patrol", "nodes", n.ID)}
	name := line(n.Name, otherLength)
	switch n.Kind {
	case "container":
		r.Type, r.Details.Container = "Container", &container{Name: name}
	case "image":
		r.Type, r.Details.Container = "Container", &container{ImageName: name}
	}
	details := []string{"name", n.Name, "kind", n.Kind}
	for _, key := range slices.Sorted(maps.Keys(n.Labels))[:min(len(n.Labels), mostDetails)] {
		details = append(details, "label/"+key, n.Labels[key])
	}
	r.Details.Other = fields(details...)
	return r
}

// fields makes a map of names and values, which may not be empty there.
func fields(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := line(pairs[i], detailKeyLength), line(pairs[i+1], detailLength)
		if name != "" && value != "" {
			m[name] = value
		}
	}
	return m
}

// id joins the parts of an identity. One that Security Hub would not take as it is
// ends with a hash of the whole instead, and so stays its own.
func id(parts ...string) string {
	whole := strings.Join(parts, "/")
	if plain := line(whole, idLength); plain == whole {
		return whole
	}
	hash := sha256.Sum256([]byte(whole))
	return line(whole, idLength-70) + "/" + hex.EncodeToString(hash[:])
}

// line is a text on one line, of what can be printed, and no longer than so many
// characters. It reads no further than that.
func line(text string, most int) string {
	var kept []rune
	gap := false
	for _, r := range text {
		if r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) {
			gap = len(kept) > 0
			continue
		}
		if gap {
			kept = append(kept, ' ')
			gap = false
		}
		if kept = append(kept, r); len(kept) > most {
			return string(kept[:most-1]) + "…"
		}
	}
	return string(kept)
}

// stamp is a time as the API Reference has it ("Timestamps").
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
