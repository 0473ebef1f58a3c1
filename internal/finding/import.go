package finding

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"patrol/internal/match"
	"patrol/internal/openvex"
	"patrol/internal/platform/problem"
	"patrol/internal/sbom"
)

const (
	// VEXLimit is how many bytes an imported document may have.
	VEXLimit = 16 << 20
	// assertionLimit is how many products the statements of one may name together.
	assertionLimit = 20_000
)

// VEXScope says on which nodes the products of a document are; on all, if it is
// empty.
type VEXScope struct {
	Node     string `query:"node" doc:"Id of the one node that the document is about."`
	Selector string `query:"selector" maxLength:"4000" doc:"CEL over node: those that the document is about."`
}

// Imported is what came of a document.
type Imported struct {
	// Created are the decisions that were taken.
	Created []Assertion `json:"created"`
	// Present are those that were there before, word for word.
	Present []Assertion `json:"present"`
	// Unused are what no decision could be made of, and why.
	Unused []Assertion `json:"unused"`
}

// Assertion is what one statement says of one product.
type Assertion struct {
	Statement     int    `json:"statement" doc:"Its number in the document, from 1."`
	Vulnerability string `json:"vulnerability"`
	Product       string `json:"product"`
	Decision      string `json:"decision,omitempty" doc:"Id of the decision."`
	Reason        string `json:"reason,omitempty" doc:"Why it was not used."`

	request DecisionRequest
	named   named
	at      time.Time
	place   string // the product, if there is one
}

// Import makes decisions of an OpenVEX document: each statement that a product is
// not affected, or that its risk is accepted, is one. To import it again changes
// nothing. Nothing is taken of a document that is malformed; what fails later
// leaves what was taken before, and may be repeated.
func (s *Service) Import(ctx context.Context, document []byte, scope VEXScope, author string) (Imported, error) {
	doc, err := parseVEX(document)
	if err != nil {
		return Imported{}, err
	}
	if scope.Node != "" && scope.Selector != "" {
		return Imported{}, problem.Invalid("selector", "a document is about one node, about those of a selector, or about all")
	}
	means := selections{}
	if scope.Selector != "" {
		if err := s.selects(ctx, means, scope.Selector); err != nil {
			return Imported{}, err
		}
	}
	all, err := assertions(doc, scope)
	if err != nil {
		return Imported{}, err
	}
	if err := s.judge(ctx, all, means); err != nil {
		return Imported{}, err
	}
	came, err := s.takeAll(ctx, all, means, author)
	if err != nil {
		return came, err
	}
	return came, s.settle(ctx, means)
}

// parseVEX reads a document, and refuses what is none.
func parseVEX(data []byte) (*openvex.Document, error) {
	var doc openvex.Document
	decoder := json.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&doc)
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mistyped):
		return nil, problem.Invalid(cmp.Or(mistyped.Field, "document"), "is a JSON %s, which it cannot be", mistyped.Value)
	case err != nil:
		return nil, problem.Invalid("document", "is no JSON: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, problem.Invalid("document", "goes on after its end")
	}
	if !strings.HasPrefix(doc.Context, openvex.Namespace) {
		return nil, problem.Invalid("@context", "is not %s: it is no OpenVEX document", openvex.Context)
	}
	if doc.Statements == nil {
		return nil, problem.Invalid("statements", "is missing")
	}
	return &doc, nil
}

// assertions are what the statements say of each product.
func assertions(doc *openvex.Document, scope VEXScope) ([]*Assertion, error) {
	published, err := moment("timestamp", doc.Timestamp, time.Time{})
	if err != nil {
		return nil, err
	}
	author := doc.Author
	if author == "" {
		author = "the document"
	}
	all := []*Assertion{}
	for i, s := range doc.Statements {
		place := fmt.Sprintf("statements[%d]", i)
		if s == nil {
			return nil, problem.Invalid(place, "is null")
		}
		at, err := moment(place+".timestamp", s.Timestamp, published)
		if err != nil {
			return nil, err
		}
		if err := check(s, place); err != nil {
			return nil, err
		}
		said, unused := decides(s, author)
		said.Vulnerability = identity(s.Vulnerability)
		say := func(product openvex.Product, part *openvex.Product) {
			a := &Assertion{Statement: i + 1, Vulnerability: said.Vulnerability, Product: product.String(), Reason: unused, at: at}
			if part != nil {
				a.Product += " " + part.String()
			}
			a.place = a.Product
			if a.request, err = said.about(product, part, scope); err != nil && a.Reason == "" {
				a.Reason = err.Error()
			}
			all = append(all, a)
		}
		for _, product := range s.Products {
			for _, part := range product.Subcomponents {
				say(product, &part)
			}
			if len(product.Subcomponents) == 0 {
				say(product, nil)
			}
		}
		if len(s.Products) == 0 {
			all = append(all, &Assertion{Statement: i + 1, Vulnerability: said.Vulnerability, Reason: "it names no product"})
		}
		if len(all) > assertionLimit {
			return nil, problem.Invalid("statements", "name more than %d products: import it in parts", assertionLimit)
		}
	}
	return all, nil
}

func moment(field, text string, otherwise time.Time) (time.Time, error) {
	at, err := openvex.Moment(text, otherwise)
	if err != nil {
		return at, problem.Invalid(field, "is no moment such as 2026-05-01T00:00:00Z")
	}
	return at, nil
}

// check refuses a statement that OpenVEX does not know.
func check(s *openvex.Statement, place string) error {
	switch {
	case s.Vulnerability.Name == "":
		return problem.Invalid(place+".vulnerability.name", "is missing")
	case len(s.Vulnerability.Name) > 200:
		return problem.Invalid(place+".vulnerability.name", "has more than 200 bytes")
	case !openvex.IsStatus(s.Status):
		return problem.Invalid(place+".status", "is none of not_affected, affected, fixed and under_investigation")
	case s.Justification != "" && !openvex.IsJustification(s.Justification):
		return problem.Invalid(place+".justification", "is none of OpenVEX")
	}
	for _, text := range []*string{&s.Vulnerability.Name, &s.Impact, &s.Action, &s.Notes} {
		*text = sbom.CleanText(*text)
	}
	s.Impact, s.Notes = shortened(s.Impact), shortened(s.Notes)
	return nil
}

// shortened keeps what a reason may have.
func shortened(text string) string {
	const most = 4000
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}

// identity is the name that a vulnerability has here: the CVE, if it has one.
func identity(v openvex.Vulnerability) string {
	cves := slices.DeleteFunc(slices.Clone(v.Aliases), func(alias string) bool { return !match.IsCVE(alias) })
	if !match.IsCVE(v.Name) && len(cves) == 1 {
		return cves[0]
	}
	return v.Name
}
