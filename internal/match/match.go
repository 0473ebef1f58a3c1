package match

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"patrol/internal/sbom"
)

// Finding is a vulnerability in a component version.
type Finding struct {
	Vulnerability string
	// Ecosystem is without its release, and Package is named as the advisory
	// names it (Debian's source): together with the node they are what an
	// occurrence is known by, and both outlive an upgrade.
	Ecosystem, Package string
	// Fixed are the versions that fix it, lowest first; empty where no advisory
	// names one.
	Fixed []string
	// Advisories are the ids of the records that say so, sorted.
	Advisories []string
}

// Result is what matching an inventory gives.
type Result struct {
	// Findings are by component; a component without any has no entry.
	Findings map[sbom.Key][]Finding
	// Unread are components whose version the ecosystem's order cannot read: they
	// have been compared with nothing, and that must be said.
	Unread []Unread
}

// Unread is a component that could not be compared.
type Unread struct {
	Component sbom.Key
	Err       error
}

// Inventory matches each distinct component once: those with one subject, as the
// binaries that a distribution built from one source, have one answer. Every
// processor takes its share.
func Inventory(k Knowledge, components []sbom.Key) (*Result, error) {
	subjects, sharing := group(components)
	answers := make([]answer, len(subjects))
	var workers errgroup.Group
	// Every n-th subject: neighbours are alike, and would weigh on one processor.
	n := runtime.GOMAXPROCS(0)
	for first := range n {
		workers.Go(func() (err error) {
			for i := first; i < len(subjects); i += n {
				s := subjects[i]
				if answers[i], err = s.match(k); err != nil {
					return fmt.Errorf("match %s %s %s: %w", s.ecosystem, s.name, s.version, err)
				}
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		return nil, err
	}
	result := &Result{Findings: make(map[sbom.Key][]Finding)}
	for i, s := range subjects {
		for _, c := range sharing[s] {
			if answers[i].unread != nil {
				result.Unread = append(result.Unread, Unread{c, answers[i].unread})
			}
			if len(answers[i].findings) > 0 {
				result.Findings[c] = answers[i].findings
			}
		}
	}
	return result, nil
}

// group returns the subjects of components in the order in which they come, and
// the distinct components of each.
func group(components []sbom.Key) ([]subject, map[subject][]sbom.Key) {
	var subjects []subject
	sharing := make(map[subject][]sbom.Key, len(components))
	seen := make(map[sbom.Key]bool, len(components))
	for _, c := range components {
		if seen[c] {
			continue
		}
		seen[c] = true
		name, version := Subject(c)
		s := subject{c.Ecosystem, name, version}
		if sharing[s] == nil {
			subjects = append(subjects, s)
		}
		sharing[s] = append(sharing[s], c)
	}
	return subjects, sharing
}

// subject is what advisories speak of.
type subject struct{ ecosystem, name, version string }

// answer is what is known of a subject: its findings, sorted by vulnerability,
// and why its version could not be compared, if so.
type answer struct {
	findings []Finding
	unread   error
}

func (s subject) match(k Knowledge) (a answer, err error) {
	statements, err := statements(k, s.ecosystem, s.name)
	if err != nil || len(statements) == 0 {
		return a, err
	}
	line := newLine(s.ecosystem, s.version)
	found := make(map[string]*Finding)
	for _, statement := range statements {
		affected, fixed, err := line.affects(statement)
		if err != nil {
			a.unread = fmt.Errorf("compare version %q with %s: %w", s.version, statement.Record, err)
			continue
		}
		if !affected {
			continue
		}
		names, err := k.Names(statement.Record)
		if err != nil {
			return a, err
		}
		for _, vulnerability := range names {
			f := found[vulnerability]
			if f == nil {
				f = &Finding{Vulnerability: vulnerability, Ecosystem: Base(s.ecosystem), Package: PackageKey(s.ecosystem, statement.Package)}
				found[vulnerability] = f
			}
			f.Fixed = append(f.Fixed, fixed...)
			f.Advisories = append(f.Advisories, statement.Record)
		}
	}
	a.findings = line.collect(found)
	return a, nil
}

func statements(k Knowledge, ecosystem, name string) ([]Affected, error) {
	found, err := k.Affected(ecosystem, name)
	if err != nil {
		return nil, err
	}
	base := Base(ecosystem)
	if base == ecosystem {
		return found, nil
	}
	// A statement about the bare ecosystem speaks of every release.
	all, err := k.Affected(base, name)
	return append(found, all...), err
}

func (l *line) collect(found map[string]*Finding) []Finding {
	findings := make([]Finding, 0, len(found))
	for _, f := range found {
		slices.Sort(f.Advisories)
		f.Advisories = slices.Compact(f.Advisories)
		slices.SortFunc(f.Fixed, func(a, b string) int {
			order, err := l.own.compare(a, b)
			if err != nil || order == 0 {
				return strings.Compare(a, b)
			}
			return order
		})
		f.Fixed = slices.Compact(f.Fixed)
		findings = append(findings, *f)
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.Vulnerability, b.Vulnerability) })
	return findings
}

// bySource are the ecosystems whose advisories name source packages, so that
// the source's own version decides.
var bySource = map[string]bool{
	"Debian": true, "Ubuntu": true, "Echo": true,
	"Alpine": true, "Wolfi": true, "Chainguard": true, "MinimOS": true,
	"Alpaquita": true, "BellSoft Hardened Containers": true,
	"SUSE": true, "openSUSE": true, "openEuler": true, "Mageia": true,
}

// Subject returns the package name and version that advisories of the
// component's ecosystem speak of: the source's where they name sources.
func Subject(c sbom.Key) (name, version string) {
	name, version = c.Name, c.Version
	if !bySource[Base(c.Ecosystem)] || c.SourceName == "" {
		return name, version
	}
	name = c.SourceName
	if c.SourceVersion != "" {
		version = c.SourceVersion
	}
	return name, version
}

// Base returns an ecosystem without its release: "Debian" of "Debian:12".
func Base(ecosystem string) string {
	base, _, _ := strings.Cut(ecosystem, ":")
	return base
}
