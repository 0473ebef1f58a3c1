package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/package-url/packageurl-go"

	"patrol/internal/risk"
)

// openVEX writes OpenVEX 0.2.0. What a scanner can honestly say is that a version
// is in an affected range: "affected", with what to upgrade to; where no fix is
// known, there is no action to name yet, and so it is "under_investigation". It
// never says "not_affected" by itself: it only passes on what a document that was
// given to it says.
type openVEX struct {
	w          io.Writer
	head       *Head
	named      map[string]*vexStatement
	statements []*vexStatement
}

func newOpenVEX(w io.Writer, _ Options) Format {
	return &openVEX{w: w, named: make(map[string]*vexStatement)}
}

type vexDocument struct {
	Context    string          `json:"@context"`
	ID         string          `json:"@id"`
	Author     string          `json:"author"`
	Role       string          `json:"role"`
	Timestamp  string          `json:"timestamp"`
	Version    int             `json:"version"`
	Tooling    string          `json:"tooling"`
	Statements []*vexStatement `json:"statements"`
}

type vexStatement struct {
	Vulnerability vexVulnerability `json:"vulnerability"`
	Products      []vexProduct     `json:"products"`
	Status        string           `json:"status"`
	Notes         string           `json:"status_notes,omitempty"`
	Justification string           `json:"justification,omitempty"`
	Impact        string           `json:"impact_statement,omitempty"`
	Action        string           `json:"action_statement,omitempty"`
}

type vexVulnerability struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
}

type vexProduct struct {
	ID          string            `json:"@id"`
	Identifiers map[string]string `json:"identifiers"`
}

func (o *openVEX) Begin(h *Head) error {
	o.head = h
	return nil
}

func (o *openVEX) Finding(f *Finding) error {
	if f.Severity == risk.Malicious {
		o.add(f, vexStatement{Status: "affected", Action: fmt.Sprintf("Remove %s (%s): it was made to harm.", f.Package, f.Component.Ecosystem)})
		return nil
	}
	if len(f.Fixed) == 0 {
		o.add(f, vexStatement{Status: "under_investigation", Notes: "The installed version is affected by the advisories " + strings.Join(f.Advisories, ", ") + "; no fix is known."})
		return nil
	}
	o.add(f, vexStatement{Status: "affected", Action: fmt.Sprintf("Upgrade %s (%s) to %s.", f.Package, f.Component.Ecosystem, strings.Join(f.Fixed, " or "))})
	return nil
}

// add puts the component into the statement that says the same of others.
func (o *openVEX) add(f *Finding, s vexStatement) {
	key := fmt.Sprintf("%q", []string{f.Vulnerability, s.Status, s.Notes, s.Justification, s.Impact, s.Action})
	known := o.named[key]
	if known == nil {
		s.Vulnerability = vexVulnerability{f.Vulnerability, f.Summary, distinct(f.Aliases)}
		known = &s
		o.named[key] = known
		o.statements = append(o.statements, known)
	}
	product := productOf(f)
	if !slices.ContainsFunc(known.Products, func(p vexProduct) bool { return p.ID == product.ID }) {
		known.Products = append(known.Products, product)
	}
}

// productOf names a component by its purl, or by one made for it.
func productOf(f *Finding) vexProduct {
	c := f.Component
	purl := c.PURL
	if purl == "" {
		purl = packageurl.NewPackageURL(packageurl.TypeGeneric, "", c.Name, c.Version, nil, "").ToString()
	}
	return vexProduct{purl, map[string]string{"purl": purl}}
}

func (o *openVEX) End(t *Tail) error {
	for i := range t.Ignored {
		o.ignored(&t.Ignored[i])
	}
	at := o.head.At.UTC().Format(time.RFC3339)
	doc := vexDocument{
		Context: "https://openvex.dev/ns/v0.2.0", Author: "Patrol", Role: "Vulnerability scanner", Timestamp: at, Version: 1,
		Tooling: "patrol " + o.head.Engine + ", feed revision " + o.head.Feed.Revision, Statements: o.statements,
	}
	if doc.Statements == nil {
		doc.Statements = []*vexStatement{}
	}
	doc.ID = "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%q", []string{
		o.head.Target, o.head.SBOM.InventoryDigest, o.head.Feed.Revision, o.head.Feed.Intelligence, at,
	})).String()
	return writeJSON(o.w, doc)
}

// ignored passes on what VEX said; what only a policy ignores is affected all the
// same.
func (o *openVEX) ignored(i *Ignored) {
	because := strings.TrimSuffix(i.By+": "+i.Reason, ": ")
	switch i.Status {
	case "not_affected":
		s := vexStatement{Status: i.Status, Justification: i.Justification}
		if s.Justification == "" {
			s.Impact = cmp.Or(i.Reason, because)
		}
		o.add(&i.Finding, s)
	case "fixed":
		o.add(&i.Finding, vexStatement{Status: i.Status, Notes: i.Reason})
	default:
		if len(i.Fixed) == 0 {
			o.add(&i.Finding, vexStatement{Status: "under_investigation", Notes: "Ignored by " + because})
			return
		}
		o.add(&i.Finding, vexStatement{Status: "affected", Action: "Ignored by " + because})
	}
}
