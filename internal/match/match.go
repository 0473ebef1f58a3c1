package match

import (
	"fmt"
	"slices"
	"strings"

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

// Inventory matches each distinct component once.
func Inventory(k Knowledge, components []sbom.Key) (*Result, error) {
	result := &Result{Findings: make(map[sbom.Key][]Finding)}
	seen := make(map[sbom.Key]bool, len(components))
	for _, c := range components {
		if seen[c] {
			continue
		}
		seen[c] = true
		findings, unread, err := component(k, c)
		if err != nil {
			return nil, fmt.Errorf("match %s %s %s: %w", c.Ecosystem, c.Name, c.Version, err)
		}
		if unread != nil {
			result.Unread = append(result.Unread, Unread{c, unread})
		}
		if len(findings) > 0 {
			result.Findings[c] = findings
		}
	}
	return result, nil
}

// component returns the findings of one component version, sorted by
// vulnerability. A version that cannot be read is told in unread; err is a
// failure of the knowledge itself.
func component(k Knowledge, c sbom.Key) (findings []Finding, unread, err error) {
	name, version := Subject(c)
	statements, err := statements(k, c.Ecosystem, name)
	if err != nil || len(statements) == 0 {
		return nil, nil, err
	}
	line := newLine(c.Ecosystem, version)
	found := make(map[string]*Finding)
	for _, s := range statements {
		affected, fixed, err := line.affects(s)
		if err != nil {
			unread = fmt.Errorf("compare version %q with %s: %w", version, s.Record, err)
			continue
		}
		if !affected {
			continue
		}
		names, err := k.Names(s.Record)
		if err != nil {
			return nil, nil, err
		}
		for _, vulnerability := range names {
			f := found[vulnerability]
			if f == nil {
				f = &Finding{Vulnerability: vulnerability, Ecosystem: Base(c.Ecosystem), Package: PackageKey(c.Ecosystem, s.Package)}
				found[vulnerability] = f
			}
			f.Fixed = append(f.Fixed, fixed...)
			f.Advisories = append(f.Advisories, s.Record)
		}
	}
	return line.collect(found), unread, nil
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
			order, err := newLine(l.ecosystem, a).compare("ECOSYSTEM", b)
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
