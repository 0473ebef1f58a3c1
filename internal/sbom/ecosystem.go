package sbom

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// Release is what tells of a distribution which release it is: os-release(5)'s
// ID, VERSION_ID, VERSION_CODENAME, PRETTY_NAME and CPE_NAME. Documents of others
// often have the first two alone.
type Release struct{ ID, Version, Codename, PrettyName, CPEName string }

func (r Release) distribution() Distribution {
	return Distribution{ID: r.ID, Version: r.Version, Name: r.PrettyName}
}

// Ecosystem is the OSV ecosystem of the distribution's own packages, with its
// release as OSV's advisories write it
// (https://ossf.github.io/osv-schema/#defined-ecosystems).
//
// Where OSV has none it is os-release's "ID:VERSION_ID". That holds for
// derivatives too: they rebuild and patch on their own, so a Kali or a Raspbian
// is not the Debian that its ID_LIKE names. It is "linux:unknown" for the zero
// Release.
func (r Release) Ecosystem() string {
	if r == (Release{}) {
		return "linux:unknown"
	}
	if format, ok := osvEcosystems[r.ID]; ok {
		if eco := format(r, r.Version); eco != "" {
			return eco
		}
	}
	// os-release(5): the default of ID is linux. Debian testing and unstable have
	// a code name and no version.
	return cmp.Or(r.ID, "linux") + ":" + cmp.Or(r.Version, r.Codename, "rolling")
}

// osvEcosystems maps os-release's ID to OSV's name; "" where the release is not
// one that OSV has.
var osvEcosystems = map[string]func(r Release, version string) string{
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

func unversioned(name string) func(Release, string) string {
	return func(Release, string) string { return name }
}

// exact appends the version, after a colon unless the name has brought one.
func exact(name string) func(Release, string) string {
	if !strings.Contains(name, ":") {
		name += ":"
	}
	return func(_ Release, version string) string {
		if version == "" {
			return ""
		}
		return name + version
	}
}

// major is for distributions whose advisories speak of major releases only.
func major(name string) func(Release, string) string {
	return func(_ Release, version string) string {
		version, _, _ = strings.Cut(version, ".")
		if version == "" {
			return ""
		}
		return name + ":" + version
	}
}

// alpine: advisories are per branch ("v3.20"); between branches there is edge,
// whose VERSION_ID is that of the next branch with "_alpha" and a date.
func alpine(_ Release, version string) string {
	if strings.Contains(version, "_alpha") || version == "edge" {
		return "Alpine:edge"
	}
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return ""
	}
	return "Alpine:v" + parts[0] + "." + parts[1]
}

// ubuntu: the April releases of even years have long-term support.
func ubuntu(_ Release, version string) string {
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
func redHat(r Release, _ string) string {
	if _, product, ok := strings.Cut(r.CPEName, ":redhat:"); ok {
		return "Red Hat:" + product
	}
	return ""
}

// suse: OSV writes the product's name, as in "SUSE:Linux Enterprise Server 15 SP5".
func suse(r Release, _ string) string {
	if product, ok := strings.CutPrefix(r.PrettyName, "SUSE "); ok {
		return "SUSE:" + product
	}
	return ""
}

var openEulerName = regexp.MustCompile(`^openEuler (\d{2}\.\d{2})(?: \((LTS(?:[- ]SP\d+)?)\))?$`)

// openEuler: only PRETTY_NAME tells a service pack, "openEuler 24.03 (LTS-SP1)".
func openEuler(r Release, version string) string {
	if m := openEulerName.FindStringSubmatch(r.PrettyName); m != nil {
		version = m[1]
		if m[2] != "" {
			version += "-" + strings.ReplaceAll(m[2], " ", "-")
		}
	}
	return exact("openEuler")(r, version)
}
