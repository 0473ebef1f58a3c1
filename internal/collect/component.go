package collect

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/osv-scalibr/extractor"
	apkmeta "github.com/google/osv-scalibr/extractor/filesystem/os/apk/metadata"
	dpkgmeta "github.com/google/osv-scalibr/extractor/filesystem/os/dpkg/metadata"
	pacmanmeta "github.com/google/osv-scalibr/extractor/filesystem/os/pacman/metadata"
	rpmmeta "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"
	"github.com/google/osv-scalibr/purl"

	"patrol/internal/sbom"
)

// component translates a package that SCALIBR found in the file into ours. It
// is false for what is not installed, or has no name, version or ecosystem that
// could be matched.
func component(p *extractor.Package, file string, rel release) (sbom.Component, bool) {
	c := sbom.Component{Name: p.Name, Version: p.Version, Locations: []string{file}}
	known := true
	switch m := p.Metadata.(type) {
	case *dpkgmeta.Metadata:
		known = dpkgInstalled(m.Status, file)
		c.Ecosystem = rel.ecosystem()
		c.Source = dpkgSource(m)
	case *apkmeta.Metadata:
		c.Ecosystem = rel.ecosystem()
		// Every package of one build has the build's version.
		c.Source = sbom.SourcePackage{Name: cmp.Or(m.OriginName, p.Name), Version: p.Version}
	case *rpmmeta.Metadata:
		known = p.Name != "gpg-pubkey" // a key, kept in the same database
		c.Ecosystem = rel.ecosystem()
		c.Version = withEpoch(m.Epoch, p.Version)
		c.Source = rpmSource(m)
	case *pacmanmeta.Metadata:
		c.Ecosystem = rel.ecosystem()
	default:
		known = languagePackage(p, &c)
	}
	if !known || c.Name == "" || c.Version == "" || c.Ecosystem == "" {
		return sbom.Component{}, false
	}
	c.PURL = packageURL(p)
	return c, true
}

func packageURL(p *extractor.Package) string {
	u := p.PURL()
	if u == nil {
		return ""
	}
	if p.PURLType == purl.TypeNPM {
		// SCALIBR's guess where npm got it from depends on the kind of file that
		// names the package, which would make two components of one.
		u.Qualifiers = nil
	}
	return u.String()
}

// languagePackage fills in the ecosystem, and what it takes for the package to
// bear the name and version that OSV knows it by.
func languagePackage(p *extractor.Package, c *sbom.Component) bool {
	c.Ecosystem = p.Ecosystem().String()
	switch p.PURLType {
	case purl.TypeGolang:
		if p.Name == "go" { // what gobinary calls the tool chain
			p.Name, p.Version = "stdlib", goRelease(p.Version)
		}
		p.Version = strings.TrimPrefix(p.Version, "v")
	case purl.TypeNuget:
		p.Name = strings.TrimPrefix(p.Name, "runtimepack.")
	case purl.TypeMaven:
		if strings.ContainsAny(p.Version, "${}") { // a property never filled in
			return false
		}
	}
	c.Name, c.Version = p.Name, p.Version
	// GIT speaks of commits, which are not versions.
	return c.Ecosystem != "GIT"
}

var goVersion = regexp.MustCompile(`^(?:go)?(1(?:\.\d+){1,2})(?:(beta|rc)(\d+))?`)

// goRelease turns what a binary says of its tool chain ("go1.22.1 X:loopvar",
// "1.25rc1", "1.21.4-suffix") into the semantic version that OSV's records of
// stdlib compare with: "1.22.1", "1.25.0-rc.1", "1.21.4"; "" for a tool chain
// between releases.
func goRelease(v string) string {
	m := goVersion.FindStringSubmatch(v)
	switch {
	case m == nil:
		return ""
	case m[2] == "":
		return m[1]
	default:
		return fmt.Sprintf("%s.0-%s.%s", m[1], m[2], m[3])
	}
}

// dpkgInstalled judges the last word of "want flag status" (deb-…, dpkg(1)):
// from "unpacked" on the files are in place, configured or not.
func dpkgInstalled(status, file string) bool {
	if status == "" {
		// Distroless images have a file for each package, and no status.
		return strings.HasPrefix(file, "var/lib/dpkg/status.d/")
	}
	fields := strings.Fields(status)
	if len(fields) != 3 {
		return false
	}
	switch fields[2] {
	case "installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending":
		return true
	default: // not-installed, config-files, half-installed
		return false
	}
}

// dpkgSource: the Source field is there where it differs from Package, and has
// a version where that differs from Version (deb-control(5)).
func dpkgSource(m *dpkgmeta.Metadata) sbom.SourcePackage {
	return sbom.SourcePackage{Name: cmp.Or(m.SourceName, m.PackageName), Version: cmp.Or(m.SourceVersion, m.PackageVersion)}
}

// rpmSource is what the tag says, which has no epoch.
func rpmSource(m *rpmmeta.Metadata) sbom.SourcePackage {
	return sbom.SourceRPM(m.SourceRPM, withEpoch(m.Epoch, ""))
}

// withEpoch writes rpm's full version as advisories do. Without an epoch it is
// 0, which is never written; comparators read a missing one as 0.
func withEpoch(epoch int, version string) string {
	if epoch > 0 {
		return fmt.Sprintf("%d:%s", epoch, version)
	}
	return version
}
