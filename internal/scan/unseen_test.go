package scan_test

import (
	"strings"
	"testing"
	"time"

	"patrol/internal/collect"
	"patrol/internal/finding"
	"patrol/internal/platform/rest"
	"patrol/internal/sbom"
	"patrol/internal/wire"
)

// scanned carries a scan of a node through with what its agent found.
func (h house) scanned(node string, components []sbom.Component, warnings ...collect.Warning) (id string) {
	h.t.Helper()
	id = h.start(node)
	command := h.claim(node)
	doc := &sbom.Document{Distribution: sbom.Distribution{Name: "Debian GNU/Linux 12"}, Components: append([]sbom.Component{}, components...)}
	doc.Normalize()
	encoded, err := doc.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	digest := sbom.Digest(encoded)
	if err := h.fleet.Put(h.t.Context(), digest, encoded); err != nil {
		h.t.Fatal(err)
	}
	_, err = h.Finish(h.t.Context(), node, command.ID, wire.FinishRequest{LeaseID: command.LeaseID, DocumentDigest: digest, Warnings: warnings})
	if err != nil {
		h.t.Fatal(err)
	}
	if !h.match() {
		h.t.Fatal("nothing was matched")
	}
	return id
}

// TestUnreadableIsNotRemoved: a package database that cannot be read, for however
// many scans, closes nothing; one that is read and lacks the package does.
func TestUnreadableIsNotRemoved(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		gzip := []sbom.Component{{Ecosystem: "Debian:12", Name: "gzip", Version: "1.3.5-10", Locations: []string{"var/lib/dpkg/status"}}}
		open := func() []finding.Occurrence {
			page, err := h.findings.Occurrences(t.Context(), finding.OccurrenceQuery{State: "all"}, rest.Paging{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			return page.Items
		}
		h.scanned(node, gzip)
		found := len(open())
		if found == 0 {
			t.Fatal("gzip 1.3.5-10 has no occurrence")
		}
		for range 2 {
			id := h.scanned(node, nil, collect.Warning{Path: "var/lib/dpkg", Message: "input/output error"})
			for _, o := range open() {
				if o.ResolvedBecause != "" {
					t.Errorf("%s was resolved as %s without having been looked at", o.Vulnerability, o.ResolvedBecause)
				}
			}
			said := ""
			for _, n := range h.get(id).NotAssessed {
				said += n.Ecosystem + ": " + n.Reason + "\n"
			}
			if !strings.Contains(said, "Debian:12: 1 components stood") || !strings.Contains(said, "Debian GNU/Linux 12: var/lib/dpkg could not be read") {
				t.Errorf("not assessed = %s", said)
			}
			if n, err := h.fleet.Get(t.Context(), node); err != nil || len(n.NotAssessed) != 2 {
				t.Errorf("the node says %+v, %v", n.NotAssessed, err)
			}
		}
		h.scanned(node, nil, collect.Warning{Path: "srv/broken.jar", Message: "not a zip archive"})
		for _, o := range open() {
			if o.ResolvedBecause != finding.Removed {
				t.Errorf("%s is resolved as %q; want removed", o.Vulnerability, o.ResolvedBecause)
			}
		}
	})
}

// TestUnreadableIsNotYounger: what could not be looked at is there since it came, now
// and when it is found again; what went while nobody looked is not.
func TestUnreadableIsNotYounger(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		node := h.node("web-1")
		gzip := sbom.Component{Ecosystem: "Debian:12", Name: "gzip", Version: "1.3.5-10", Locations: []string{"var/lib/dpkg/status"}}
		jar := func(version string) sbom.Component {
			return sbom.Component{Ecosystem: "Maven", Name: "org.example:a", Version: version, Locations: []string{"srv/a.jar"}}
		}
		blind := collect.Warning{Path: "var/lib/dpkg", Message: "input/output error"}
		for i, step := range []struct {
			found    []sbom.Component
			warnings []collect.Warning
			want     int // since how many hours after noon gzip is there; 0 if it is not
		}{
			{found: []sbom.Component{jar("1")}},
			{found: []sbom.Component{jar("1"), gzip}, want: 2},
			{found: []sbom.Component{jar("1")}, warnings: []collect.Warning{blind}, want: 2},
			{found: []sbom.Component{jar("2")}, warnings: []collect.Warning{blind}, want: 2},
			{found: []sbom.Component{jar("3"), gzip}, want: 2},
			{found: []sbom.Component{jar("3")}, warnings: []collect.Warning{blind}, want: 2},
			{found: []sbom.Component{jar("3")}},
			{found: []sbom.Component{jar("3"), gzip}, want: 8},
			{found: []sbom.Component{jar("4"), gzip}, want: 8},
		} {
			h.clock.Advance(time.Hour)
			h.scanned(node, step.found, step.warnings...)
			page, err := h.findings.Occurrences(t.Context(), finding.OccurrenceQuery{}, rest.Paging{Limit: 10})
			if err != nil || (len(page.Items) == 0) != (step.want == 0) {
				t.Fatalf("hour %d: %+v, %v", i+1, page.Items, err)
			}
			for _, o := range page.Items {
				if o.DeployedAt == nil || !o.DeployedAt.Equal(noon.Add(time.Duration(step.want)*time.Hour)) {
					t.Errorf("hour %d: %s is in what is deployed since %v; want %d h after noon", i+1, o.Vulnerability, o.DeployedAt, step.want)
				}
			}
		}
	})
}
