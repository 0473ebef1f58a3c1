package match

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/semantic"
)

// line is one installed version with the orders that it can be compared in: the
// ecosystem's own and SemVer's, because a SEMVER range is read by SemVer's rules
// whatever the ecosystem (OSV schema, affected[].ranges[].type).
type line struct {
	version     string
	own, semver *order
}

func newLine(ecosystem, version string) *line {
	return &line{
		version: version,
		own:     &order{parse: func(text string) (semantic.Version, error) { return semantic.Parse(text, orderOf(ecosystem)) }},
		semver:  &order{parse: func(text string) (semantic.Version, error) { return semantic.ParseSemverVersion(text), nil }},
	}
}

// sameOrder are ecosystems that SCALIBR does not compare, and one whose packages
// the same package manager installs.
var sameOrder = map[string]string{
	"Azure Linux": "AlmaLinux", "Photon OS": "AlmaLinux", // rpm
	"Echo":       "Debian", // dpkg
	"CleanStart": "Alpine", // apk
}

func orderOf(ecosystem string) string {
	if same, ok := sameOrder[Base(ecosystem)]; ok {
		return same
	}
	return ecosystem
}

// order is how versions are compared. It reads each version once, because the
// advisories of a package name the same ones again and again.
type order struct {
	parse func(text string) (semantic.Version, error)
	read  map[string]semantic.Version
}

// errNoNumber is a version like "(devel)" or none at all. Several orders read it
// as lower than every other, which would make it affected by everything.
var errNoNumber = errors.New("a version without a number")

func (o *order) version(text string) (semantic.Version, error) {
	if v, ok := o.read[text]; ok {
		return v, nil
	}
	if !strings.ContainsAny(text, "0123456789") {
		return nil, errNoNumber
	}
	v, err := o.parse(text)
	if err != nil {
		return nil, err
	}
	if o.read == nil {
		o.read = make(map[string]semantic.Version)
	}
	o.read[text] = v
	return v, nil
}

func (o *order) compare(a, b string) (int, error) {
	x, err := o.version(a)
	if err != nil {
		return 0, err
	}
	y, err := o.version(b)
	if err != nil {
		return 0, err
	}
	return x.Compare(y)
}

// order returns the one by which a range of that type is read.
func (l *line) order(rangeType string) *order {
	if rangeType == "SEMVER" {
		return l.semver
	}
	return l.own
}

// affects tells whether a statement applies to the installed version and which
// versions fix it. A part of it that cannot be compared is an error only where
// no other part applies.
func (l *line) affects(a Affected) (affected bool, fixed []string, err error) {
	var elsewhere []string
	for _, r := range a.Ranges {
		in, next, failed := l.in(r)
		err = cmp.Or(err, failed)
		affected = affected || in
		switch {
		case next == "":
		case in:
			fixed = append(fixed, next)
		default:
			elsewhere = append(elsewhere, next)
		}
	}
	switch {
	case affected:
		return true, fixed, nil
	case slices.Contains(a.Versions, l.version):
		return true, elsewhere, nil // no range says on which line it is
	}
	return false, nil, err
}

// in tells whether a range holds the installed version, and the lowest version
// above it that fixes it there, or "".
//
// It follows the evaluation algorithm of the OSV schema (section "Evaluation"):
// events are read in version order, and the last one at or below the installed
// version decides. A version at or above every `limit` is outside. Where one
// version both begins and ends a range, either two ranges meet there or one is
// empty: things stay as they were.
func (l *line) in(r Range) (vulnerable bool, fixed string, err error) {
	ok, err := l.beforeLimits(r)
	if err != nil || !ok {
		return false, "", err
	}
	events, err := l.sorted(r)
	if err != nil {
		return false, "", err
	}
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Version == events[0].Version {
			n++
		}
		same := events[:n]
		events = events[n:]
		var begins, ends, fixes bool
		for _, e := range same {
			above, err := l.above(r.Type, e)
			if err != nil {
				return false, "", err
			}
			begins = begins || e.Kind == Introduced && above >= 0
			ends = ends || e.Kind == Fixed && above >= 0 || e.Kind == LastAffected && above > 0
			fixes = fixes || e.Kind == Fixed && above < 0
		}
		if begins != ends {
			vulnerable = begins
		}
		again := slices.ContainsFunc(same, func(e Event) bool { return e.Kind == Introduced })
		if fixes && !again {
			return vulnerable, same[0].Version, nil // all else is higher
		}
	}
	return vulnerable, "", nil
}

func (l *line) beforeLimits(r Range) (bool, error) {
	limited := false
	for _, e := range r.Events {
		if e.Kind != Limit {
			continue
		}
		limited = true
		if e.Version == "*" {
			return true, nil
		}
		above, err := l.above(r.Type, e)
		if err != nil {
			return false, err
		}
		if above < 0 {
			return true, nil
		}
	}
	return !limited, nil
}

// isFirst tells whether the event lies before every version, as introduced "0"
// does.
func isFirst(e Event) bool { return e.Kind == Introduced && e.Version == "0" }

// above tells on which side of an event the installed version is: 1 above it, 0
// at it, -1 below.
func (l *line) above(rangeType string, e Event) (int, error) {
	if isFirst(e) {
		return 1, nil
	}
	return l.order(rangeType).compare(l.version, e.Version)
}

// sorted returns the events in version order, whatever order the record has them
// in, without limits, which may be no versions. Nearly every range is two events
// already in order.
func (l *line) sorted(r Range) ([]Event, error) {
	isLimit := func(e Event) bool { return e.Kind == Limit }
	events := r.Events
	if slices.ContainsFunc(events, isLimit) {
		events = slices.DeleteFunc(slices.Clone(events), isLimit)
	}
	if len(events) <= 1 || len(events) == 2 && isFirst(events[0]) {
		return events, nil
	}
	var failed error
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b Event) int {
		difference, err := l.order(r.Type).compareEvents(a, b)
		failed = cmp.Or(failed, err)
		return cmp.Or(difference, strings.Compare(a.Version, b.Version))
	})
	return events, failed
}

func (o *order) compareEvents(a, b Event) (int, error) {
	switch {
	case isFirst(a) && isFirst(b):
		return 0, nil
	case isFirst(a):
		return -1, nil
	case isFirst(b):
		return 1, nil
	}
	return o.compare(a.Version, b.Version)
}
