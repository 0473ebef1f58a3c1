package match_test

import (
	"fmt"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

// The advisory speaks of the source package openssl, so the library built from
// it is found, and by the source's version.
func ExampleInventory() {
	knowledge := know(
		[]match.Record{{ID: "DEBIAN-CVE-2099-0001", Upstream: []string{"CVE-2099-0001"}}},
		match.Affected{
			Record: "DEBIAN-CVE-2099-0001", Ecosystem: "Debian:12", Package: "openssl",
			Ranges: []match.Range{{Type: "ECOSYSTEM", Events: []match.Event{
				{Kind: match.Introduced, Version: "0"},
				{Kind: match.Fixed, Version: "3.0.15-1~deb12u1"},
			}}},
		},
	)
	library := sbom.Key{
		Ecosystem: "Debian:12", Name: "libssl3", Version: "3.0.11-1~deb12u2",
		SourceName: "openssl", SourceVersion: "3.0.11-1~deb12u2",
	}
	result, err := match.Inventory(knowledge, []sbom.Key{library})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range result.Findings[library] {
		fmt.Println(f.Vulnerability, "in", f.Package, "is fixed in", f.Fixed, "says", f.Advisories)
	}
	// Output:
	// CVE-2099-0001 in openssl is fixed in [3.0.15-1~deb12u1] says [DEBIAN-CVE-2099-0001]
}
