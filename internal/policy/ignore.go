package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"patrol/internal/openvex"
)

// Ignores are the findings that somebody wants to hear nothing of, from one file.
type Ignores struct {
	file    string
	entries []*Ignore
}

// Ignore is one entry: a vulnerability, in one package or in any.
type Ignore struct {
	// ID is the vulnerability's name, or that of any of its aliases or advisories.
	ID string
	// Package is the package as advisories name it, or the component's own name;
	// empty means any.
	Package string
	// Products are purls, of which the component's must match one; nil means any.
	Products []string
	Reason   string
	// Until is as the file writes it; empty means for ever.
	Until string
	// Status and Justification are VEX's: not_affected or fixed; empty otherwise.
	// A VEX statement of another status ends what earlier ones have said.
	Status, Justification string

	place   string    // the file, and the line or statement
	end     time.Time // the first moment at which it ignores no longer; zero is never
	matched bool
}

// Place says where the entry stands: "ignore.yaml:3".
func (i *Ignore) Place() string { return i.place }

// maxIgnoreFile is the size in bytes of the largest file of ignored findings.
const maxIgnoreFile = 16 << 20

// ParseIgnores reads a YAML list of id, package, until and reason, or an OpenVEX
// document. What is misspelt is an error: it would otherwise ignore more, or for
// longer, than was meant.
func ParseIgnores(file string, data []byte) (*Ignores, error) {
	if len(data) > maxIgnoreFile {
		return nil, fmt.Errorf("%s: larger than %d MiB", file, maxIgnoreFile>>20)
	}
	parse := parseYAML
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		parse = parseVEX
	}
	entries, err := parse(file, data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &Ignores{file, entries}, nil
}

func parseYAML(file string, data []byte) ([]*Ignore, error) {
	var root, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) || err == nil && len(root.Content) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the end of the list")
	}
	list := root.Content[0]
	if list.Kind == yaml.ScalarNode && list.Tag == "!!null" {
		return nil, nil
	}
	if list.Kind != yaml.SequenceNode {
		return nil, errors.New("it is no list of entries with id, package, until and reason, and no OpenVEX document")
	}
	entries := make([]*Ignore, len(list.Content))
	for n, node := range list.Content {
		entry, err := parseEntry(node)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", node.Line, err)
		}
		entry.place = fmt.Sprintf("%s:%d", file, node.Line)
		entries[n] = entry
	}
	return entries, nil
}

func parseEntry(node *yaml.Node) (*Ignore, error) {
	if node.Kind != yaml.MappingNode {
		return nil, errors.New("it is no entry with id, package, until and reason")
	}
	entry := &Ignore{}
	fields := map[string]*string{"id": &entry.ID, "package": &entry.Package, "until": &entry.Until, "reason": &entry.Reason}
	for i := 0; i < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		field := fields[name.Value]
		if field == nil {
			return nil, fmt.Errorf("%q is none of id, package, until, reason, or is there twice", name.Value)
		}
		if value.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s is no text", name.Value)
		}
		if value.Tag != "!!null" {
			*field = value.Value
		}
		delete(fields, name.Value)
	}
	if entry.ID == "" {
		return nil, errors.New("it lacks the id of a vulnerability")
	}
	var err error
	entry.end, err = endOf(entry.Until)
	return entry, err
}

// endOf is the moment at which something ends that holds until a day, or until a
// moment: a day counts in full, in UTC.
func endOf(until string) (time.Time, error) {
	if until == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, until); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	moment, err := time.Parse(time.RFC3339, until)
	if err != nil {
		return time.Time{}, fmt.Errorf("until %q is no day such as 2099-12-31", until)
	}
	return moment, nil
}

// Match returns the entry by which a finding is ignored at that moment; nil if
// none is. Of several that are of one mind the first counts.
func (s *Ignores) Match(f Finding, now time.Time) *Ignore {
	var by *Ignore
	for _, entry := range s.entries {
		if !entry.matches(f) {
			continue
		}
		entry.matched = true
		switch {
		case entry.expired(now):
		case entry.Status == openvex.Affected:
			by = nil
		case by == nil || entry.Status != "":
			by = entry
		}
	}
	return by
}

func (i *Ignore) expired(now time.Time) bool { return !i.end.IsZero() && !now.Before(i.end) }

func (i *Ignore) matches(f Finding) bool {
	if f.Vulnerability != i.ID && !slices.Contains(f.Aliases, i.ID) && !slices.Contains(f.Advisories, i.ID) {
		return false
	}
	if i.Package != "" && i.Package != f.Package && i.Package != f.Component {
		return false
	}
	return i.Products == nil || slices.ContainsFunc(i.Products, func(p string) bool { return covers(p, f.PURL) })
}

// Notes says, after all findings were matched, what is no longer ignored and what
// matched nothing.
func (s *Ignores) Notes(now time.Time) []string {
	var notes []string
	for _, entry := range s.entries {
		if entry.Status == openvex.Affected {
			continue
		}
		what := entry.ID
		if entry.Package != "" {
			what += " in " + entry.Package
		}
		switch {
		case entry.expired(now) && entry.matched:
			notes = append(notes, fmt.Sprintf("%s: EXPIRED: %s was ignored until %s and is reported again", entry.place, what, entry.Until))
		case entry.expired(now):
			notes = append(notes, fmt.Sprintf("%s: expired on %s, and matched nothing: %s", entry.place, entry.Until, what))
		case !entry.matched:
			notes = append(notes, fmt.Sprintf("%s: matched nothing: %s", entry.place, what))
		}
	}
	return notes
}

// covers tells whether a product's purl means the component's: of the same type,
// namespace and name, of the same version if it has one, and with the qualifiers
// that it names.
func covers(product, component string) bool {
	if product == component {
		return product != ""
	}
	p, err := parsePURL(product)
	if err != nil {
		return false
	}
	c, err := parsePURL(component)
	if err != nil || p.Type != c.Type || p.Namespace != c.Namespace || p.Name != c.Name || p.Subpath != c.Subpath && p.Subpath != "" {
		return false
	}
	if p.Version != "" && p.Version != c.Version {
		return false
	}
	has := c.Qualifiers.Map()
	return !slices.ContainsFunc(p.Qualifiers, func(q qualifier) bool { return has[strings.ToLower(q.Key)] != q.Value })
}
