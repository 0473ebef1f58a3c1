package notify

import (
	"fmt"
	"slices"
	"strings"

	"patrol/internal/finding"
	"patrol/internal/risk"
)

// say makes the notification of a matter, in Patrol's own words or in the rule's. An
// error is that of a template, which was left aside.
func (a *asker) say(m matter) (Notification, error) {
	n := Notification{
		Key: a.id + "/" + m.key, Action: m.action, Rule: a.Name, Type: m.kind, Severity: severities[m.kind],
		Time: m.at, Facts: []Fact{}, Findings: []Finding{}, Data: m.data,
	}
	if n.Severity == "" {
		n.Severity = "info"
	}
	if len(m.noted) > 0 {
		a.sayFindings(&n, m)
	} else {
		a.sayEvent(&n, m)
	}
	if m.action == Resolved {
		n.Title = "Resolved: " + n.Title
	}
	return n, a.reword(&n)
}

// reword puts the rule's own words in place of Patrol's.
func (a *asker) reword(n *Notification) error {
	n.Title = strings.Join(strings.Fields(n.Title), " ") // machines name themselves as they like
	title, text := n.Title, n.Text
	if a.title != nil {
		said, err := a.title.of(*n)
		if err != nil {
			return fmt.Errorf("title: %w", err)
		}
		title = strings.Join(strings.Fields(said), " ")
	}
	if a.text != nil {
		said, err := a.text.of(*n)
		if err != nil {
			return fmt.Errorf("text: %w", err)
		}
		text = said
	}
	n.Title, n.Text = title, text
	return nil
}

func (a *asker) sayFindings(n *Notification, m matter) {
	nodes, vulnerabilities := make(map[string]bool), make(map[string]bool)
	counts := make(map[risk.Severity]int)
	for _, noted := range m.noted {
		nodes[noted.NodeID], vulnerabilities[noted.Vulnerability] = true, true
		counts[noted.Severity]++
	}
	n.Findings = a.findings(m.noted[:min(MostFindings, len(m.noted))])
	worst := n.Findings[0]
	n.Total, n.Nodes, n.Severity = len(m.noted), len(nodes), worst.Severity
	n.URL = a.look.service.findingsURL(a.GroupBy, m)
	if a.everywhere(m) {
		n.Nodes = max(n.Nodes, a.look.affected[m.noted[0].VulnerabilityID])
	}
	where := worst.Node.Name
	if n.Nodes > 1 {
		where = fmt.Sprintf("%d nodes", n.Nodes)
	}
	if len(vulnerabilities) == 1 {
		n.Title = fmt.Sprintf("%s (%s) in %s on %s", worst.Vulnerability, grade(worst), packages(n.Findings), where)
		n.Text = strings.Join(slices.DeleteFunc([]string{shorten(worst.Summary, 300), advice(worst), why(m)}, func(s string) bool { return s == "" }), "\n")
		n.Facts = append(n.Facts, facts(worst)...)
	} else {
		n.Title = fmt.Sprintf("%s on %s: %s", plural(len(vulnerabilities), "vulnerability", "vulnerabilities"), where, tally(counts))
		n.Text = strings.Join(append([]string{why(m)}, lines(n.Findings, n.Total)...), "\n")
	}
	n.Facts = append(n.Facts, Fact{"Nodes", nodeNames(n.Findings, n.Nodes)})
}

// everywhere tells whether all nodes on which a vulnerability is open count for the
// rule: what is kept of it elsewhere then says how many these are, not how many came.
func (a *asker) everywhere(m matter) bool {
	return a.GroupBy == ByVulnerability && m.action == Opened && a.team == nil && !a.condition.AsksNode()
}

func (a *asker) findings(noted []finding.Noted) []Finding {
	found := make([]Finding, len(noted))
	for i, n := range noted {
		found[i] = a.look.finding(n)
	}
	return found
}

// mostParts is how many notifications there are of one matter for those who keep
// every finding.
const mostParts = 100

// parts are the further notifications of a matter that has more findings than one
// holds.
func (a *asker) parts(n Notification, m matter) (parts []Notification) {
	for number := 2; number <= mostParts && (number-1)*MostFindings < len(m.noted); number++ {
		part := n
		part.Title = fmt.Sprintf("%s (part %d)", n.Title, number)
		part.Findings = a.findings(m.noted[(number-1)*MostFindings : min(number*MostFindings, len(m.noted))])
		parts = append(parts, part)
	}
	return parts
}

// grade is how bad it is, in a word or two.
func grade(f Finding) string {
	if f.KEV {
		return f.Severity + ", exploited"
	}
	return f.Severity
}

func advice(f Finding) string {
	switch {
	case len(f.Fixed) > 0:
		return "Fixed in " + strings.Join(f.Fixed, ", ") + "."
	case f.Fixable:
		return "A fixed version is known."
	default:
		return "No fixed version is known."
	}
}

// why tells what happened, where that is not that something came to a node.
func why(m matter) string {
	switch {
	case m.action == Resolved && m.kind == OccurrenceOpened:
		return "It is open on no node any more: " + reasons(m.noted) + "."
	case m.kind == OccurrenceReassessed:
		return "It is known to be worse than it was."
	case m.kind == OccurrenceOverdue:
		return "It is past its due date."
	}
	return "Found by " + reasons(m.noted) + "."
}

// causes are the reasons of findings, as a sentence says them.
var causes = map[string]string{
	finding.FirstScan: "the first scan of a node", finding.Installed: "a package that was installed", finding.Disclosed: "a new disclosure in what is deployed already",
	finding.Upgraded: "upgraded", finding.Removed: "removed", finding.Corrected: "the advisories were corrected", finding.Withdrawn: "the advisories were withdrawn",
	finding.Retired: "the node was retired",
}

func reasons(noted []finding.Noted) string {
	var all []string
	for _, n := range noted {
		reason := causes[n.Because]
		if reason == "" {
			reason = strings.ReplaceAll(n.Because, "_", " ")
		}
		if reason == "" {
			reason = "a decision"
		}
		if !slices.Contains(all, reason) && len(all) < 4 {
			all = append(all, reason)
		}
	}
	return strings.Join(all, ", ")
}

func facts(f Finding) []Fact {
	all := []Fact{{"Severity", f.Severity}}
	if f.Score > 0 {
		all = append(all, Fact{"CVSS", fmt.Sprintf("%.1f", f.Score)})
	}
	if f.EPSS > 0 {
		all = append(all, Fact{"EPSS", fmt.Sprintf("%.1f %%", 100*f.EPSS)})
	}
	if f.KEV {
		all = append(all, Fact{"Exploited", "yes, by CISA's catalogue"})
	}
	return append(all, Fact{"Package", f.Package + " (" + f.Ecosystem + ")"})
}

// few is how many are named before the rest are counted.
const few = 5

func packages(findings []Finding) string {
	var names []string
	for _, f := range findings {
		if !slices.Contains(names, f.Package) {
			names = append(names, f.Package)
		}
	}
	return some(names, len(names))
}

func nodeNames(findings []Finding, total int) string {
	var names, ids []string
	for _, f := range findings {
		if !slices.Contains(ids, f.Node.ID) {
			ids, names = append(ids, f.Node.ID), append(names, f.Node.Name)
		}
	}
	return some(names, total)
}

// some names the first few and counts the rest.
func some(names []string, total int) string {
	shown := names[:min(few, len(names))]
	if rest := total - len(shown); rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), rest)
	}
	return strings.Join(shown, ", ")
}

// listed is how many findings a text names.
const listed = 20

func lines(findings []Finding, total int) []string {
	var all []string
	for _, f := range findings[:min(listed, len(findings))] {
		all = append(all, fmt.Sprintf("%s (%s) in %s on %s", f.Vulnerability, grade(f), f.Package, f.Node.Name))
	}
	if rest := total - len(all); rest > 0 {
		all = append(all, fmt.Sprintf("and %d more", rest))
	}
	return all
}

func tally(counts map[risk.Severity]int) string {
	var parts []string
	for _, severity := range []risk.Severity{risk.Malicious, risk.Critical, risk.High, risk.Medium, risk.Low, risk.Unknown} {
		if n := counts[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, severity))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
