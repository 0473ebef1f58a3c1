package sbom

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/package-url/packageurl-go"
)

// languageEcosystems maps a purl's type to the OSV ecosystem of its packages, and
// to how OSV writes their names.
var languageEcosystems = map[string]struct {
	ecosystem string
	name      func(namespace, name string) string
}{
	"npm":          {"npm", slashed},
	"pypi":         {"PyPI", bare},
	"golang":       {"Go", slashed},
	"maven":        {"Maven", joined(":")},
	"nuget":        {"NuGet", bare},
	"gem":          {"RubyGems", bare},
	"cargo":        {"crates.io", bare},
	"composer":     {"Packagist", slashed},
	"hex":          {"Hex", slashed},
	"pub":          {"Pub", bare},
	"conan":        {"ConanCenter", bare},
	"cran":         {"CRAN", bare},
	"hackage":      {"Hackage", bare},
	"swift":        {"SwiftURL", slashed},
	"bitnami":      {"Bitnami", bare},
	"julia":        {"Julia", bare},
	"opam":         {"opam", bare},
	"github":       {"GitHub Actions", slashed},
	"githubaction": {"GitHub Actions", slashed},
}

func bare(_, name string) string            { return name }
func slashed(namespace, name string) string { return joined("/")(namespace, name) }

func joined(by string) func(namespace, name string) string {
	return func(namespace, name string) string {
		if namespace == "" {
			return name
		}
		return namespace + by + name
	}
}

// FromPURL derives a component from its purl. Packages of distributions take
// their release from the qualifier distro, else from the document's release if it
// is of the same distribution; their source from upstream (Syft), or source and
// sourceversion (SCALIBR); and their epoch from epoch.
func FromPURL(text string, release Release) (Component, error) {
	if text == "" {
		return Component{}, errors.New("it has no purl, so it is matched with nothing")
	}
	c, err := named(text, release)
	if err != nil {
		return Component{}, err
	}
	if c.Name == "" || c.Version == "" {
		return Component{}, fmt.Errorf("its purl %q has no version, so it is matched with nothing", text)
	}
	return c, nil
}

// NamedBy returns what a purl by itself tells of a component: the version may be
// missing, and so may be the release of the distribution in its ecosystem.
func NamedBy(text string) (Component, error) {
	c, err := named(text, Release{})
	for _, nobodySays := range []string{":unknown", ":rolling"} {
		if id, ok := strings.CutSuffix(c.Ecosystem, nobodySays); ok {
			c.Ecosystem = anyRelease(id)
		}
	}
	return c, err
}

// anyRelease is OSV's name of a distribution. It is what the names of its releases
// begin with, so any will do; some have two numbers.
func anyRelease(id string) string {
	for _, version := range []string{"9", "9.9"} {
		name, _, _ := strings.Cut(Release{ID: id, Version: version}.completed().Ecosystem(), ":")
		if name != id {
			return name
		}
	}
	return id
}

func named(text string, release Release) (Component, error) {
	p, err := packageurl.FromString(text)
	if err != nil {
		return Component{}, fmt.Errorf("its purl %q cannot be read: %w", text, err)
	}
	c := Component{Name: p.Name, Version: p.Version, PURL: text}
	switch p.Type {
	case "deb", "apk", "rpm", "alpm":
		distributionPackage(&c, p, release)
	default:
		language, known := languageEcosystems[p.Type]
		if !known {
			return Component{}, fmt.Errorf("no ecosystem is known for purls of type %s, so it is matched with nothing", p.Type)
		}
		c.Ecosystem, c.Name = language.ecosystem, language.name(p.Namespace, p.Name)
		if p.Type == "golang" {
			c.Name, c.Version = modulePath(text), strings.TrimPrefix(c.Version, "v")
		}
	}
	// What is percent-encoded may be no UTF-8, and a document holds nothing else.
	for _, field := range []*string{&c.Ecosystem, &c.Name, &c.Version, &c.Source.Name, &c.Source.Version} {
		*field = strings.ToValidUTF8(*field, "\ufffd")
	}
	return c, nil
}

// modulePath is a Go module's path as the purl writes it: reading a purl makes it
// lower case, and advisories do not.
func modulePath(text string) string {
	_, module, _ := strings.Cut(text, "/")
	if end := strings.IndexAny(module, "@?#"); end >= 0 {
		module = module[:end]
	}
	if plain, err := url.PathUnescape(module); err == nil {
		module = plain
	}
	return strings.Trim(module, "/")
}

func distributionPackage(c *Component, p packageurl.PackageURL, release Release) {
	qualifiers := p.Qualifiers.Map()
	from := releaseOf(p, qualifiers["distro"], release)
	c.Ecosystem = from.Ecosystem()
	if _, released := osvEcosystems[from.ID]; released && c.Ecosystem == from.ID+":rolling" {
		c.Ecosystem = from.ID + ":unknown" // it has releases, and nobody says which
	}
	epoch := ""
	if n, err := strconv.ParseUint(qualifiers["epoch"], 10, 32); err == nil && n > 0 && !strings.Contains(c.Version, ":") {
		epoch = qualifiers["epoch"] + ":"
	}
	c.Version = epoch + c.Version
	name, version, _ := strings.Cut(qualifiers["upstream"], "@")
	switch {
	case p.Type == "rpm":
		if name == "" {
			name = qualifiers["sourcerpm"]
		}
		c.Source = SourceRPM(name, epoch)
	case name != "":
		c.Source = SourcePackage{name, version}
	case qualifiers["source"] != "":
		c.Source = SourcePackage{qualifiers["source"], qualifiers["sourceversion"]}
	case p.Type != "alpm":
		c.Source = SourcePackage{c.Name, c.Version} // a source of its own name
	}
	if c.Source.Name != "" && c.Source.Version == "" {
		c.Source.Version = c.Version
	}
}

// SourceRPM splits "name-version-release.src.rpm"; zero if it is none. The name
// has no epoch ("1:" or ""), which the packages of one build share but for rare
// exceptions.
func SourceRPM(file, epoch string) SourcePackage {
	nvr, ok := strings.CutSuffix(file, ".src.rpm")
	if !ok {
		nvr, ok = strings.CutSuffix(file, ".nosrc.rpm")
	}
	release := strings.LastIndexByte(nvr, '-')
	if !ok || release < 0 {
		return SourcePackage{}
	}
	version := strings.LastIndexByte(nvr[:release], '-')
	if version <= 0 {
		return SourcePackage{}
	}
	return SourcePackage{nvr[:version], epoch + nvr[version+1:]}
}

// idOf maps a purl's namespace, or what tools write before the version in distro,
// to os-release's ID where they differ.
var idOf = map[string]string{
	"redhat": "rhel", "centos": "centos", "alma": "almalinux", "rockylinux": "rocky",
	"opensuse": "opensuse-leap", "opensuse.leap": "opensuse-leap", "opensuse.tumbleweed": "opensuse-tumbleweed",
	"suse": "sles", "amazon": "amzn", "oracle": "ol", "openeuler": "openEuler", "cbl-mariner": "mariner", "arch": "arch",
}

// codenames are the versions of releases that purls name by their code name.
var codenames = map[string]Release{
	"buster": {ID: "debian", Version: "10"}, "bullseye": {ID: "debian", Version: "11"}, "bookworm": {ID: "debian", Version: "12"},
	"trixie": {ID: "debian", Version: "13"}, "xenial": {ID: "ubuntu", Version: "16.04"}, "bionic": {ID: "ubuntu", Version: "18.04"},
	"focal": {ID: "ubuntu", Version: "20.04"}, "jammy": {ID: "ubuntu", Version: "22.04"}, "noble": {ID: "ubuntu", Version: "24.04"},
}

// releaseOf reads "debian-12", "debian-12.5", "3.20.1", "bookworm" and nothing.
func releaseOf(p packageurl.PackageURL, distro string, document Release) Release {
	r := Release{ID: p.Namespace}
	if named, ok := codenames[distro]; ok {
		r = named
	} else if dash := strings.LastIndexByte(distro, '-'); dash > 0 && dash+1 < len(distro) && isDigit(distro[dash+1]) {
		r.ID, r.Version = distro[:dash], distro[dash+1:]
	} else if distro != "" && (isDigit(distro[0]) || distro[0] == 'v' || distro == "edge") {
		r.Version = distro
	} else if distro != "" {
		r.ID = distro // "wolfi", "arch", "opensuse-tumbleweed"
	}
	r.ID, document.ID = id(r.ID), id(document.ID)
	if r.ID == document.ID && (r.Version == "" || r.Version == document.Version) {
		return document.completed()
	}
	return r.completed()
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func id(name string) string {
	lower := strings.ToLower(name)
	if known, ok := idOf[lower]; ok {
		return known
	}
	return lower
}

// completed adds what the ID and the version imply of the rest: Red Hat's CPE and
// SUSE's name, which advisories are filed under.
func (r Release) completed() Release {
	major, minor, _ := strings.Cut(r.Version, ".")
	switch {
	case r.ID == "rhel" && r.CPEName == "" && (major == "8" || major == "9"):
		r.CPEName = "cpe:/o:redhat:enterprise_linux:" + major + "::baseos"
	case r.ID == "sles" && r.PrettyName == "" && major != "":
		r.PrettyName = "SUSE Linux Enterprise Server " + major
		if minor != "" && minor != "0" {
			r.PrettyName += " SP" + minor
		}
	}
	return r
}
