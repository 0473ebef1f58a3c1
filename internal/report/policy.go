package report

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"patrol/internal/match"
	"patrol/internal/policy"
)

// Policy is what whoever runs a scan wants of its report.
type Policy struct {
	Ignores   []*policy.Ignores
	OnlyFixed bool
	FailOn    *policy.FailOn
	FailWhen  []*policy.FailWhen
}

// Apply moves what is to be ignored out of the findings, and returns what must be
// said of the entries by which that happened.
func (p *Policy) Apply(r *Report) (notes []string) {
	kept := r.Findings[:0:0]
	for _, f := range r.Findings {
		if ignored, ok := p.ignored(f, r.At); ok {
			r.Ignored = append(r.Ignored, ignored)
		} else {
			kept = append(kept, f)
		}
	}
	if kept == nil {
		kept = []Finding{}
	}
	r.Findings = kept
	r.Summary = Summarize(r.Findings)
	for _, list := range p.Ignores {
		notes = append(notes, list.Notes(r.At)...)
	}
	return notes
}

func (p *Policy) ignored(f Finding, now time.Time) (found Ignored, ok bool) {
	asked := asPolicy(&f)
	// Every file is asked, so that each knows which of its entries matched.
	for _, list := range p.Ignores {
		if by := list.Match(asked, now); by != nil && !ok {
			found = Ignored{Finding: f, By: by.Place(), Reason: by.Reason, Until: by.Until, Status: by.Status, Justification: by.Justification}
			ok = true
		}
	}
	if !ok && p.OnlyFixed && len(f.Fixed) == 0 {
		return Ignored{Finding: f, By: "--only-fixed", Reason: "no fix is known"}, true
	}
	return found, ok
}

// Judge returns a [policy.Failure] if the policy says so, and what it could not
// know.
func (p *Policy) Judge(r *Report) (notes []string, err error) {
	findings := policyFindings(r.Findings)
	counts := policy.Counts(r.Summary)
	var failure policy.Failure
	if p.FailOn != nil {
		if reason := p.FailOn.Judge(findings); reason != "" {
			failure.Reasons = append(failure.Reasons, reason)
		}
	}
	for _, expression := range p.FailWhen {
		verdict, err := expression.Judge(findings, counts)
		if err != nil {
			return notes, err
		}
		if len(verdict.Unknown) > 0 {
			notes = append(notes, fmt.Sprintf("%s asks for %s, which no source has told of every finding; it was taken for false or 0",
				expression.Reason(), strings.Join(verdict.Unknown, " and ")))
		}
		if verdict.Fails {
			failure.Reasons = append(failure.Reasons, expression.Reason())
		}
	}
	if len(failure.Reasons) > 0 {
		return notes, &failure
	}
	return notes, nil
}

// policyFindings are the findings as expressions see them: once for each version
// of a package, however many components were built from it.
func policyFindings(all []Finding) []policy.Finding {
	type once struct{ vulnerability, ecosystem, pkg, version string }
	seen := make(map[once]bool)
	list := []policy.Finding{}
	for i := range all {
		f := asPolicy(&all[i])
		key := once{f.Vulnerability, f.Ecosystem, f.Package, f.Version}
		if !seen[key] {
			list = append(list, f)
		}
		seen[key] = true
	}
	return list
}

func asPolicy(f *Finding) policy.Finding {
	_, version := match.Subject(f.Component.Key())
	p := policy.Finding{
		Vulnerability: f.Vulnerability, Aliases: orEmpty(f.Aliases), Severity: string(f.Severity), Package: f.Package, Version: version,
		Fixed: orEmpty(f.Fixed), Ecosystem: f.Component.Ecosystem, KEV: f.Exploited(), KEVKnown: f.KEV != nil, EPSSKnown: f.EPSS != nil,
		Component: f.Component.Name, PURL: f.Component.PURL, Advisories: f.Advisories,
	}
	p.Score, _ = f.Score()
	if f.EPSS != nil {
		p.EPSS = *f.EPSS
	}
	return p
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// IsFailure tells whether the policy said fail, which is no error of the program.
func IsFailure(err error) bool {
	var failure *policy.Failure
	return errors.As(err, &failure)
}
