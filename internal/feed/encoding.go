package feed

import (
	"encoding/binary"
	"errors"

	"patrol/internal/match"
)

// The index keeps the statements about one package under one key, in a form
// that is small and quick to read:
//
//	key       = ecosystem 0x00 package        (package as match.PackageKey has it)
//	value     = totals affected…              (sorted by record, then as in the record)
//	totals    = count count count count       (of affected, ranges, events and versions)
//	affected  = text(record) text(package)    (package is empty if it equals the key's)
//	            count range… count text…      (ranges, then versions)
//	range     = 'S' or 'E', count event…      (SEMVER or ECOSYSTEM)
//	event     = match.EventKind text(version)
//	text      = count byte…
//	count     = unsigned varint (encoding/binary)
//
// The totals let a reader allocate once for a value, not once for a range.

var errCorrupt = errors.New("the index is corrupt: run `patrol feed update`")

func affectedKey(ecosystem, packageKey string) string { return ecosystem + "\x00" + packageKey }

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// totals are what the statements of one value have together.
type totals struct{ affected, ranges, events, versions int }

func (t totals) add(o totals) totals {
	return totals{t.affected + o.affected, t.ranges + o.ranges, t.events + o.events, t.versions + o.versions}
}

func appendTotals(b []byte, t totals) []byte {
	for _, n := range [...]int{t.affected, t.ranges, t.events, t.versions} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func appendAffected(b []byte, a match.Affected) ([]byte, totals) {
	total := totals{affected: 1, ranges: len(a.Ranges), versions: len(a.Versions)}
	b = appendText(b, a.Record)
	if name := a.Package; name == match.PackageKey(a.Ecosystem, name) {
		b = appendText(b, "")
	} else {
		b = appendText(b, name)
	}
	b = binary.AppendUvarint(b, uint64(len(a.Ranges)))
	for _, r := range a.Ranges {
		total.events += len(r.Events)
		b = append(b, r.Type[0])
		b = binary.AppendUvarint(b, uint64(len(r.Events)))
		for _, e := range r.Events {
			b = appendText(append(b, byte(e.Kind)), e.Version)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(a.Versions)))
	for _, v := range a.Versions {
		b = appendText(b, v)
	}
	return b, total
}

// decodeAffected reads a whole value. packageKey is the package's name in its key.
func decodeAffected(ecosystem, packageKey, value string) ([]match.Affected, error) {
	d := decoder{rest: value}
	list := make([]match.Affected, d.count())
	d.ranges = make([]match.Range, d.count())
	d.events = make([]match.Event, d.count())
	d.versions = make([]string, d.count())
	for i := range list {
		a := match.Affected{Record: d.text(), Ecosystem: ecosystem, Package: d.text()}
		if a.Package == "" {
			a.Package = packageKey
		}
		a.Ranges = take(&d, &d.ranges)
		for j := range a.Ranges {
			a.Ranges[j] = d.nextRange()
		}
		a.Versions = take(&d, &d.versions)
		for j := range a.Versions {
			a.Versions[j] = d.text()
		}
		list[i] = a
	}
	if d.failed || d.rest != "" {
		return nil, errCorrupt
	}
	return list, nil
}

// decoder reads what is encoded above. It works on a string, of which all that
// it returns are parts, so that a value is copied once. After a failure it
// returns zero values.
type decoder struct {
	rest   string
	failed bool

	ranges   []match.Range // not yet taken
	events   []match.Event
	versions []string
}

// take reads a count and returns as many of what is left.
func take[T any](d *decoder, from *[]T) []T {
	n := d.count()
	if n > len(*from) {
		d.failed = true
		return nil
	}
	if n == 0 {
		return nil
	}
	taken := (*from)[:n:n]
	*from = (*from)[n:]
	return taken
}

// count reads a number of things to come, each of which takes a byte or more:
// so a corrupt count cannot ask for more memory than there is data.
func (d *decoder) count() int {
	var n uint64
	for i := 0; i < len(d.rest) && i < 5; i++ {
		c := d.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			if n <= uint64(len(d.rest)) {
				return int(n)
			}
			break
		}
	}
	d.failed, d.rest = true, ""
	return 0
}

func (d *decoder) byte() byte {
	if d.rest == "" {
		d.failed = true
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *decoder) text() string {
	n := d.count()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) nextRange() (r match.Range) {
	switch d.byte() {
	case 'S':
		r.Type = "SEMVER"
	case 'E':
		r.Type = "ECOSYSTEM"
	default:
		d.failed = true
	}
	r.Events = take(d, &d.events)
	for i := range r.Events {
		r.Events[i] = match.Event{Kind: match.EventKind(d.byte()), Version: d.text()}
	}
	return r
}

// decodeTexts reads a value that is count text….
func decodeTexts(value string) ([]string, error) {
	d := decoder{rest: value}
	list := make([]string, d.count())
	for i := range list {
		list[i] = d.text()
	}
	if d.failed || d.rest != "" {
		return nil, errCorrupt
	}
	return list, nil
}
