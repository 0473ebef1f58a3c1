package report

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"

	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// cycloneDX writes CycloneDX 1.6: the SBOM, with the vulnerabilities of its
// components. What is ignored is there too, with what was said of it.
type cycloneDX struct {
	w     io.Writer
	bom   *cyclonedx.BOM
	named map[string]int // vulnerability → where it stands in list
	list  []*cyclonedx.Vulnerability
}

func newCycloneDX(w io.Writer, _ Options) Format {
	return &cycloneDX{w: w, named: make(map[string]int)}
}

func (c *cycloneDX) Begin(h *Head) error {
	c.bom = documentOf(h).CycloneDX(about(h))
	return nil
}

func (c *cycloneDX) Finding(f *Finding) error {
	v := c.vulnerability(f, f.Vulnerability)
	c.affects(v, f)
	return nil
}

func (c *cycloneDX) End(t *Tail) error {
	for i := range t.Ignored {
		c.ignored(&t.Ignored[i])
	}
	vulnerabilities := make([]cyclonedx.Vulnerability, len(c.list))
	for i, v := range c.list {
		vulnerabilities[i] = *v
	}
	c.bom.Vulnerabilities = &vulnerabilities
	encoder := cyclonedx.NewBOMEncoder(c.w, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	return encoder.EncodeVersion(c.bom, cyclonedx.SpecVersion1_6)
}

// vulnerability returns the entry under that key, which it makes at first.
func (c *cycloneDX) vulnerability(f *Finding, key string) *cyclonedx.Vulnerability {
	if i, known := c.named[key]; known {
		return c.list[i]
	}
	v := &cyclonedx.Vulnerability{
		BOMRef: fmt.Sprintf("vulnerability-%d", len(c.list)+1), ID: f.Vulnerability, Source: osv(f.Vulnerability),
		Description: f.Summary, Ratings: ratings(f), Affects: &[]cyclonedx.Affects{},
	}
	var references []cyclonedx.VulnerabilityReference
	for _, id := range distinct(slices.Concat(f.Aliases, f.Advisories)) {
		if id != f.Vulnerability {
			references = append(references, cyclonedx.VulnerabilityReference{ID: id, Source: osv(id)})
		}
	}
	if references != nil {
		v.References = &references
	}
	c.named[key] = len(c.list)
	c.list = append(c.list, v)
	return v
}

// affects says that the component has the vulnerability, and what fixes it there.
func (c *cycloneDX) affects(v *cyclonedx.Vulnerability, f *Finding) {
	*v.Affects = append(*v.Affects, cyclonedx.Affects{
		Ref: f.Component.Ref(), Range: &[]cyclonedx.AffectedVersions{{Version: f.Component.Version, Status: cyclonedx.VulnerabilityStatusAffected}},
	})
	if len(f.Fixed) == 0 {
		return
	}
	advice := fmt.Sprintf("Upgrade %s (%s) to %s.", f.Package, f.Component.Ecosystem, strings.Join(f.Fixed, " or "))
	if !strings.Contains(v.Recommendation, advice) {
		v.Recommendation = strings.TrimSpace(v.Recommendation + " " + advice)
	}
}

// ignored is an entry of its own: a component may be ignored where another is not.
func (c *cycloneDX) ignored(i *Ignored) {
	v := c.vulnerability(&i.Finding, i.Vulnerability+"\n"+i.By+"\n"+i.Status)
	c.affects(v, &i.Finding)
	v.Analysis = &cyclonedx.VulnerabilityAnalysis{Detail: i.Reason}
	switch i.Status {
	case "not_affected":
		v.Analysis.State = cyclonedx.IASNotAffected
	case "fixed":
		v.Analysis.State = cyclonedx.IASResolved
	}
	properties := []cyclonedx.Property{{Name: "patrol:ignored_by", Value: i.By}}
	if i.Until != "" {
		properties = append(properties, cyclonedx.Property{Name: "patrol:ignored_until", Value: i.Until})
	}
	v.Properties = &properties
}

func ratings(f *Finding) *[]cyclonedx.VulnerabilityRating {
	var list []cyclonedx.VulnerabilityRating
	for _, c := range f.CVSS {
		list = append(list, cyclonedx.VulnerabilityRating{
			Source: &cyclonedx.Source{Name: c.Source}, Score: &c.Score, Severity: cyclonedx.Severity(risk.Rate(c.Score)), Method: method(c.Vector), Vector: c.Vector,
		})
	}
	if f.EPSS != nil {
		list = append(list, cyclonedx.VulnerabilityRating{Source: &cyclonedx.Source{Name: "EPSS"}, Score: f.EPSS, Method: "other"})
	}
	if len(f.CVSS) == 0 || f.Severity == risk.Malicious {
		severity := cyclonedx.Severity(f.Severity)
		if f.Severity == risk.Malicious {
			severity = cyclonedx.SeverityCritical
		}
		list = append([]cyclonedx.VulnerabilityRating{{Source: &cyclonedx.Source{Name: "patrol"}, Severity: severity, Method: "other"}}, list...)
	}
	return &list
}

func method(vector string) cyclonedx.ScoringMethod {
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		return cyclonedx.ScoringMethodCVSSv4
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		return cyclonedx.ScoringMethodCVSSv31
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		return cyclonedx.ScoringMethodCVSSv3
	default:
		return cyclonedx.ScoringMethodCVSSv2
	}
}

func osv(id string) *cyclonedx.Source {
	return &cyclonedx.Source{Name: "OSV", URL: osvURL(id)}
}

// osvURL is the page about an id of any database.
func osvURL(id string) string { return "https://osv.dev/vulnerability/" + url.PathEscape(id) }

// about is what an SBOM says of itself.
func about(h *Head) sbom.About { return sbom.About{Target: h.Target, Version: h.Engine, At: h.At} }

// documentOf is the head's document, which may be none.
func documentOf(h *Head) *sbom.Document {
	if h.Document == nil {
		return &sbom.Document{}
	}
	return h.Document
}
