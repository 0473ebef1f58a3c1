package finding_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"patrol/internal/finding"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
	"patrol/internal/risk"
	"patrol/internal/sbom"
)

// list reads all pages of a list.
func (h house) list(q finding.Query, limit int) []finding.Finding {
	h.t.Helper()
	all := []finding.Finding{}
	for cursor := ""; ; {
		page, err := h.List(h.t.Context(), q, rest.Paging{Limit: limit, Cursor: cursor})
		if err != nil || page.Items == nil || len(page.Items) > limit {
			h.t.Fatalf("page = %+v, %v", page, err)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

func names(findings []finding.Finding) []string {
	all := make([]string, len(findings))
	for i, f := range findings {
		all[i] = f.Vulnerability + " " + f.Component.Name
	}
	return all
}

func TestListWorstFirst(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{
			{"D-1", "Debian:12", "openssl", "", "CVE-2026-1", ""},
			{"D-2", "Debian:12", "openssl", "", "CVE-2026-2", critical},
			{"D-3", "Debian:12", "openssl", "", "CVE-2026-3", medium},
			{"MAL-4", "Debian:12", "bash", "", "MAL-4", ""},
			{"D-5", "Debian:12", "openssl", "", "CVE-2026-0", critical},
		}}
		h.scan(h.node("web-1"), rev, vulnerable, bash)
		want := []string{"MAL-4 bash", "CVE-2026-0 libssl3", "CVE-2026-2 libssl3", "CVE-2026-3 libssl3", "CVE-2026-1 libssl3"}
		all := h.list(finding.Query{}, 100)
		if got := names(all); !slices.Equal(got, want) {
			t.Errorf("list = %q; want %q", got, want)
		}
		severities := []risk.Severity{risk.Malicious, risk.Critical, risk.Critical, risk.Medium, risk.Unknown}
		for i, f := range all {
			if f.Severity != severities[i] || f.CVSS == nil || f.Aliases == nil || f.Fixed == nil || len(f.Advisories) != 1 {
				t.Errorf("finding = %+v; want it %s, with lists", f, severities[i])
			}
		}
	})
}

// Many findings that are equal in severity and name fall on any page boundary.
func TestListPagesOverTies(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		components := []sbom.Component{}
		for i := range 23 {
			components = append(components, deb(fmt.Sprintf("libssl%02d", i), "openssl", "3.0.11-1"))
		}
		h.scan(h.node("web-1"), known, components...)
		whole := names(h.list(finding.Query{}, 1000))
		if len(whole) != 23 {
			t.Fatalf("%d findings; want 23", len(whole))
		}
		for limit := 1; limit <= 24; limit++ {
			if got := names(h.list(finding.Query{}, limit)); !slices.Equal(got, whole) {
				t.Errorf("pages of %d: %q; want %q", limit, got, whole)
			}
		}
	})
}

func TestListFilters(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{heartbleed, {"D-2", "Debian:12", "bash", "5.3-1", "CVE-2026-2", medium}}}
		node, other := h.node("web-1"), h.node("web-2")
		first, _, _ := h.scan(node, rev, vulnerable, bash)
		second, _, _ := h.scan(node, rev, fixed, bash)
		h.scan(other, rev, vulnerable)
		for q, want := range map[finding.Query][]string{
			{}:                                {"CVE-2014-0160 libssl3", "CVE-2026-2 bash"},
			{Node: node}:                      {"CVE-2026-2 bash"},
			{Node: other}:                     {"CVE-2014-0160 libssl3"},
			{Scan: first}:                     {"CVE-2014-0160 libssl3", "CVE-2026-2 bash"},
			{Scan: second}:                    {"CVE-2026-2 bash"},
			{Severity: "critical"}:            {"CVE-2014-0160 libssl3"},
			{Severity: "low"}:                 {},
			{Vulnerability: "CVE-2026-2"}:     {"CVE-2026-2 bash"},
			{Scan: first, Severity: "medium"}: {"CVE-2026-2 bash"},
		} {
			if got := names(h.list(q, 1)); !slices.Equal(got, want) {
				t.Errorf("%+v: %q; want %q", q, got, want)
			}
		}
		// An empty list would read as clean.
		for _, q := range []finding.Query{{Node: "no such node"}, {Scan: "no such scan"}} {
			var p *problem.Error
			if _, err := h.List(t.Context(), q, rest.Paging{Limit: 1}); !errors.As(err, &p) || p.Kind != problem.KindNotFound {
				t.Errorf("%+v: %v; want not found", q, err)
			}
		}
	})
}

// A finding that many nodes have is listed once; where it stands is told of one.
func TestListLocations(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		rev := revision{"r", []advisory{{"GO-1", "Go", "golang.org/x/net", "0.23.0", "CVE-2023-45288", medium}}}
		net := func(purl string, locations ...string) sbom.Component {
			return sbom.Component{Ecosystem: "Go", Name: "golang.org/x/net", Version: "0.17.0", PURL: purl, Locations: locations}
		}
		other := sbom.Component{Ecosystem: "Go", Name: "golang.org/x/nets", Version: "0.17.0", Locations: []string{"elsewhere"}}
		h.scan(h.node("web-1"), rev, net("pkg:a", "usr/bin/b", "usr/bin/a"), net("pkg:b", "opt/c", "usr/bin/a"), other)
		node := h.node("web-2")
		h.scan(node, rev, net("pkg:a", "usr/bin/b", "usr/bin/a"), net("pkg:b", "opt/c", "usr/bin/a"), other)
		if all := h.list(finding.Query{}, 10); len(all) != 1 || len(all[0].Component.Locations) > 0 {
			t.Fatalf("list = %+v; want one finding, in no particular place", all)
		}
		all := h.list(finding.Query{Node: node}, 10)
		if len(all) != 1 {
			t.Fatalf("list = %+v; want one finding", all)
		}
		if want := []string{"opt/c", "usr/bin/a", "usr/bin/b"}; !slices.Equal(all[0].Component.Locations, want) {
			t.Errorf("locations = %q; want %q", all[0].Component.Locations, want)
		}
		if f := all[0]; f.Package != "golang.org/x/net" || !slices.Equal(f.Fixed, []string{"0.23.0"}) || !slices.Equal(f.Advisories, []string{"GO-1"}) {
			t.Errorf("finding = %+v", f)
		}
	})
}
