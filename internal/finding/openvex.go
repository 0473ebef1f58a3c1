package finding

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"patrol/internal/openvex"
)

// Decisions travel as OpenVEX, one statement each:
//
//	not_affected    not_affected, its justification, the reason as impact_statement
//	false_positive  not_affected, the reason as impact_statement alone
//	risk_accepted   affected, "Accept the risk until …: the reason" as action_statement
//
// A statement's product is the component. What OpenVEX has no words for is said by
// URNs: the nodes of a decision are the product and its component the subcomponent,
// which is what these are for, and a package that is known by its advisories' name
// alone is a URN, too.

// The URNs of products.
const (
	allNodes       = "urn:patrol:nodes"
	nodePrefix     = "urn:patrol:node:"
	selectorPrefix = "urn:patrol:selector:"
	packagePrefix  = "urn:patrol:package:"
)

// product says which nodes and what of them a decision is about.
func (r DecisionRequest) product() openvex.Product {
	var what []openvex.Product
	switch {
	case r.Component != "":
		what = []openvex.Product{openvex.ByPURL(r.Component)}
	case r.Package != "":
		what = []openvex.Product{{ID: packagePrefix + url.PathEscape(r.Package)}}
	}
	switch {
	case r.Node != "":
		return openvex.Product{ID: nodePrefix + url.PathEscape(r.Node), Subcomponents: what}
	case r.Selector != "":
		return openvex.Product{ID: selectorPrefix + url.PathEscape(r.Selector), Subcomponents: what}
	case r.Component != "":
		return what[0]
	}
	return openvex.Product{ID: allNodes, Subcomponents: what}
}

// statement is what a decision says.
func (d Decision) statement() *openvex.Statement {
	s := &openvex.Statement{
		ID: "urn:uuid:" + d.ID, Vulnerability: openvex.Vulnerability{Name: d.Vulnerability}, Timestamp: d.CreatedAt.UTC().Format(time.RFC3339Nano),
		Products: []openvex.Product{d.product()}, Status: openvex.NotAffected, Notes: "Decided by " + d.Author + ".",
		Justification: d.Justification, Impact: d.Reason,
	}
	if d.Until == nil {
		return s
	}
	until := d.Until.UTC().Format(time.RFC3339Nano)
	if d.Status == RiskAccepted {
		s.Status, s.Impact, s.Action = openvex.Affected, "", "Accept the risk until "+until+": "+d.Reason
		return s
	}
	s.Notes = "Decided by " + d.Author + " until " + until + "."
	return s
}

var (
	acceptance = regexp.MustCompile(`(?s)^Accept the risk until (\S+): (.+)$`)
	ending     = regexp.MustCompile(`^Decided by .* until (\S+)\.$`)
)

// decides is what a statement decides, but for what it is about; why not, if
// nothing.
func decides(s *openvex.Statement, author string) (r DecisionRequest, unused string) {
	r = DecisionRequest{Justification: s.Justification, Reason: s.Impact, Status: NotAffected}
	switch s.Status {
	case openvex.Affected:
		said := acceptance.FindStringSubmatch(s.Action)
		if said == nil {
			return r, "it says that the product is affected"
		}
		until, err := time.Parse(time.RFC3339Nano, said[1])
		if err != nil {
			return r, "it says until when a risk is accepted, and that is no moment"
		}
		return DecisionRequest{Status: RiskAccepted, Reason: said[2], Until: &until}, ""
	case openvex.NotAffected:
	default:
		return r, "it says " + s.Status
	}
	switch {
	case s.Justification == "" && s.Impact == "":
		// OpenVEX, "Status Justifications": one of the two must be there.
		return r, "it has neither a justification nor an impact_statement"
	case s.Justification == "":
		r.Status = FalsePositive
	}
	if said := ending.FindStringSubmatch(s.Notes); said != nil {
		if until, err := time.Parse(time.RFC3339Nano, said[1]); err == nil {
			r.Until = &until
		}
	} else if r.Reason == "" {
		r.Reason = s.Notes
	}
	if r.Reason == "" {
		r.Reason = "As " + author + " states"
	}
	return r, ""
}

// about completes a decision with what a product and, if there is one, a
// subcomponent mean. The scope is that of the whole import.
func (r DecisionRequest) about(product openvex.Product, part *openvex.Product, scope VEXScope) (DecisionRequest, error) {
	r.Node, r.Selector = scope.Node, scope.Selector
	switch id := product.ID; {
	case strings.HasPrefix(id, "urn:patrol:"):
		if scope != (VEXScope{}) {
			return r, fmt.Errorf("it says itself which nodes it is about")
		}
		if err := r.aboutNodes(id); err != nil {
			return r, err
		}
	case part == nil:
		part = &product
	case scope == VEXScope{}:
		// Said of a part of that product: elsewhere the part may be vulnerable.
		return r, fmt.Errorf("it is about a part of %s, and nobody said on which nodes that is", product)
	}
	if part == nil {
		return r, nil
	}
	if name, ok := strings.CutPrefix(part.ID, packagePrefix); ok {
		plain, err := url.PathUnescape(name)
		r.Package = plain
		return r, err
	}
	if r.Component = part.PURL(); r.Component == "" {
		return r, fmt.Errorf("%q is no purl", part.ID)
	}
	return r, nil
}

func (r *DecisionRequest) aboutNodes(urn string) (err error) {
	if id, ok := strings.CutPrefix(urn, nodePrefix); ok {
		r.Node, err = url.PathUnescape(id)
	} else if selector, ok := strings.CutPrefix(urn, selectorPrefix); ok {
		r.Selector, err = url.PathUnescape(selector)
	} else if urn != allNodes {
		err = fmt.Errorf("%q means no nodes", urn)
	}
	return err
}
