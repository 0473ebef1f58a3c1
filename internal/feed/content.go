package feed

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"patrol/internal/match"
)

// Source is where a part of a revision comes from.
type Source struct {
	Name string `json:"name"` // "osv/" and the ecosystem, or kev, epss, cve, nvd
	// AsOf is the newest change among the source's records: what happened later
	// is not known.
	AsOf    time.Time `json:"as_of,omitzero"`
	Records int       `json:"records"`
	URL     string    `json:"url,omitempty"`
}

// osvPrefix begins the names of the parts of OSV.
const osvPrefix = "osv/"

// Ecosystem is the ecosystem of an OSV source, without its release; empty for
// another source.
func (s Source) Ecosystem() string {
	ecosystem, ok := strings.CutPrefix(s.Name, osvPrefix)
	if !ok {
		return ""
	}
	return ecosystem
}

// speaksFor tells whether the source holds all that is known of the ecosystem:
// an archive also has records that concern others besides its own.
func (s Source) speaksFor(ecosystem string) bool {
	return ecosystem == s.Ecosystem() || strings.HasPrefix(ecosystem, s.Ecosystem()+":")
}

// The buckets of an index.
const (
	affectedBucket      = "affected"      // see encoding.go
	ecosystemBucket     = "ecosystem"     // ecosystem → nothing: those that are covered
	nameBucket          = "name"          // record → names of its vulnerabilities: count text…
	recordBucket        = "record"        // id → match.Record as JSON
	vulnerabilityBucket = "vulnerability" // name → match.Vulnerability as JSON
)

var bucketNames = [...]string{affectedBucket, ecosystemBucket, nameBucket, recordBucket, vulnerabilityBucket}

// content is a revision before it is written: the pairs of every bucket, sorted.
type content struct {
	sources []Source
	buckets []bucket // in the order of bucketNames
}

// size is the number of bytes in all pairs.
func (c content) size() (n int) {
	for _, b := range c.buckets {
		for _, p := range b.pairs {
			n += len(p.key) + len(p.value)
		}
	}
	return n
}

type bucket struct {
	name  string
	pairs []pair // sorted by key
}

type pair struct{ key, value []byte }

// collect reads the archives one after another and makes of them the content of
// a revision. The order of archives, entries and processors does not show in it.
func collect(ctx context.Context, archives []archive, limit limits) (content, error) {
	var c content
	var all []advisory
	// A date that has not come yet is a mistake, and would make every feed that
	// follows look older.
	tomorrow := time.Now().AddDate(0, 0, 1)
	for _, a := range archives {
		advisories, err := a.read(ctx, limit)
		if err != nil {
			return content{}, err
		}
		source := Source{Name: osvPrefix + a.ecosystem, URL: a.url}
		ids := make(map[string]bool, len(advisories))
		for _, r := range advisories {
			ids[r.record.ID] = true
			if r.record.Modified.After(source.AsOf) && r.record.Modified.Before(tomorrow) {
				source.AsOf = r.record.Modified
			}
		}
		source.Records = len(ids)
		c.sources = append(c.sources, source)
		all = append(all, advisories...)
	}
	slices.SortFunc(c.sources, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	var err error
	c.buckets, err = build(unique(all), c.sources)
	return c, err
}

// unique sorts the advisories by id and keeps one of each. OSV publishes a
// record in the archive of every ecosystem that it concerns, and archives are
// not made at the same moment: the one modified last is kept.
func unique(all []advisory) []advisory {
	slices.SortFunc(all, func(a, b advisory) int {
		return cmp.Or(
			cmp.Compare(a.record.ID, b.record.ID),
			b.record.Modified.Compare(a.record.Modified),
			bytes.Compare(a.encoded, b.encoded),
			slices.CompareFunc(a.statements, b.statements, func(a, b statement) int {
				return cmp.Or(cmp.Compare(a.key, b.key), bytes.Compare(a.encoded, b.encoded))
			}),
		)
	})
	return slices.CompactFunc(all, func(a, b advisory) bool { return a.record.ID == b.record.ID })
}

// build makes the buckets out of advisories that are sorted by id.
func build(all []advisory, sources []Source) ([]bucket, error) {
	var live []match.Record
	for _, a := range all {
		if a.record.Withdrawn.IsZero() {
			live = append(live, a.record)
		}
	}
	names := match.Name(live)

	affected := make(map[string]*statements)
	ecosystems := make(map[string][]byte)
	records := bucket{name: recordBucket, pairs: make([]pair, 0, len(all))}
	for _, a := range all {
		records.pairs = append(records.pairs, pair{[]byte(a.record.ID), a.encoded})
		for _, e := range a.ecosystems {
			if slices.ContainsFunc(sources, func(s Source) bool { return s.speaksFor(e) }) {
				ecosystems[e] = nil
			}
		}
		// What an erratum without a vulnerability says can never be a finding.
		if len(names[a.record.ID]) == 0 {
			continue
		}
		for _, s := range a.statements {
			if affected[s.key] == nil {
				affected[s.key] = new(statements)
			}
			affected[s.key].add(s)
		}
	}
	packages := bucket{name: affectedBucket, pairs: make([]pair, 0, len(affected))}
	for _, key := range slices.Sorted(maps.Keys(affected)) {
		packages.pairs = append(packages.pairs, pair{[]byte(key), affected[key].value()})
	}
	nameLists := make(map[string][]byte, len(names))
	for id, list := range names {
		value := binary.AppendUvarint(nil, uint64(len(list)))
		for _, name := range list {
			value = appendText(value, name)
		}
		nameLists[id] = value
	}
	known, err := vulnerabilities(live, names)
	if err != nil {
		return nil, err
	}
	return []bucket{
		packages,
		sorted(ecosystemBucket, ecosystems),
		sorted(nameBucket, nameLists),
		records,
		sorted(vulnerabilityBucket, known),
	}, nil
}

// statements gathers what is under one key.
type statements struct {
	encoded []byte
	total   totals
}

func (all *statements) add(s statement) {
	all.encoded = append(all.encoded, s.encoded...)
	all.total = all.total.add(s.total)
}

func (all *statements) value() []byte {
	return append(appendTotals(nil, all.total), all.encoded...)
}

func sorted(name string, values map[string][]byte) bucket {
	b := bucket{name: name, pairs: make([]pair, 0, len(values))}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		b.pairs = append(b.pairs, pair{[]byte(key), values[key]})
	}
	return b
}
