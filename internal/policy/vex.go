package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/package-url/packageurl-go"
)

// The statuses of OpenVEX. Those that are not listed here ignore nothing, and end
// what an earlier statement has said.
const (
	notAffected = "not_affected"
	fixed       = "fixed"
	affected    = "affected"
)

type qualifier = packageurl.Qualifier

func parsePURL(text string) (packageurl.PackageURL, error) { return packageurl.FromString(text) }

// vexDocument is what of OpenVEX matters here
// (https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md).
type vexDocument struct {
	Context    string    `json:"@context"`
	Timestamp  time.Time `json:"timestamp"`
	Statements []struct {
		Vulnerability vexVulnerability `json:"vulnerability"`
		Timestamp     time.Time        `json:"timestamp"`
		Products      []vexProduct     `json:"products"`
		Status        string           `json:"status"`
		Notes         string           `json:"status_notes"`
		Justification string           `json:"justification"`
		Impact        string           `json:"impact_statement"`
	} `json:"statements"`
}

// vexVulnerability is an object with a name; before 0.2.0 it was the name alone.
type vexVulnerability struct{ Name string }

func (v *vexVulnerability) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &v.Name) == nil {
		return nil
	}
	var object struct {
		Name string `json:"name"`
	}
	err := json.Unmarshal(data, &object)
	v.Name = object.Name
	return err
}

type vexProduct struct {
	ID            string            `json:"@id"`
	Identifiers   map[string]string `json:"identifiers"`
	Subcomponents []vexProduct      `json:"subcomponents"`
}

// UnmarshalJSON: before 0.2.0 a product was its id alone.
func (p *vexProduct) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &p.ID) == nil {
		return nil
	}
	type plain vexProduct
	return json.Unmarshal(data, (*plain)(p))
}

// parseVEX reads OpenVEX. Later statements come after earlier ones, and so have
// the last word (OpenVEX specification, "Updating Statements").
func parseVEX(file string, data []byte) ([]*Ignore, error) {
	var doc vexDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(doc.Context, "https://openvex.dev/ns") {
		return nil, errors.New("it is no OpenVEX document, and no list of entries with id, package, until and reason")
	}
	type dated struct {
		*Ignore
		at time.Time
	}
	var all []dated
	for n, s := range doc.Statements {
		if s.Vulnerability.Name == "" {
			return nil, fmt.Errorf("statement %d names no vulnerability", n+1)
		}
		entry := &Ignore{
			ID: s.Vulnerability.Name, Products: purls(s.Products), Reason: reason(s.Impact, s.Justification, s.Notes),
			Status: s.Status, Justification: s.Justification, place: fmt.Sprintf("%s: statement %d", file, n+1),
		}
		switch s.Status {
		case notAffected, fixed:
		case affected, "under_investigation":
			entry.Status = affected
		default:
			return nil, fmt.Errorf("statement %d has the status %q, which is none of OpenVEX", n+1, s.Status)
		}
		at := s.Timestamp
		if at.IsZero() {
			at = doc.Timestamp
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

// purls are those of the subcomponents, or of a product that names none: what is
// scanned is taken to be the product. It is never nil: a statement without
// products matches nothing.
func purls(products []vexProduct) []string {
	found := []string{}
	for _, p := range products {
		if len(p.Subcomponents) > 0 {
			found = append(found, purls(p.Subcomponents)...)
			continue
		}
		for _, id := range []string{p.Identifiers["purl"], p.ID} {
			if strings.HasPrefix(id, "pkg:") {
				found = append(found, id)
				break
			}
		}
	}
	return found
}

func reason(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(t string) bool { return t == "" }), "; ")
}
