package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/semantic"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// group is a package at a version, as advisories speak of it, with all that is
// known to be wrong with it: what one upgrade would mend.
type group struct {
	Ecosystem, Package, Version string
	// Components are the names of the components that are of the package.
	Components []string
	Locations  []string
	// Findings are worst first, each vulnerability once.
	Findings []*Finding
}

// groups gathers findings by package and version, worst first.
func groups(all []*Finding) []*group {
	type key struct{ ecosystem, pkg, version string }
	byKey := make(map[key]*group)
	var list []*group
	for _, f := range all {
		_, version := match.Subject(f.Component.Key())
		k := key{f.Component.Ecosystem, f.Package, version}
		g := byKey[k]
		if g == nil {
			g = &group{Ecosystem: k.ecosystem, Package: k.pkg, Version: k.version}
			byKey[k] = g
			list = append(list, g)
		}
		g.Components = append(g.Components, f.Component.Name)
		g.Locations = append(g.Locations, f.Component.Locations...)
		g.Findings = append(g.Findings, f)
	}
	for _, g := range list {
		g.order()
	}
	slices.SortStableFunc(list, func(a, b *group) int {
		return cmp.Or(
			worstFirst(a.Findings[0], b.Findings[0]), cmp.Compare(len(b.Findings), len(a.Findings)),
			cmp.Compare(a.Package, b.Package), cmp.Compare(a.Ecosystem, b.Ecosystem), cmp.Compare(a.Version, b.Version),
		)
	})
	return list
}

func (g *group) order() {
	for _, list := range []*[]string{&g.Components, &g.Locations} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	slices.SortStableFunc(g.Findings, func(a, b *Finding) int {
		return cmp.Or(worstFirst(a, b), strings.Compare(a.Vulnerability, b.Vulnerability))
	})
	g.Findings = slices.CompactFunc(g.Findings, func(a, b *Finding) bool { return a.Vulnerability == b.Vulnerability })
}

// worstFirst orders by severity; what is exploited comes before what is not.
func worstFirst(a, b *Finding) int {
	if order := cmp.Compare(b.Severity.Rank(), a.Severity.Rank()); order != 0 {
		return order
	}
	switch {
	case a.Exploited() == b.Exploited():
		return 0
	case a.Exploited():
		return -1
	default:
		return 1
	}
}

// Upgrade returns the lowest version that has every fix there is, and how many of
// the findings it mends; "" if no fix is known, or if the versions that fix them
// cannot be compared.
func (g *group) Upgrade() (to string, mends int) {
	var highest semantic.Version
	for _, f := range g.Findings {
		if len(f.Fixed) == 0 {
			continue
		}
		mends++
		fix := f.Fixed[len(f.Fixed)-1]
		v, err := semantic.Parse(fix, g.Ecosystem)
		if err != nil {
			return "", 0
		}
		if highest != nil {
			order, err := v.Compare(highest)
			if err != nil {
				return "", 0
			}
			if order <= 0 {
				continue
			}
		}
		highest, to = v, fix
	}
	return to, mends
}

// Advice says what to do about the package.
func (g *group) Advice() string {
	if g.Findings[0].Severity == risk.Malicious {
		return "remove it: it was made to harm"
	}
	to, mends := g.Upgrade()
	switch {
	case to != "" && mends == len(g.Findings):
		return "upgrade to " + to
	case to != "":
		return "upgrade to " + to + ", which fixes " + ofAll(mends, len(g.Findings))
	case mends > 0:
		return "upgrade; what fixes each stands beside it"
	default:
		return "no fix is known"
	}
}
