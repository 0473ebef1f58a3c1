package finding_test

import (
	"testing"

	"patrol/internal/finding"
	"patrol/internal/platform/rest"
)

// A CVE that comes later renames the vulnerability: what was open stays open,
// since when it was.
func TestCVEThatComesLater(t *testing.T) {
	const ghsa, cve = "GHSA-aaaa-bbbb-cccc", "CVE-2099-0001"
	unnamed := advisory{ghsa, "PyPI", "jinja2", "3.0", ghsa, ""}
	named := advisory{ghsa, "PyPI", "jinja2", "3.0", cve, ""}
	other := advisory{"PYSEC-2099-1", "PyPI", "jinja2", "3.0", cve, ""}
	for name, revisions := range map[string][]revision{
		"renamed":                       {{"r1", []advisory{unnamed}}, {"r2", []advisory{named}}},
		"merged with the CVE's own row": {{"r1", []advisory{unnamed}}, {"r2", []advisory{unnamed, other}}, {"r3", []advisory{named, other}}},
		"merged into the CVE's own row": {{"r1", []advisory{other}}, {"r2", []advisory{unnamed, other}}, {"r3", []advisory{named, other}}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h house) {
				node := h.node("web-1")
				var scans []string
				for _, rev := range revisions {
					id, _, _ := h.scan(node, rev, python("jinja2", "2.9"))
					scans = append(scans, id)
				}
				got := h.occurrences(node)
				if len(got) != 1 || got[0].Vulnerability != cve || !got[0].ResolvedAt.IsZero() || got[0].OpenedBecause != finding.FirstScan {
					t.Errorf("occurrences = %+v; want one of %s, open since the first scan", got, cve)
				}
				if n := h.count(`SELECT count(*) FROM vulnerability`); n != 1 {
					t.Errorf("%d vulnerabilities, want 1", n)
				}
				for _, id := range scans {
					page, err := h.List(t.Context(), finding.Query{Scan: id}, rest.Paging{Limit: 10})
					if err != nil || len(page.Items) == 0 {
						t.Fatalf("scan %s: %+v, %v", id, page.Items, err)
					}
					for _, f := range page.Items {
						if f.Vulnerability != cve {
							t.Errorf("scan %s found %s", id, f.Vulnerability)
						}
					}
				}
			})
		})
	}
}
