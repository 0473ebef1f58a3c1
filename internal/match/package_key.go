package match

import (
	"regexp"
	"strings"
)

var pypiSeparators = regexp.MustCompile(`[-_.]+`)

// PackageKey returns the form under which a package's name is compared in its
// ecosystem. PyPI ignores case and separators (PEP 503); NuGet and Packagist
// ignore case. Everywhere else names are exact.
func PackageKey(ecosystem, name string) string {
	switch base, _, _ := strings.Cut(ecosystem, ":"); base {
	case "PyPI":
		return strings.ToLower(pypiSeparators.ReplaceAllString(name, "-"))
	case "NuGet", "Packagist":
		return strings.ToLower(name)
	default:
		return name
	}
}
