package match_test

import (
	"errors"
	"strings"
	"testing"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

// knowledge is what is known, held in memory.
type knowledge struct {
	affected map[[2]string][]match.Affected
	names    map[string][]string
	broken   error // what every look-up fails with
}

// know returns knowledge of these statements. A record that is only named by a
// statement is about itself; live records are about what Name says.
func know(records []match.Record, statements ...match.Affected) *knowledge {
	k := &knowledge{affected: make(map[[2]string][]match.Affected), names: match.Name(records)}
	described := make(map[string]bool)
	for _, r := range records {
		described[r.ID] = true
	}
	for _, s := range statements {
		key := [2]string{s.Ecosystem, match.PackageKey(s.Ecosystem, s.Package)}
		k.affected[key] = append(k.affected[key], s)
		if !described[s.Record] {
			k.names[s.Record] = []string{s.Record}
		}
	}
	return k
}

func (k *knowledge) Affected(ecosystem, name string) ([]match.Affected, error) {
	return k.affected[[2]string{ecosystem, match.PackageKey(ecosystem, name)}], k.broken
}

func (k *knowledge) Names(record string) ([]string, error) { return k.names[record], k.broken }

func (k *knowledge) Covers(ecosystem string) bool {
	for key := range k.affected {
		if key[0] == ecosystem {
			return true
		}
	}
	return false
}

var errBroken = errors.New("the index is broken")

// events reads "introduced 0, fixed 1.2" into a range's events.
func events(text string) []match.Event {
	kinds := map[string]match.EventKind{
		"introduced": match.Introduced, "fixed": match.Fixed, "last_affected": match.LastAffected, "limit": match.Limit,
	}
	var list []match.Event
	for part := range strings.SplitSeq(text, ",") {
		kind, version, _ := strings.Cut(strings.TrimSpace(part), " ")
		list = append(list, match.Event{Kind: kinds[kind], Version: version})
	}
	return list
}

func semver(text string) match.Range    { return match.Range{Type: "SEMVER", Events: events(text)} }
func ecosystem(text string) match.Range { return match.Range{Type: "ECOSYSTEM", Events: events(text)} }

// says is a statement of a record about a package.
func says(record, ecosystem, name string, ranges ...match.Range) match.Affected {
	return match.Affected{Record: record, Ecosystem: ecosystem, Package: name, Ranges: ranges}
}

// inventory matches the components.
func inventory(t *testing.T, k match.Knowledge, components ...sbom.Key) *match.Result {
	t.Helper()
	result, err := match.Inventory(k, components)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
