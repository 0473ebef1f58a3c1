package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The rules that explain a difference.
const (
	unexplained  = "not explained"
	noVersion    = "osv-scanner alone: a Go program built from a working copy has no version to compare; it takes (devel) for lower than all"
	distribution = "osv-scanner alone: a language package that the distribution built, which its own advisories speak for (osv-scanner marks it as a duplicate, and lists it)"
	binary       = "osv-scanner alone: it compares the binary's version, where the advisory speaks of the source's"
	cached       = "osv-scanner alone: in what a package manager or a compiler keeps for itself, whence nothing is run"
	withdrawn    = "osv-scanner alone: the record is withdrawn"
	afterGit     = "Patrol alone: the record's range of versions stands after one of commits; osv-scanner reads none that does, and the list of versions has another spelling or lacks this one"
	spelling     = "Patrol alone: the record spells the package otherwise, which its ecosystem takes for the same name (PEP 503)"
	adjoining    = "Patrol alone: a range of the record begins where another ends; osv-scanner takes the end for the later event"
	lockFile     = "Patrol alone: in a lock file; osv-scanner's plugins for what is installed read none"
	firstOf      = "Patrol alone: a Go program whose tool chain names no patch release, so it is the first of its line or older; osv-scanner takes it for the last"
	stranger     = "both, though osv-scanner marks it as a duplicate of the distribution's package: its maintainer's address does not show who built it"
)

// explain puts each pair that only one has, or that one has its doubts about,
// under a rule.
func explain(known archives, ours *patrol, theirs *osvScanner) (map[string][]string, error) {
	differences := make(map[string][]string)
	note := func(rule string, p pair, because string) {
		differences[rule] = append(differences[rule], fmt.Sprintf("%s %s %s %s: %s",
			p.component.ecosystem, p.component.name, p.component.version, p.vulnerability, because))
	}
	for _, p := range slices.SortedFunc(maps.Keys(theirs.pairs), pair.compare) {
		if rule, because := theirsAlone(p, ours, theirs.pairs[p]); rule != "" {
			note(rule, p, because)
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(ours.pairs), pair.compare) {
		if _, both := theirs.pairs[p]; both {
			continue
		}
		records, err := known.records(p.component.ecosystem, ours.pairs[p])
		if err != nil {
			return nil, err
		}
		rule, because := oursAlone(p, ours, records)
		note(rule, p, because)
	}
	return differences, nil
}

// theirsAlone returns the rule for a pair of osv-scanner's, and what of it
// decides; no rule where there is nothing to explain.
func theirsAlone(p pair, ours *patrol, found *found) (rule, because string) {
	_, both := ours.pairs[p]
	source := ours.components[p.component].Source
	deployed := slices.DeleteFunc(slices.Clone(found.places), func(at place) bool { return caches.MatchString(at.path) })
	duplicate := !slices.ContainsFunc(deployed, func(at place) bool { return !at.duplicate })
	because = found.ID + ", " + found.places[0].path
	switch {
	case both && (len(deployed) == 0 || !duplicate):
		return "", ""
	case both:
		return stranger, because
	case found.Withdrawn != "":
		return withdrawn, found.ID + " on " + found.Withdrawn
	case len(deployed) == 0:
		return cached, because
	case duplicate:
		return distribution, found.ID + ", " + deployed[0].path
	case !strings.ContainsAny(p.component.version, "0123456789"):
		return noVersion, because
	case source.Version != "" && source.Version != p.component.version:
		return binary, fmt.Sprintf("%s, fixed in %s %s; installed is %s", found.ID, source.Name, found.fixed(), source.Version)
	}
	return unexplained, "osv-scanner alone, " + because
}

// caches are directories that package managers and compilers fill for themselves.
var caches = regexp.MustCompile(`/(\.cache|\.npm|go/pkg/mod|\.?cargo/(registry|git)|\.m2/repository|\.gradle/caches)/`)

// locks are names of files that say what an application was built with.
var locks = regexp.MustCompile(`(^|/)(go\.mod|(poetry|uv|pdm|Pipfile|Gemfile|Cargo|composer|yarn|bun|mix|pubspec)\.lock|package-lock\.json|pnpm-lock\.yaml|[^/]*\.txt)$`)

// oursAlone returns the rule for a pair that only Patrol has, with the records
// that its advisories are.
func oursAlone(p pair, ours *patrol, records []record) (rule, because string) {
	rule, because = unexplained, "Patrol alone, "+strings.Join(ours.pairs[p], ", ")
	places := ours.components[p.component].Locations
	if len(places) > 0 && !slices.ContainsFunc(places, func(at string) bool { return !locks.MatchString(at) }) {
		return lockFile, strings.Join(ours.pairs[p], ", ") + ", " + places[0]
	}
	for _, r := range records {
		if spelt := r.spelling(p.component); spelt != "" {
			rule, because = spelling, r.ID+" says "+spelt
		} else if r.rangeAfterGit(p.component) {
			rule, because = afterGit, r.ID+", fixed in "+r.fixed()
		} else if r.adjoining(p.component) {
			rule, because = adjoining, r.ID+", fixed in "+r.fixed()
		} else if p.component.name == "stdlib" && strings.Count(p.component.version, ".") == 1 {
			rule, because = firstOf, r.ID+", fixed in "+r.fixed()+", "+places[0]
		}
	}
	return rule, because
}
