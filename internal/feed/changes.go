package feed

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// Changes are what differs between two revisions: all by which matching could find
// something else, or say something else of what it finds.
type Changes struct {
	// New, Changed and Gone count records.
	New     int `json:"new"`
	Changed int `json:"changed"`
	Gone    int `json:"gone"`

	// Packages are those of which something else is said, or the same by records
	// that are about other vulnerabilities now; sorted.
	Packages []Package `json:"-"`
	// Vulnerabilities are the names whose aliases, summary or severity differ, and
	// those that are new; sorted.
	Vulnerabilities []string `json:"-"`
}

// ErrDamaged is returned where the file of a revision is not what was written.
var ErrDamaged = errors.New("the index is damaged")

// Package is a package as advisories are looked up by it.
type Package struct {
	Ecosystem string // with its release, if the advisories name one
	Name      string // as match.PackageKey has it
}

// Compare returns what has changed from one revision to another. It walks both
// once, side by side: what a record said before and says now stands under its keys
// of before and of now, and whoever shares an alias with it, in whichever
// direction, has other names.
func Compare(before, after *Revision) (c Changes, err error) {
	defer runtime.KeepAlive(before)
	defer runtime.KeepAlive(after)
	// What reads the index panics where a page is not what it is to be.
	defer func() {
		if damage := recover(); damage != nil {
			err = fmt.Errorf("%w: compare revisions %s and %s: %v", ErrDamaged, before.ID(), after.ID(), damage)
		}
	}()
	for _, d := range differences(before, after, recordBucket) {
		switch {
		case d.before == nil:
			c.New++
		case d.after == nil:
			c.Gone++
		default:
			c.Changed++
		}
	}
	renamed := make(map[string]bool)
	for record, d := range differences(before, after, nameBucket) {
		// One that came or went changes what is said of its packages.
		if d.before != nil && d.after != nil {
			renamed[record] = true
		}
	}
	packages := make(map[Package]bool)
	for key := range differences(before, after, affectedBucket) {
		packages[packageOf(key)] = true
	}
	if len(renamed) > 0 {
		for key, value := range after.mapping.pairs(affectedBucket) {
			if names(key, value, renamed) {
				packages[packageOf(string(key))] = true
			}
		}
	}
	c.Packages = slices.SortedFunc(maps.Keys(packages), Package.compare)
	for name, d := range differences(before, after, vulnerabilityBucket) {
		if d.after != nil {
			c.Vulnerabilities = append(c.Vulnerabilities, name)
		}
	}
	return c, nil
}

func (p Package) compare(o Package) int {
	return strings.Compare(affectedKey(p.Ecosystem, p.Name), affectedKey(o.Ecosystem, o.Name))
}

func packageOf(key string) Package {
	ecosystem, name, _ := strings.Cut(key, "\x00")
	return Package{ecosystem, name}
}

// names tells whether one of the records says something of the package.
func names(key, value []byte, records map[string]bool) bool {
	p := packageOf(string(key))
	list, err := decodeAffected(p.Ecosystem, p.Name, string(value))
	if err != nil {
		return true // whoever matches it is told
	}
	for _, a := range list {
		if records[a.Record] {
			return true
		}
	}
	return false
}

// values are what two revisions hold under one key; nil is nothing. They are part
// of the mappings.
type values struct{ before, after []byte }

// differences yields the keys of a bucket whose values differ, in their order.
func differences(before, after *Revision, bucket string) iter.Seq2[string, values] {
	return func(yield func(string, values) bool) {
		was, is := before.mapping.cursor(bucket), after.mapping.cursor(bucket)
		oldKey, oldValue := was.First()
		newKey, newValue := is.First()
		for oldKey != nil || newKey != nil {
			order := bytes.Compare(oldKey, newKey)
			switch {
			case newKey == nil:
				order = -1
			case oldKey == nil:
				order = 1
			}
			d := values{}
			key := newKey
			if order <= 0 {
				key, d.before = oldKey, value(oldValue)
			}
			if order >= 0 {
				d.after = value(newValue)
			}
			if (order != 0 || !bytes.Equal(oldValue, newValue)) && !yield(string(key), d) {
				return
			}
			if order <= 0 {
				oldKey, oldValue = was.Next()
			}
			if order >= 0 {
				newKey, newValue = is.Next()
			}
		}
	}
}

// value is never nil.
func value(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
