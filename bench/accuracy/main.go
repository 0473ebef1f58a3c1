// Command accuracy compares what Patrol and osv-scanner found in one target with
// the same feed, and prints every difference under the rule that explains it.
//
//	accuracy FEED PATROL.json PATROL.cdx.json OSV-SCANNER.json
//
// FEED is the directory that both took their advisories from. Then come one
// scan's `--output json` and `--output cyclonedx`, and osv-scanner's `--format
// json --all-packages`; compare.sh makes them. A difference that no rule explains
// is a fault of one of the two: it exits 1.
package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, files []string) error {
	if len(files) != 4 {
		return errors.New("usage: accuracy FEED PATROL.json PATROL.cdx.json OSV-SCANNER.json")
	}
	ours, err := readPatrol(files[1], files[2])
	if err != nil {
		return err
	}
	theirs, err := readOSVScanner(files[3])
	if err != nil {
		return err
	}
	differences, err := explain(feed(files[0]), ours, theirs)
	if err != nil {
		return err
	}
	write(out, ours, theirs, differences)
	if n := len(differences[unexplained]); n > 0 {
		return fmt.Errorf("%d differences are not explained", n)
	}
	return nil
}

// component is what both scanners list; the ecosystem is without its release.
type component struct{ ecosystem, name, version string }

func newComponent(ecosystem, name, version string) component {
	if ecosystem == "Go" {
		version = strings.TrimPrefix(version, "v") // as purls write it, and OSV does not
	}
	return component{match.Base(ecosystem), match.PackageKey(ecosystem, name), version}
}

// pair is a vulnerability in a component.
type pair struct {
	vulnerability string
	component     component
}

func (p pair) compare(o pair) int {
	return cmp.Or(
		strings.Compare(p.component.ecosystem, o.component.ecosystem), strings.Compare(p.component.name, o.component.name),
		strings.Compare(p.component.version, o.component.version), strings.Compare(p.vulnerability, o.vulnerability),
	)
}

// The rules that explain a difference.
const (
	unexplained  = "not explained"
	noVersion    = "osv-scanner alone: a Go program built from a working copy has no version; it takes (devel) for lower than all"
	distribution = "osv-scanner alone: a language package that the distribution built, which its own advisories speak for (osv-scanner marks it as a duplicate, and lists it)"
	binary       = "osv-scanner alone: it compares the binary's version, where the advisory speaks of the source's"
	withdrawn    = "osv-scanner alone: the record is withdrawn"
	afterGit     = "Patrol alone: the record's range of versions stands after one of commits; osv-scanner reads none that does, and the list of versions has another spelling or lacks this one"
	spelling     = "Patrol alone: the record spells the package otherwise, which its ecosystem takes for the same name (PEP 503)"
	stranger     = "both, though osv-scanner marks it as a duplicate of the distribution's package: its maintainer's address does not show who built it"
)

// explain puts each pair that only one has, or that one has its doubts about,
// under a rule.
func explain(known feed, ours *patrol, theirs *osvScanner) (map[string][]string, error) {
	differences := make(map[string][]string)
	note := func(rule string, p pair, because string) {
		differences[rule] = append(differences[rule], fmt.Sprintf("%s %s %s %s: %s",
			p.component.ecosystem, p.component.name, p.component.version, p.vulnerability, because))
	}
	for _, p := range slices.SortedFunc(maps.Keys(theirs.pairs), pair.compare) {
		record := theirs.pairs[p]
		_, both := ours.pairs[p]
		source := ours.sources[p.component]
		switch {
		case both && record.duplicate:
			note(stranger, p, record.ID)
		case both:
		case record.Withdrawn != "":
			note(withdrawn, p, record.ID+" on "+record.Withdrawn)
		case record.duplicate:
			note(distribution, p, record.ID+", "+record.place)
		case !strings.ContainsAny(p.component.version, "0123456789"):
			note(noVersion, p, record.ID+", "+record.place)
		case source.Version != "" && source.Version != p.component.version:
			note(binary, p, fmt.Sprintf("%s, fixed in %s %s; installed is %s", record.ID, source.Name, record.fixed(), source.Version))
		default:
			note(unexplained, p, "osv-scanner alone, "+record.ID+", "+record.place)
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
		rule, because := unexplained, "Patrol alone, "+strings.Join(ours.pairs[p], ", ")
		for _, r := range records {
			if spelt := r.spelling(p.component); spelt != "" {
				rule, because = spelling, r.ID+" says "+spelt
			} else if r.rangeAfterGit(p.component) {
				rule, because = afterGit, r.ID+", fixed in "+r.fixed()
			}
		}
		note(rule, p, because)
	}
	return differences, nil
}

func write(out io.Writer, ours *patrol, theirs *osvScanner, differences map[string][]string) {
	both := 0
	for p := range theirs.pairs {
		if _, ok := ours.pairs[p]; ok {
			both++
		}
	}
	fmt.Fprintf(out, "%-12s %10s %10s\n", "", "components", "pairs")
	fmt.Fprintf(out, "%-12s %10d %10d\n", "Patrol", len(ours.sources), len(ours.pairs))
	fmt.Fprintf(out, "%-12s %10d %10d\n", "osv-scanner", len(theirs.components), len(theirs.pairs))
	fmt.Fprintf(out, "%-12s %10s %10d\n", "both", "", both)
	for _, rule := range slices.Sorted(maps.Keys(differences)) {
		fmt.Fprintf(out, "\n%d %s\n", len(differences[rule]), rule)
		for _, line := range differences[rule] {
			fmt.Fprintln(out, "  "+line)
		}
	}
}

// patrol is a scan by Patrol: pairs with the advisories that say so, and the
// source of each component.
type patrol struct {
	pairs   map[pair][]string
	sources map[component]sbom.SourcePackage
}

func readPatrol(findings, document string) (*patrol, error) {
	var report struct {
		Findings []struct {
			Vulnerability string
			Advisories    []string
			Component     sbom.Component
		}
	}
	if err := readJSON(findings, &report); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return nil, err
	}
	read, err := sbom.Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", document, err)
	}
	p := &patrol{pairs: make(map[pair][]string), sources: make(map[component]sbom.SourcePackage)}
	for _, c := range read.Document.Components {
		p.sources[newComponent(c.Ecosystem, c.Name, c.Version)] = c.Source
	}
	for _, f := range report.Findings {
		c := newComponent(f.Component.Ecosystem, f.Component.Name, f.Component.Version)
		p.pairs[pair{f.Vulnerability, c}] = f.Advisories
	}
	return p, nil
}

func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
