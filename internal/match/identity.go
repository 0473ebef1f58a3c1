package match

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Name tells which vulnerabilities each record is about: record id → names,
// sorted. It looks at all records at once, because a record without a CVE may
// be the alias of one that has it.
//
//   - A record that names CVEs (its own id, `aliases`, `upstream`, or `related`
//     in an erratum database) is about exactly those.
//   - Otherwise it is about the CVEs of its alias group; without any, about the
//     lexically first GHSA of the group, else the lexically first id.
//   - One that has no alias is about what the records `upstream` of it are about.
//   - An erratum that names no CVE is no vulnerability, and has no entry.
func Name(records []Record) map[string][]string {
	names := make(map[string][]string, len(records))
	for _, r := range records {
		if own := cves(r); len(own) > 0 {
			names[r.ID] = own
		}
	}
	groups := newAliasGroups(records)
	nameless := make(map[string][]string)
	for _, r := range records {
		if names[r.ID] == nil && !IsErratum(r.ID) {
			nameless[r.ID] = groups.names(r, names)
		}
	}
	maps.Copy(names, nameless)
	return names
}

var cveID = regexp.MustCompile(`^CVE-\d{4}-\d{4,}$`)

// IsCVE tells whether the id is one of the CVE list.
func IsCVE(id string) bool { return cveID.MatchString(id) }

// erratumPrefixes are the databases whose records describe an update, which may
// fix several vulnerabilities or none, and name them in `related` or `upstream`.
var erratumPrefixes = []string{
	"ALSA-", "ALBA-", "ALEA-", "RLSA-", "RHSA-", "ELSA-",
	"SUSE-", "openSUSE-", "DSA-", "DLA-", "USN-",
}

// IsErratum tells whether the record describes an update, not a vulnerability.
func IsErratum(id string) bool {
	return slices.ContainsFunc(erratumPrefixes, func(p string) bool { return strings.HasPrefix(id, p) })
}

// cves returns the CVEs that the record itself names, sorted.
func cves(r Record) []string {
	var found []string
	add := func(ids ...string) {
		for _, id := range ids {
			if IsCVE(id) {
				found = append(found, id)
			}
		}
	}
	add(r.ID)
	add(r.Aliases...)
	add(r.Upstream...)
	if IsErratum(r.ID) {
		add(r.Related...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// aliasGroups joins ids that alias one another, in either direction and through
// any number of records. Aliases are symmetric and transitive (OSV schema,
// aliases field). Only records without a CVE of their own are ever asked for,
// so a record with two CVEs does not make one of the two.
type aliasGroups struct {
	parent map[string]string
	best   map[string][]string // root → ids of the group
}

func newAliasGroups(records []Record) *aliasGroups {
	g := &aliasGroups{parent: make(map[string]string), best: make(map[string][]string)}
	for _, r := range records {
		if IsErratum(r.ID) {
			continue
		}
		g.find(r.ID)
		for _, a := range r.Aliases {
			if a != "" {
				g.union(r.ID, a)
			}
		}
	}
	for id := range g.parent {
		root := g.find(id)
		g.best[root] = append(g.best[root], id)
	}
	return g
}

func (g *aliasGroups) find(id string) string {
	p, ok := g.parent[id]
	if !ok {
		g.parent[id] = id
		return id
	}
	if p == id {
		return id
	}
	root := g.find(p)
	g.parent[id] = root
	return root
}

func (g *aliasGroups) union(a, b string) {
	if a, b = g.find(a), g.find(b); a != b {
		g.parent[a] = b
	}
}

// names returns what a record without a CVE of its own is about. Upstream is not
// symmetric, so it joins no groups: two vulnerabilities that one package has
// remain two.
func (g *aliasGroups) names(r Record, named map[string][]string) []string {
	upstream := filter(r.Upstream, func(id string) bool { return id != "" && id != r.ID })
	if len(g.best[g.find(r.ID)]) > 1 || len(upstream) == 0 {
		return g.name(r.ID)
	}
	var found []string
	for _, id := range upstream {
		if cves := named[id]; cves != nil {
			found = append(found, cves...)
		} else {
			found = append(found, g.name(id)...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// name returns what the alias group of an id is about.
func (g *aliasGroups) name(id string) []string {
	ids := g.best[g.find(id)]
	if len(ids) == 0 {
		return []string{id} // known by its name alone
	}
	if found := filter(ids, IsCVE); len(found) > 0 {
		return found
	}
	if found := filter(ids, func(id string) bool { return strings.HasPrefix(id, "GHSA-") }); len(found) > 0 {
		return found[:1]
	}
	return filter(ids, func(string) bool { return true })[:1]
}

// filter returns the ids that keep holds for, sorted.
func filter(ids []string, keep func(string) bool) []string {
	var kept []string
	for _, id := range ids {
		if keep(id) {
			kept = append(kept, id)
		}
	}
	slices.Sort(kept)
	return kept
}
