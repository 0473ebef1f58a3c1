package finding

import (
	"fmt"
	"slices"

	"github.com/package-url/packageurl-go"

	"patrol/internal/match"
	"patrol/internal/sbom"
)

// named is a component as a decision names it: by a purl, which need not tell the
// version or the distribution's release. What is left out is any.
type named struct {
	ecosystem, name, version string
	// source says that they are those of a source package (arch=source).
	source bool
}

// understood are the qualifiers that do not make another component of it. Builds
// for several architectures are one component, so arch cannot narrow a decision.
var understood = []string{"arch", "distro", "epoch", "origin", "source", "sourcerpm", "sourceversion", "type", "upstream"}

// namedBy reads a purl. One that says more than components are told apart by is
// refused: a decision would apply to more than what was said.
func namedBy(purl string) (named, error) {
	p, err := packageurl.FromString(purl)
	if err != nil {
		return named{}, fmt.Errorf("the purl %q cannot be read: %w", purl, err)
	}
	for _, q := range p.Qualifiers {
		if !slices.Contains(understood, q.Key) {
			return named{}, fmt.Errorf("components are not told apart by the qualifier %s of the purl %q", q.Key, purl)
		}
	}
	if p.Subpath != "" {
		return named{}, fmt.Errorf("components are not told apart by the subpath of the purl %q", purl)
	}
	c, err := sbom.NamedBy(purl)
	if err != nil {
		return named{}, err
	}
	n := named{ecosystem: c.Ecosystem, version: c.Version, source: p.Qualifiers.Map()["arch"] == "source"}
	if p.Version == "" {
		n.version = "" // nor is an epoch alone one
	}
	n.name = match.PackageKey(n.ecosystem, c.Name)
	return n, nil
}

// meansComponent holds for a decision d about a component c. PackageKey says which
// ecosystems compare names how.
const meansComponent = `(c.ecosystem = d.ecosystem OR substr(c.ecosystem, 1, length(d.ecosystem) + 1) = d.ecosystem || ':')
	AND d.name = CASE WHEN d.source = 1 THEN c.source_name
		WHEN d.ecosystem = 'PyPI' THEN replace(replace(lower(c.name), '_', '-'), '.', '-')
		WHEN d.ecosystem IN ('NuGet', 'Packagist') THEN lower(c.name) ELSE c.name END
	AND d.version IN ('', CASE WHEN d.source = 1 THEN c.source_version ELSE c.version END)`
