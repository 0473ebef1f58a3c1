package main

import (
	"archive/zip"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// record is what this program asks of an OSV record.
type record struct {
	ID        string
	Withdrawn string
	Aliases   []string
	Upstream  []string
	Related   []string
	Affected  []affected
}

type affected struct {
	Package  struct{ Ecosystem, Name string }
	Versions []string
	Ranges   []struct {
		Type   string
		Events []event
	}
}

type event struct{ Introduced, Fixed string }

// fixed are the versions that fix it, not the commits.
func (r record) fixed() string {
	var versions []string
	for _, a := range r.Affected {
		for _, in := range a.Ranges {
			for _, e := range in.Events {
				if e.Fixed != "" && in.Type != "GIT" {
					versions = append(versions, e.Fixed)
				}
			}
		}
	}
	return strings.Join(versions, ", ")
}

// rangeAfterGit tells whether what the record says of the component is a range
// that follows one of type GIT, and no listed version.
func (r record) rangeAfterGit(c component) bool {
	return slices.ContainsFunc(r.Affected, func(a affected) bool {
		return newComponent(a.Package.Ecosystem, a.Package.Name, c.version) == c &&
			len(a.Ranges) > 1 && a.Ranges[0].Type == "GIT" && !slices.Contains(a.Versions, c.version)
	})
}

// adjoining tells whether what the record says of the component are ranges of
// which one begins at the version where another ends.
func (r record) adjoining(c component) bool {
	for _, a := range r.Affected {
		if newComponent(a.Package.Ecosystem, a.Package.Name, c.version) != c {
			continue
		}
		for _, in := range a.Ranges {
			for _, end := range in.Events {
				if end.Fixed != "" && slices.ContainsFunc(in.Events, func(e event) bool { return e.Introduced == end.Fixed }) {
					return true
				}
			}
		}
	}
	return false
}

// spelling is the component's name as the record has it where that is another
// than the ecosystem's normal form, else "".
func (r record) spelling(c component) string {
	for _, a := range r.Affected {
		if newComponent(a.Package.Ecosystem, a.Package.Name, c.version) == c && a.Package.Name != c.name {
			return a.Package.Name
		}
	}
	return ""
}

// archives is a directory laid out as OSV publishes.
type archives string

// records returns those of the ids that the ecosystem's archive has.
func (f archives) records(ecosystem string, ids []string) ([]record, error) {
	name := filepath.Join(string(f), ecosystem, "all.zip")
	archive, err := zip.OpenReader(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	var records []record
	for _, id := range ids {
		file, err := archive.Open(id + ".json")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var r record
		err = json.NewDecoder(file).Decode(&r)
		if err := cmp.Or(err, file.Close()); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, id, err)
		}
		records = append(records, r)
	}
	return records, nil
}

var (
	cve      = regexp.MustCompile(`^CVE-\d{4}-\d{4,}$`)
	errataOf = regexp.MustCompile(`^(AL[SBE]A|RLSA|RHSA|ELSA|SUSE|openSUSE|DSA|DLA|USN)-`)
)

// names is what a record is about, by the rules of Patrol in words of its own: a
// fault in Patrol's shall show here. The aliases are of osv-scanner's group.
func (r record) names(aliases []string) []string {
	ids := slices.Concat([]string{r.ID}, r.Aliases, r.Upstream)
	if errataOf.MatchString(r.ID) {
		ids = append(ids, r.Related...)
	}
	if own := matching(ids, cve.MatchString); len(own) > 0 || errataOf.MatchString(r.ID) {
		return own
	}
	group := slices.Concat(ids, aliases)
	if known := matching(group, cve.MatchString); len(known) > 0 {
		return known
	}
	if known := matching(group, func(id string) bool { return strings.HasPrefix(id, "GHSA-") }); len(known) > 0 {
		return known[:1]
	}
	return []string{slices.Min(group)}
}

func matching(ids []string, wanted func(string) bool) []string {
	var kept []string
	for _, id := range ids {
		if wanted(id) {
			kept = append(kept, id)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}
