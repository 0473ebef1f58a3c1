package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// sarif writes SARIF 2.1.0 as GitHub's code scanning takes it: a rule for each
// vulnerability, a result for each package that has it in one place. What is
// ignored is counted and not listed, since GitHub opens an alert for whatever is
// listed, suppressed or not.
type sarif struct {
	w        io.Writer
	head     *Head
	findings []*Finding
}

func newSARIF(w io.Writer, _ Options) Format { return &sarif{w: w} }

func (s *sarif) Begin(h *Head) error {
	s.head = h
	return nil
}

func (s *sarif) Finding(f *Finding) error {
	s.findings = append(s.findings, f)
	return nil
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Automation  *sarifAutomation  `json:"automationDetails,omitempty"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
	Properties  map[string]any    `json:"properties"`
}

// sarifAutomation names a run among several of one log.
type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Short      sarifText      `json:"shortDescription"`
	Full       sarifText      `json:"fullDescription"`
	HelpURI    string         `json:"helpUri,omitempty"`
	Help       sarifText      `json:"help"`
	Properties map[string]any `json:"properties"`
}

type sarifText struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Notifications []sarifNotification `json:"toolExecutionNotifications"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

func (s *sarif) End(t *Tail) error {
	return writeJSON(s.w, sarifLog{sarifSchema, "2.1.0", []sarifRun{s.run(t)}})
}

const sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"

// Named is a report with a name of its own among several.
type Named struct {
	*Report
	Name string
}

// WriteSARIF writes one log with a run for each report, of which it keeps one at a
// time.
func WriteSARIF(w io.Writer, reports iter.Seq2[Named, error]) error {
	begin := `{"$schema": "` + sarifSchema + `", "version": "2.1.0", "runs": [`
	if _, err := io.WriteString(w, begin); err != nil {
		return err
	}
	first := true
	for r, err := range reports {
		if err != nil {
			return err
		}
		s := &sarif{head: &r.Head}
		for i := range r.Findings {
			s.findings = append(s.findings, &r.Findings[i])
		}
		run := s.run(&r.Tail)
		run.Automation = &sarifAutomation{r.Name}
		if !first {
			if _, err := io.WriteString(w, ","); err != nil {
				return err
			}
		}
		first = false
		if err := writeJSON(w, run); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "]}\n")
	return err
}

// run is what the report comes to as SARIF has it.
func (s *sarif) run(t *Tail) sarifRun {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{"Patrol", s.head.Engine, []sarifRule{}}},
		Results:    []sarifResult{},
		Properties: map[string]any{"feedRevision": s.head.Feed.Revision, "inventoryDigest": s.head.SBOM.InventoryDigest, "ignored": len(t.Ignored)},
	}
	rules := make(map[string]int)
	for _, p := range s.places() {
		index, known := rules[p.vulnerability]
		if !known {
			index = len(run.Tool.Driver.Rules)
			rules[p.vulnerability] = index
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule(p.findings[0]))
		}
		run.Results = append(run.Results, p.result(index, s.head.Target))
	}
	run.Invocations = []sarifInvocation{{true, notifications(t)}}
	return run
}

// place is a vulnerability of a package in one place, whatever versions stand
// there: what stays the same when the package is upgraded and still affected.
type place struct {
	vulnerability, ecosystem, pkg, location string
	findings                                []*Finding
}

// places gathers findings by place, worst first: GitHub shows the first 5,000.
func (s *sarif) places() []*place {
	type key struct{ vulnerability, ecosystem, pkg, location string }
	byKey := make(map[key]*place)
	var list []*place
	for _, f := range s.findings {
		location := ""
		if len(f.Component.Locations) > 0 {
			location = f.Component.Locations[0]
		}
		k := key{f.Vulnerability, match.Base(f.Component.Ecosystem), f.Package, location}
		if byKey[k] == nil {
			byKey[k] = &place{k.vulnerability, k.ecosystem, k.pkg, k.location, nil}
			list = append(list, byKey[k])
		}
		byKey[k].findings = append(byKey[k].findings, f)
	}
	slices.SortStableFunc(list, func(a, b *place) int {
		return cmp.Or(worstFirst(a.findings[0], b.findings[0]), strings.Compare(a.vulnerability, b.vulnerability),
			strings.Compare(a.pkg, b.pkg), strings.Compare(a.location, b.location))
	})
	return list
}

func (p *place) result(rule int, target string) sarifResult {
	var versions, fixes []string
	for _, f := range p.findings {
		_, version := match.Subject(f.Component.Key())
		versions, fixes = append(versions, version), append(fixes, f.Fixed...)
	}
	text := fmt.Sprintf("%s %s (%s) is affected by %s.", p.pkg, strings.Join(distinct(versions), ", "), p.findings[0].Component.Ecosystem, p.vulnerability)
	if fixes = distinct(fixes); len(fixes) > 0 {
		text += " Fixed in " + strings.Join(fixes, ", ") + "."
	} else {
		text += " No fix is known."
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{p.vulnerability, p.ecosystem, p.pkg, p.location}))
	fingerprint := hex.EncodeToString(sum[:16])
	return sarifResult{
		RuleID: p.vulnerability, RuleIndex: rule, Level: level(p.findings[0].Severity), Message: sarifText{Text: Clean(text)},
		Locations: []sarifLocation{{sarifPhysical{sarifArtifact{relativeURI(p.location, target)}, sarifRegion{1}}}},
		// GitHub knows results again by the first of these and by no other.
		Fingerprints: map[string]string{"primaryLocationLineHash": fingerprint + ":1", "patrol/v1": fingerprint},
	}
}

// rule describes a vulnerability by facts of its finding.
func rule(f *Finding) sarifRule {
	facts := []string{"Severity: " + string(f.Severity)}
	if len(f.CVSS) > 0 {
		facts = append(facts, fmt.Sprintf("CVSS: %.1f (%s, by %s)", f.CVSS[0].Score, f.CVSS[0].Vector, f.CVSS[0].Source))
	}
	if f.EPSS != nil {
		facts = append(facts, fmt.Sprintf("EPSS: %.1f %% within thirty days", *f.EPSS*100))
	}
	if f.Exploited() {
		facts = append(facts, "Known to be exploited (CISA KEV)")
	}
	for _, list := range []struct {
		name  string
		items []string
	}{{"Advisories", f.Advisories}, {"Aliases", f.Aliases}} {
		if len(list.items) > 0 {
			facts = append(facts, list.name+": "+strings.Join(list.items, ", "))
		}
	}
	for i := range facts {
		facts[i] = Clean(facts[i])
	}
	short := Clean(f.Vulnerability)
	if f.Summary != "" {
		short += ": " + Clean(f.Summary)
	}
	properties := map[string]any{"tags": []string{"security", "vulnerability"}, "precision": "very-high"}
	if score := securitySeverity(f); score != "" {
		properties["security-severity"] = score
	}
	return sarifRule{
		ID: f.Vulnerability, Name: f.Vulnerability, Short: sarifText{Text: short}, Full: sarifText{Text: short + "."},
		HelpURI:    osvURL(f.Vulnerability),
		Help:       sarifText{strings.Join(facts, "\n"), "- " + strings.Join(escaped(facts), "\n- ")},
		Properties: properties,
	}
}

// escaped keeps Markdown from reading text as anything but text.
func escaped(facts []string) []string {
	escape := strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "!", `\!`, "|", `\|`, "&", "&amp;")
	out := make([]string, len(facts))
	for i, f := range facts {
		out[i] = escape.Replace(f)
	}
	return out
}

// securitySeverity is what GitHub orders alerts by: above 9.0 is critical, from
// 7.0 high, from 4.0 medium. Without a score it is one of the severity's middle;
// empty where nothing is known.
func securitySeverity(f *Finding) string {
	if score, ok := f.Score(); ok && f.Severity != risk.Malicious {
		return strconv.FormatFloat(score, 'f', 1, 64)
	}
	return map[risk.Severity]string{
		risk.Malicious: "10.0", risk.Critical: "9.5", risk.High: "8.0", risk.Medium: "5.5", risk.Low: "2.0",
	}[f.Severity]
}

// level is SARIF's; what is unknown is no note, because it may be anything.
func level(s risk.Severity) string {
	switch s {
	case risk.Malicious, risk.Critical, risk.High:
		return "error"
	case risk.Low:
		return "note"
	default:
		return "warning"
	}
}

// relativeURI is a path below the root as a URI reference, or the target's own
// name for what stands in no file.
func relativeURI(location, target string) string {
	if location == "" {
		location = path.Base(target)
	}
	u := url.URL{Path: strings.TrimLeft(Clean(location), "/")}
	return strings.TrimPrefix(u.String(), "./")
}

func notifications(t *Tail) []sarifNotification {
	list := []sarifNotification{}
	for _, w := range t.Warnings {
		list = append(list, sarifNotification{"warning", sarifText{Text: Clean(w.Path + ": " + w.Message)}})
	}
	for _, n := range t.NotAssessed {
		list = append(list, sarifNotification{"warning", sarifText{Text: Clean("not assessed: " + n.Ecosystem + ": " + n.Reason)}})
	}
	for _, line := range ignoredCounts(t.Ignored) {
		list = append(list, sarifNotification{"note", sarifText{Text: Clean("ignored: " + line)}})
	}
	return list
}

func distinct(list []string) []string {
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
