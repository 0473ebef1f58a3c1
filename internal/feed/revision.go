package feed

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"patrol/internal/match"
)

// Revision is one immutable compiled state of the feed. It implements
// [match.Knowledge], is safe for concurrent use, and stays readable for as long
// as somebody holds it, also after the store has moved on to another: its
// mapping ends when it is collected as garbage, or when its store is closed.
type Revision struct {
	manifest manifest
	covered  map[string]bool
	mapping  *mapping
	cleanup  runtime.Cleanup
}

// openRevision maps the file of a revision into memory.
func openRevision(path string) (*Revision, error) {
	db, m, err := openIndex(path)
	if err != nil {
		return nil, fmt.Errorf("feed revision: %w", err)
	}
	open, err := newMapping(db, bucketNames[:])
	if err != nil {
		return nil, fmt.Errorf("feed revision: %w", err)
	}
	r := &Revision{manifest: m, covered: make(map[string]bool, m.Counts[ecosystemBucket]), mapping: open}
	for ecosystem := range open.pairs(ecosystemBucket) {
		r.covered[string(ecosystem)] = true
	}
	r.cleanup = runtime.AddCleanup(r, func(m *mapping) { m.close() }, open)
	return r, nil
}

// shut ends the mapping at once; look-ups fail from then on.
func (r *Revision) shut() error {
	r.cleanup.Stop()
	return r.mapping.close()
}

// get calls f with the value of the key, if there is one. The value is gone
// when f returns. The revision is held until then, so that it cannot be
// collected in the middle of its last look-up.
func (r *Revision) get(bucket, key string, f func(value []byte) error) (found bool, err error) {
	defer runtime.KeepAlive(r)
	found, err = r.mapping.get(bucket, key, f)
	if err != nil {
		return false, fmt.Errorf("feed revision %s: %s %q: %w", r.ID(), bucket, key, err)
	}
	return found, nil
}

// ID names the revision: 32 hex digits, a hash of its content.
func (r *Revision) ID() string { return r.manifest.Revision }

// Sample tells whether this is the sample that comes with the program, which
// knows far too little to judge a machine by.
func (r *Revision) Sample() bool { return r.manifest.Sample }

// Sources returns where the revision comes from, sorted by name.
func (r *Revision) Sources() []Source { return slices.Clone(r.manifest.Sources) }

// Records is the number of advisories, withdrawn ones included.
func (r *Revision) Records() int { return r.manifest.Counts[recordBucket] }

// Covers tells whether the revision speaks of the ecosystem as it is written:
// "Debian:12" is covered if records of the source Debian name "Debian:12", and
// not because they name "Debian:11". A source that names no release at all
// speaks of all of them.
func (r *Revision) Covers(ecosystem string) bool {
	if r.covered[ecosystem] {
		return true
	}
	name := match.Base(ecosystem)
	if name == ecosystem || !r.covered[name] {
		return false
	}
	for other := range r.covered {
		if strings.HasPrefix(other, name+":") {
			return false
		}
	}
	return true
}

// Affected returns every statement about the package under exactly that
// ecosystem, sorted by record.
func (r *Revision) Affected(ecosystem, name string) (list []match.Affected, err error) {
	name = match.PackageKey(ecosystem, name)
	_, err = r.get(affectedBucket, affectedKey(ecosystem, name), func(value []byte) (err error) {
		list, err = decodeAffected(ecosystem, name, string(value))
		return err
	})
	return list, err
}

// Names returns the vulnerabilities that the record is about, sorted: none for
// a record that is unknown or withdrawn, and for an erratum without a CVE.
func (r *Revision) Names(record string) (names []string, err error) {
	_, err = r.get(nameBucket, record, func(value []byte) (err error) {
		names, err = decodeTexts(string(value))
		return err
	})
	return names, err
}

// Vulnerability returns what all records of that name say together; false if
// none names it.
func (r *Revision) Vulnerability(name string) (v match.Vulnerability, found bool, err error) {
	found, err = r.get(vulnerabilityBucket, name, func(value []byte) error { return json.Unmarshal(value, &v) })
	return v, found, err
}

// Record returns an advisory, which may be withdrawn; false if it is unknown.
func (r *Revision) Record(id string) (record match.Record, found bool, err error) {
	found, err = r.get(recordBucket, id, func(value []byte) error { return json.Unmarshal(value, &record) })
	return record, found, err
}
