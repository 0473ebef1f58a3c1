package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/package-url/packageurl-go"

	"patrol/internal/openvex"
)

type qualifier = packageurl.Qualifier

func parsePURL(text string) (packageurl.PackageURL, error) { return packageurl.FromString(text) }

// parseVEX reads OpenVEX. Later statements come after earlier ones, and so have
// the last word (OpenVEX specification, "The VEX Statement").
func parseVEX(file string, data []byte) ([]*Ignore, error) {
	var doc openvex.Document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(doc.Context, openvex.Namespace) {
		return nil, errors.New("it is no OpenVEX document, and no list of entries with id, package, until and reason")
	}
	published, err := openvex.Moment(doc.Timestamp, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	type dated struct {
		*Ignore
		at time.Time
	}
	var all []dated
	for n, s := range doc.Statements {
		entry, err := said(s)
		if err != nil {
			return nil, fmt.Errorf("statement %d %w", n+1, err)
		}
		entry.place = fmt.Sprintf("%s: statement %d", file, n+1)
		at, err := openvex.Moment(s.Timestamp, published)
		if err != nil {
			return nil, fmt.Errorf("statement %d: timestamp: %w", n+1, err)
		}
		all = append(all, dated{entry, at})
	}
	slices.SortStableFunc(all, func(a, b dated) int { return a.at.Compare(b.at) })
	entries := make([]*Ignore, len(all))
	for i, d := range all {
		entries[i] = d.Ignore
	}
	return entries, nil
}

// said is what a statement ignores. One that a product is affected, or may be,
// ignores nothing, and ends what an earlier one has said.
func said(s *openvex.Statement) (*Ignore, error) {
	if s == nil || s.Vulnerability.Name == "" {
		return nil, errors.New("names no vulnerability")
	}
	status := s.Status
	switch {
	case !openvex.IsStatus(status):
		return nil, fmt.Errorf("has the status %q, which is none of OpenVEX", status)
	case status == openvex.UnderInvestigation:
		status = openvex.Affected
	}
	return &Ignore{
		ID: s.Vulnerability.Name, Products: purls(s.Products), Reason: reason(s.Impact, s.Justification, s.Notes),
		Status: status, Justification: s.Justification,
	}, nil
}

// purls are those of the subcomponents, or of a product that names none: what is
// scanned is taken to be the product. It is never nil: a statement without
// products matches nothing.
func purls(products []openvex.Product) []string {
	found := []string{}
	for _, p := range products {
		if len(p.Subcomponents) > 0 {
			found = append(found, purls(p.Subcomponents)...)
		} else if purl := p.PURL(); purl != "" {
			found = append(found, purl)
		}
	}
	return found
}

func reason(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), "; ")
}
