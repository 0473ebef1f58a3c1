package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// osvScanner is a scan by osv-scanner: pairs with a record that says so.
type osvScanner struct {
	pairs      map[pair]*found
	components map[component]bool
}

// found is a record, and where in the target.
type found struct {
	record
	places []place
}

// place is a file of the target. Of a duplicate osv-scanner takes all in it for
// part of a package of the distribution.
type place struct {
	path      string
	duplicate bool
}

func readOSVScanner(file string) (*osvScanner, error) {
	var report struct {
		Results []struct {
			Source   struct{ Path string }
			Packages []struct {
				Package struct {
					Name, Version, Ecosystem string
					// OSPackageName is the binary's, where Name is the source's.
					OSPackageName string `json:"os_package_name"`
				}
				Vulnerabilities []record
				Groups          []struct{ IDs, Aliases []string }
			}
			Exploitability []struct {
				MatchesAllVulns bool
			} `json:"experimental_pes"`
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	o := &osvScanner{pairs: make(map[pair]*found), components: make(map[component]bool)}
	for _, result := range report.Results {
		at := place{result.Source.Path, len(result.Exploitability) > 0 && result.Exploitability[0].MatchesAllVulns}
		for _, p := range result.Packages {
			name := p.Package.OSPackageName
			if name == "" {
				name = p.Package.Name
			}
			c := newComponent(p.Package.Ecosystem, name, release(name, p.Package.Version))
			o.components[c] = true
			aliases := make(map[string][]string)
			for _, g := range p.Groups {
				for _, id := range g.IDs {
					aliases[id] = g.Aliases
				}
			}
			for _, r := range p.Vulnerabilities {
				for _, name := range r.names(aliases[r.ID]) {
					key := pair{name, c}
					if o.pairs[key] == nil {
						o.pairs[key] = &found{record: r}
					}
					o.pairs[key].places = append(o.pairs[key].places, at)
				}
			}
		}
	}
	return o, nil
}

// release undoes what osv-scanner makes of a Go tool chain whose patch release is
// not known: "1.22.99" of 1.22.
func release(name, version string) string {
	if name == "stdlib" {
		return strings.TrimSuffix(version, ".99")
	}
	return version
}
