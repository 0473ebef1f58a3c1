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

// NamedExactly tells whether advisories of an ecosystem name its packages just as
// components are named: neither by their source nor in another form.
func NamedExactly(ecosystem string) bool {
	switch base := Base(ecosystem); base {
	case "PyPI", "NuGet", "Packagist":
		return false
	default:
		return !bySource[base]
	}
}
