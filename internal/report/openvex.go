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

	"patrol/internal/openvex"
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
	named      map[string]*openvex.Statement
	statements []*openvex.Statement
}

func newOpenVEX(w io.Writer, _ Options) Format {
	return &openVEX{w: w, named: make(map[string]*openvex.Statement)}
}

func (o *openVEX) Begin(h *Head) error {
	o.head = h
	return nil
}

func (o *openVEX) Finding(f *Finding) error {
	if f.Severity == risk.Malicious {
		o.add(f, openvex.Statement{Status: openvex.Affected, Action: fmt.Sprintf("Remove %s (%s): it was made to harm.", f.Package, f.Component.Ecosystem)})
		return nil
	}
	if len(f.Fixed) == 0 {
		o.add(f, openvex.Statement{Status: openvex.UnderInvestigation, Notes: "The installed version is affected by the advisories " + strings.Join(f.Advisories, ", ") + "; no fix is known."})
		return nil
	}
	o.add(f, openvex.Statement{Status: openvex.Affected, Action: fmt.Sprintf("Upgrade %s (%s) to %s.", f.Package, f.Component.Ecosystem, strings.Join(f.Fixed, " or "))})
	return nil
}

// add puts the component into the statement that says the same of others.
func (o *openVEX) add(f *Finding, s openvex.Statement) {
	key := fmt.Sprintf("%q", []string{f.Vulnerability, s.Status, s.Notes, s.Justification, s.Impact, s.Action})
	known := o.named[key]
	if known == nil {
		s.Vulnerability = openvex.Vulnerability{Name: f.Vulnerability, Description: f.Summary, Aliases: distinct(f.Aliases)}
		known = &s
		o.named[key] = known
		o.statements = append(o.statements, known)
	}
	product := productOf(f)
	if !slices.ContainsFunc(known.Products, func(p openvex.Product) bool { return p.ID == product.ID }) {
		known.Products = append(known.Products, product)
	}
}

// productOf names a component by its purl, or by one made for it.
func productOf(f *Finding) openvex.Product {
	c := f.Component
	purl := c.PURL
	if purl == "" {
		purl = packageurl.NewPackageURL(packageurl.TypeGeneric, "", c.Name, c.Version, nil, "").ToString()
	}
	return openvex.ByPURL(purl)
}

func (o *openVEX) End(t *Tail) error {
	for i := range t.Ignored {
		o.ignored(&t.Ignored[i])
	}
	at := o.head.At.UTC().Format(time.RFC3339)
	doc := openvex.Document{
		Context: openvex.Context, Author: "Patrol", Role: "Vulnerability scanner", Timestamp: at, Version: 1,
		Tooling: "patrol " + o.head.Engine + ", feed revision " + o.head.Feed.Revision, Statements: o.statements,
	}
	if doc.Statements == nil {
		doc.Statements = []*openvex.Statement{}
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
	case openvex.NotAffected:
		s := openvex.Statement{Status: i.Status, Justification: i.Justification}
		if s.Justification == "" {
			s.Impact = cmp.Or(i.Reason, because)
		}
		o.add(&i.Finding, s)
	case openvex.Fixed:
		o.add(&i.Finding, openvex.Statement{Status: i.Status, Notes: i.Reason})
	default:
		if len(i.Fixed) == 0 {
			o.add(&i.Finding, openvex.Statement{Status: openvex.UnderInvestigation, Notes: "Ignored by " + because})
			return
		}
		o.add(&i.Finding, openvex.Statement{Status: openvex.Affected, Action: "Ignored by " + because})
	}
}
