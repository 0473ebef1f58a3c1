package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"patrol/internal/platform/audit"
	"patrol/internal/platform/cron"
	"patrol/internal/platform/problem"
	"patrol/internal/policy"
)

// What one notification is about.
const (
	ByVulnerability = "vulnerability" // one for each, on however many nodes
	ByNode          = "node"
	ByScan          = "scan" // or re-match; it is never resolved
	ByOccurrence    = "occurrence"
)

// RuleDefinition is what people say of a rule.
type RuleDefinition struct {
	Name    string `json:"name" minLength:"1" maxLength:"200"`
	Enabled bool   `json:"enabled"`
	// Types, When, Team and MinNodes say which events matter.
	Types    []string `json:"types" nullable:"false" maxItems:"50" doc:"Types of event, or patterns such as scan.*: GET /api/v1/rules/types lists them."`
	When     string   `json:"when,omitempty" maxLength:"10000" doc:"CEL over event, findings and node; empty for always. It is asked about each finding by itself."`
	Team     string   `json:"team,omitempty" doc:"Name of a team: only what is about its nodes."`
	MinNodes int      `json:"min_nodes,omitempty" minimum:"0" maximum:"1000000" doc:"Grouped by vulnerability: only once it is open on so many nodes."`
	// GroupBy, Limit and the digest say how many notifications come of it.
	GroupBy     string  `json:"group_by,omitempty" enum:"vulnerability,node,scan,occurrence" default:"vulnerability" doc:"What one notification about findings is about."`
	Limit       int     `json:"limit,omitempty" minimum:"0" maximum:"1000000" default:"100" doc:"How many notifications in ten minutes. What is more is told together in one."`
	Digest      string  `json:"digest,omitempty" doc:"Cron, or @hourly, @daily, @weekly: everything is told together then. Empty: at once."`
	TimeZone    string  `json:"time_zone,omitempty" default:"UTC" doc:"IANA name, of the digest and the quiet hours."`
	EvenIfEmpty bool    `json:"even_if_empty,omitempty" doc:"A digest comes though there is nothing to tell: a heartbeat, so that silence is an alarm."`
	Quiet       []Quiet `json:"quiet,omitempty" maxItems:"20" doc:"When nothing is sent; it is sent at the end."`
	// Resolved and the templates say what is sent.
	Resolved bool   `json:"resolved,omitempty" doc:"Also tell of what is resolved where nothing is kept open, such as in a chat. Incidents and issues are always closed."`
	Title    string `json:"title,omitempty" maxLength:"10000" doc:"Go text/template; empty for Patrol's own words."`
	Text     string `json:"text,omitempty" maxLength:"20000" doc:"Go text/template; empty for Patrol's own words."`
	// Integrations are where it is sent to.
	Integrations []string `json:"integrations" nullable:"false" maxItems:"50" doc:"Ids of integrations."`
}

// Rule says what is told to whom.
type Rule struct {
	ID string `json:"id"`
	RuleDefinition
	CreatedAt time.Time `json:"created_at"`
	DigestAt  time.Time `json:"digest_at,omitzero" doc:"When the next digest is due."`
	Error     string    `json:"error,omitempty" doc:"Why the condition or a template failed last."`
	ErrorAt   time.Time `json:"error_at,omitzero"`
	Warning   string    `json:"warning,omitempty" doc:"What is odd about what was just saved."`

	definition string // as the database has it
}

func (r Rule) subject() audit.Subject { return audit.Subject{Kind: "rule", ID: r.ID, Name: r.Name} }

// standardLimit keeps a channel readable.
const standardLimit = 100

// complete fills in what was left out.
func (d RuleDefinition) complete() RuleDefinition {
	if d.GroupBy == "" {
		d.GroupBy = ByVulnerability
	}
	if d.TimeZone == "" {
		d.TimeZone = "UTC"
	}
	if d.Limit == 0 {
		d.Limit = standardLimit
	}
	d.Types, d.Integrations = once(d.Types), once(d.Integrations)
	return d
}

// once leaves out what a list names again.
func once(names []string) []string {
	list := []string{}
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// checked is a definition that can be used.
type checked struct {
	RuleDefinition
	condition *policy.Rule
	digest    *cron.Timing // nil: at once
	zone      *time.Location
	quiet     []quiet
	title     *words
	text      *words
}

// check refuses a definition that could not work, and says which field and why.
func (d RuleDefinition) check() (c checked, err error) {
	c.RuleDefinition = d
	if strings.TrimSpace(d.Name) == "" {
		return c, problem.Invalid("name", "is empty")
	}
	if len(d.Types) == 0 && !d.EvenIfEmpty {
		return c, problem.Invalid("types", "names no type of event: the rule would never tell anything")
	}
	for _, t := range d.Types {
		if !slices.ContainsFunc(types, func(known EventType) bool { return matches(t, known.Name) }) {
			return c, problem.Invalid("types", "%q is no type of event, nor a pattern such as scan.*; there are %s", t, strings.Join(typeNames(), ", "))
		}
	}
	if c.condition, err = policy.CompileRule(d.When); err != nil {
		return c, problem.Invalid("when", "%v", err)
	}
	if !slices.Contains([]string{ByVulnerability, ByNode, ByScan, ByOccurrence}, d.GroupBy) {
		return c, problem.Invalid("group_by", "%q is none of vulnerability, node, scan, occurrence", d.GroupBy)
	}
	if d.MinNodes > 1 && d.GroupBy != ByVulnerability {
		return c, problem.Invalid("min_nodes", "is for notifications grouped by vulnerability, not by %s", d.GroupBy)
	}
	if d.EvenIfEmpty && d.Digest == "" {
		return c, problem.Invalid("even_if_empty", "is for a digest: say in digest when it comes")
	}
	if err := c.checkTimes(); err != nil {
		return c, err
	}
	if c.title, err = parseWords("title", d.Title, c.examples()); err != nil {
		return c, err
	}
	c.text, err = parseWords("text", d.Text, c.examples())
	return c, err
}

// epoch is a moment like any other, since when an expression that means anything comes.
var epoch = time.Unix(0, 0).UTC()

func (c *checked) checkTimes() (err error) {
	if c.zone, err = cron.Zone(c.TimeZone); err != nil {
		return err
	}
	if c.Digest != "" {
		timing, err := cron.Parse(c.Digest, c.TimeZone)
		if err != nil {
			return problem.Invalid("digest", "%v", err)
		}
		if timing.Next(epoch).IsZero() {
			return problem.Invalid("digest", "%q never comes: no day of the next five years matches it", c.Digest)
		}
		c.digest = &timing
	}
	for i, q := range c.Quiet {
		parsed, err := q.parse(fmt.Sprintf("quiet[%d]", i))
		if err != nil {
			return err
		}
		c.quiet = append(c.quiet, parsed)
	}
	if end := loud(c.quiet, c.zone, epoch); end.Sub(epoch) > 7*24*time.Hour {
		return problem.Invalid("quiet", "leaves no time at which something is sent")
	}
	return nil
}

// reads tells whether events of a type matter to the rule.
func (c *checked) reads(kind string) bool {
	return slices.ContainsFunc(c.Types, func(pattern string) bool { return matches(pattern, kind) })
}

// readsFindings tells whether events about findings do.
func (c *checked) readsFindings() bool {
	return c.reads(OccurrenceOpened) || c.reads(OccurrenceReassessed) || c.reads(OccurrenceOverdue)
}

// matches tells whether a type is meant by a pattern: itself, or one that ends in *.
func matches(pattern, kind string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	return pattern == kind || open && strings.HasPrefix(kind, prefix)
}
