package feed

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"patrol/internal/match"
	"patrol/internal/risk"
)

// Intelligence is one immutable state of what is known of CVEs beside the
// advisories that match: CVSS, SSVC, EPSS, KEV. It has a revision of its own,
// because another state of it gives no other findings, only another meaning of
// them. It is safe for concurrent use, as [Revision] is. The zero value knows
// nothing.
type Intelligence struct {
	manifest intelligenceManifest
	mapping  *mapping
	cleanup  runtime.Cleanup
}

// openIntelligence maps the file of a revision into memory.
func openIntelligence(path string) (*Intelligence, error) {
	db, m, err := openIntelligenceFile(path)
	if err != nil {
		return nil, fmt.Errorf("intelligence: %w", err)
	}
	open, err := newMapping(db, m.buckets())
	if err != nil {
		return nil, fmt.Errorf("intelligence: %w", err)
	}
	i := &Intelligence{manifest: m, mapping: open}
	i.cleanup = runtime.AddCleanup(i, func(m *mapping) { m.close() }, open)
	return i, nil
}

func (i *Intelligence) shut() error {
	if i.mapping == nil {
		return nil
	}
	i.cleanup.Stop()
	return i.mapping.close()
}

// ID names the revision: 32 hex digits, a hash of its content; empty if nothing
// is installed.
func (i *Intelligence) ID() string { return i.manifest.Revision }

// Sources returns the sources that the revision has, sorted by name.
func (i *Intelligence) Sources() []Source { return i.manifest.sources() }

// Of returns what is known of the vulnerability of that name: of one without a
// CVE, that no catalogue lists it.
func (i *Intelligence) Of(name string) (known risk.Intelligence, err error) {
	defer runtime.KeepAlive(i)
	if match.IsCVE(name) {
		for _, buckets := range [][]string{{kevSource}, {epssSource}, {cveDelta, cveSource}, {nvdBucketOf(name)}} {
			said, err := i.first(buckets, name)
			if err != nil {
				return known, fmt.Errorf("intelligence %s: %s: %w", i.ID(), name, err)
			}
			known.CVSS = append(known.CVSS, said.CVSS...)
			if said.SSVC != nil {
				known.SSVC = said.SSVC
			}
			if said.EPSS != nil {
				known.EPSS = said.EPSS
				known.EPSS.Date = i.manifest.Parts[epssSource].AsOf
			}
			if said.KEV != nil {
				known.KEV = said.KEV
			}
		}
	}
	if _, asked := i.manifest.Parts[kevSource]; asked && known.KEV == nil {
		known.KEV = new(risk.KEV)
	}
	return known, nil
}

// first returns what the first of the buckets that knows the CVE says.
func (i *Intelligence) first(buckets []string, cve string) (said risk.Intelligence, err error) {
	for _, bucket := range buckets {
		if _, ok := i.manifest.Parts[bucket]; !ok {
			continue
		}
		found, err := i.mapping.get(bucket, cve, func(value []byte) error { return json.Unmarshal(value, &said) })
		if found || err != nil {
			return said, err
		}
	}
	return said, nil
}

// nvdBucketOf returns the bucket of NVD's yearly feed that has the CVE.
func nvdBucketOf(cve string) string {
	year, err := strconv.Atoi(strings.Split(cve, "-")[1])
	if err != nil || year < firstYear {
		year = firstYear
	}
	return nvdBucket(year)
}

// intelligenceManifest describes a file of intelligence. Of it, only the format
// is part of the revision's id.
type intelligenceManifest struct {
	Format   int    `json:"format"`
	Revision string `json:"revision"`
	Parts    parts  `json:"parts"` // bucket → where it comes from
}

func (m intelligenceManifest) buckets() []string { return slices.Sorted(maps.Keys(m.Parts)) }

// of returns the parts of one source.
func (m intelligenceManifest) of(source string) parts {
	found := parts{}
	for name, p := range m.Parts {
		if p.Source == source {
			found[name] = p
		}
	}
	return found
}

// sources joins the parts of each source.
func (m intelligenceManifest) sources() []Source {
	all := []Source{}
	for _, s := range intelligenceSources {
		if found := m.of(s.name); len(found) > 0 {
			all = append(all, found.source(s.name))
		}
	}
	slices.SortFunc(all, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// source is as new as its newest part.
func (p parts) source(name string) Source {
	joined := Source{Name: name}
	for _, bucket := range slices.Sorted(maps.Keys(p)) {
		one := p[bucket]
		joined.Records += one.Records
		if joined.URL == "" {
			joined.URL = one.URL
		}
		if one.AsOf.After(joined.AsOf) {
			joined.AsOf = one.AsOf
		}
	}
	return joined
}
