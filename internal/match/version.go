package match

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/google/osv-scalibr/semantic"
)

// line is one installed version, ready to be compared with the events of a
// range. Two orders may be asked of it: the ecosystem's own and SemVer's,
// because a SEMVER range is read by SemVer's rules whatever the ecosystem (OSV
// schema, affected[].ranges[].type).
type line struct {
	ecosystem, version string
	own, semver        semantic.Version
	err                error
}

func newLine(ecosystem, version string) *line {
	own, err := semantic.Parse(version, ecosystem)
	return &line{ecosystem: ecosystem, version: version, own: own, err: err}
}

// errNoNumber is a version like "(devel)" or none at all. Several orders read it
// as lower than every other, which would make it affected by everything.
var errNoNumber = errors.New("a version without a number")

// compare returns the order of the installed version against another one.
func (l *line) compare(rangeType, version string) (int, error) {
	if !strings.ContainsAny(l.version, "0123456789") {
		return 0, errNoNumber
	}
	if rangeType == "SEMVER" {
		if l.semver == nil {
			l.semver = semantic.ParseSemverVersion(l.version)
		}
		return l.semver.CompareStr(version)
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.own.CompareStr(version)
}

// affects tells whether a statement applies to the installed version and which
// versions fix it. A part of it that cannot be compared is an error only where
// no other part applies.
func (l *line) affects(a Affected) (affected bool, fixed []string, err error) {
	var within []Range
	for _, r := range a.Ranges {
		in, failed := l.in(r)
		err = cmp.Or(err, failed)
		if in {
			within = append(within, r)
		}
	}
	if len(within) == 0 {
		if !slices.Contains(a.Versions, l.version) {
			return false, nil, err
		}
		within = a.Ranges // it is listed, and no range says on which line it is
	}
	for _, r := range within {
		if next, err := l.nextFixed(r); err == nil && next != "" {
			fixed = append(fixed, next)
		}
	}
	return true, fixed, nil
}

// in follows the evaluation algorithm of the OSV schema (section "Evaluation"):
// events are read in version order, and the last one at or below the installed
// version decides. A version at or above every `limit` is outside. Where one
// version both begins and ends a range, either two ranges meet there or one is
// empty: things stay as they were.
func (l *line) in(r Range) (bool, error) {
	ok, err := l.beforeLimits(r)
	if err != nil || !ok {
		return false, err
	}
	events, err := l.sorted(r)
	if err != nil {
		return false, err
	}
	vulnerable := false
	for len(events) > 0 {
		var begins, ends bool
		version := events[0].Version
		for len(events) > 0 && events[0].Version == version {
			order, err := l.order(r.Type, events[0])
			if err != nil {
				return false, err
			}
			switch kind := events[0].Kind; {
			case kind == Introduced && order >= 0:
				begins = true
			case kind == Fixed && order >= 0, kind == LastAffected && order > 0:
				ends = true
			}
			events = events[1:]
		}
		if begins != ends {
			vulnerable = begins
		}
	}
	return vulnerable, nil
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
		order, err := l.compare(r.Type, e.Version)
		if err != nil {
			return false, err
		}
		if order < 0 {
			return true, nil
		}
	}
	return !limited, nil
}

// nextFixed returns the lowest version above the installed one that fixes it in
// this range, or "". A version that also introduces it again fixes nothing.
func (l *line) nextFixed(r Range) (string, error) {
	events, err := l.sorted(r)
	if err != nil {
		return "", err
	}
	for _, e := range events {
		if e.Kind != Fixed || slices.Contains(events, Event{Introduced, e.Version}) {
			continue
		}
		order, err := l.order(r.Type, e)
		if err != nil {
			return "", err
		}
		if order < 0 {
			return e.Version, nil
		}
	}
	return "", nil
}

// isFirst tells whether the event lies before every version, as introduced "0"
// does.
func isFirst(e Event) bool { return e.Kind == Introduced && e.Version == "0" }

// order compares with an event.
func (l *line) order(rangeType string, e Event) (int, error) {
	if isFirst(e) {
		return 1, nil
	}
	return l.compare(rangeType, e.Version)
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
		order, err := compareEvents(l.ecosystem, r.Type, a, b)
		failed = cmp.Or(failed, err)
		return cmp.Or(order, strings.Compare(a.Version, b.Version))
	})
	return events, failed
}

func compareEvents(ecosystem, rangeType string, a, b Event) (int, error) {
	switch {
	case isFirst(a) && isFirst(b):
		return 0, nil
	case isFirst(a):
		return -1, nil
	case isFirst(b):
		return 1, nil
	}
	return newLine(ecosystem, a.Version).compare(rangeType, b.Version)
}
