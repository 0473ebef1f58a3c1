package main

// osvScanner is a scan by osv-scanner: pairs with a record that says so.
type osvScanner struct {
	pairs      map[pair]found
	components map[component]bool
}

// found is a record at a place of the target.
type found struct {
	record
	place string
	// duplicate tells that osv-scanner takes all there for part of a package of
	// the distribution.
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
	if err := readJSON(file, &report); err != nil {
		return nil, err
	}
	o := &osvScanner{pairs: make(map[pair]found), components: make(map[component]bool)}
	for _, result := range report.Results {
		duplicate := len(result.Exploitability) > 0 && result.Exploitability[0].MatchesAllVulns
		for _, p := range result.Packages {
			name := p.Package.OSPackageName
			if name == "" {
				name = p.Package.Name
			}
			c := newComponent(p.Package.Ecosystem, name, p.Package.Version)
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
					if before, ok := o.pairs[key]; !ok || before.duplicate {
						o.pairs[key] = found{r, result.Source.Path, duplicate}
					}
				}
			}
		}
	}
	return o, nil
}
