package collect

import (
	"bufio"
	"io"
	"regexp"
	"strconv"
	"strings"

	"patrol/internal/sbom"
)

// release is os-release(5): KEY=value lines, values optionally quoted.
type release map[string]string

// parseRelease reads os-release. It stops at maxReleaseBytes, since the file is
// part of a tree that somebody else wrote.
func parseRelease(r io.Reader) release {
	const maxReleaseBytes = 64 << 10
	rel := release{}
	lines := bufio.NewScanner(io.LimitReader(r, maxReleaseBytes))
	for lines.Scan() {
		key, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		rel[key] = value
	}
	return rel
}

func (r release) distribution() sbom.Distribution {
	return sbom.Distribution{ID: r["ID"], Version: r["VERSION_ID"], Name: r["PRETTY_NAME"]}
}

// ecosystem is the OSV ecosystem of the distribution's own packages, with its
// release as OSV's advisories write it
// (https://ossf.github.io/osv-schema/#defined-ecosystems).
//
// Where OSV has none it is os-release's "ID:VERSION_ID". That holds for
// derivatives too: they rebuild and patch on their own, so a Kali or a Raspbian
// is not the Debian that its ID_LIKE names.
func (r release) ecosystem() string {
	version := r["VERSION_ID"]
	if format, ok := osvEcosystems[r["ID"]]; ok {
		if eco := format(r, version); eco != "" {
			return eco
		}
	}
	switch {
	case len(r) == 0:
		return "linux:unknown"
	case version != "":
	case r["VERSION_CODENAME"] != "": // Debian testing and unstable
		version = r["VERSION_CODENAME"]
	default:
		version = "rolling"
	}
	id := r["ID"]
	if id == "" {
		id = "linux" // os-release(5): the default of ID
	}
	return id + ":" + version
}

// osvEcosystems maps os-release's ID to OSV's name; "" where the release is not
// one that OSV has.
var osvEcosystems = map[string]func(r release, version string) string{
	"almalinux":                    major("AlmaLinux"),
	"alpaquita":                    exact("Alpaquita"),
	"alpine":                       alpine,
	"azurelinux":                   major("Azure Linux"),
	"bellsoft-hardened-containers": exact("BellSoft Hardened Containers"),
	"chainguard":                   unversioned("Chainguard"),
	"cleanstart":                   unversioned("CleanStart"),
	"clnstrt":                      unversioned("CleanStart"),
	"debian":                       major("Debian"),
	"echo":                         unversioned("Echo"),
	"mageia":                       major("Mageia"),
	"mariner":                      major("Azure Linux"),
	"minimos":                      unversioned("MinimOS"),
	"openEuler":                    openEuler,
	"opensuse-leap":                exact("openSUSE:Leap "),
	"opensuse-tumbleweed":          unversioned("openSUSE:Tumbleweed"),
	"photon":                       exact("Photon OS"),
	"rhel":                         redHat,
	"rocky":                        major("Rocky Linux"),
	"sles":                         suse,
	"sled":                         suse,
	"ubuntu":                       ubuntu,
	"wolfi":                        unversioned("Wolfi"),
}

func unversioned(name string) func(release, string) string {
	return func(release, string) string { return name }
}

// exact appends the version, after a colon unless the name has brought one.
func exact(name string) func(release, string) string {
	if !strings.Contains(name, ":") {
		name += ":"
	}
	return func(_ release, version string) string {
		if version == "" {
			return ""
		}
		return name + version
	}
}

// major is for distributions whose advisories speak of major releases only.
func major(name string) func(release, string) string {
	return func(_ release, version string) string {
		version, _, _ = strings.Cut(version, ".")
		if version == "" {
			return ""
		}
		return name + ":" + version
	}
}

// alpine: advisories are per branch ("v3.20"); between branches there is edge,
// whose VERSION_ID is that of the next branch with "_alpha" and a date.
func alpine(_ release, version string) string {
	if strings.Contains(version, "_alpha") {
		return "Alpine:edge"
	}
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return ""
	}
	return "Alpine:v" + parts[0] + "." + parts[1]
}

// ubuntu: the April releases of even years have long-term support.
func ubuntu(_ release, version string) string {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return ""
	}
	version = parts[0] + "." + parts[1]
	if year, err := strconv.Atoi(parts[0]); err == nil && year%2 == 0 && parts[1] == "04" {
		version += ":LTS"
	}
	return "Ubuntu:" + version
}

// redHat: OSV takes the suffix from the CPE, "cpe:/o:redhat:enterprise_linux:9::baseos".
func redHat(r release, _ string) string {
	if _, product, ok := strings.Cut(r["CPE_NAME"], ":redhat:"); ok {
		return "Red Hat:" + product
	}
	return ""
}

// suse: OSV writes the product's name, as in "SUSE:Linux Enterprise Server 15 SP5".
func suse(r release, _ string) string {
	if product, ok := strings.CutPrefix(r["PRETTY_NAME"], "SUSE "); ok {
		return "SUSE:" + product
	}
	return ""
}

var openEulerName = regexp.MustCompile(`^openEuler (\d{2}\.\d{2})(?: \((LTS(?:[- ]SP\d+)?)\))?$`)

// openEuler: only PRETTY_NAME tells a service pack, "openEuler 24.03 (LTS-SP1)".
func openEuler(r release, version string) string {
	if m := openEulerName.FindStringSubmatch(r["PRETTY_NAME"]); m != nil {
		version = m[1]
		if m[2] != "" {
			version += "-" + strings.ReplaceAll(m[2], " ", "-")
		}
	}
	return exact("openEuler")(r, version)
}
