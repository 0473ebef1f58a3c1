package collect

import (
	"testing"

	rpmmeta "github.com/google/osv-scalibr/extractor/filesystem/os/rpm/metadata"

	"patrol/internal/sbom"
)

func TestGoRelease(t *testing.T) {
	tests := []struct{ in, want string }{
		{"1.22.1", "1.22.1"},
		{"go1.22.1", "1.22.1"},
		{"go1.21", "1.21"},
		{"1.22.1 X:loopvar", "1.22.1"},
		{"1.26.8-X:nodwarf5", "1.26.8"},
		{"1.21.4-suffix", "1.21.4"},
		{"1.19.6 (Red Hat 1.19.6-1.el9)", "1.19.6"},
		{"1.25rc1", "1.25.0-rc.1"},
		{"1.18beta2", "1.18.0-beta.2"},
		{"devel", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := goRelease(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestRPMSource(t *testing.T) {
	tests := []struct {
		file  string
		epoch int
		want  sbom.SourcePackage
	}{
		{"bash-5.1.8-6.el9.src.rpm", 0, sbom.SourcePackage{Name: "bash", Version: "5.1.8-6.el9"}},
		{"openssl-3.0.7-27.el9.src.rpm", 1, sbom.SourcePackage{Name: "openssl", Version: "1:3.0.7-27.el9"}},
		{"python3-dns-2.1-1.nosrc.rpm", 0, sbom.SourcePackage{Name: "python3-dns", Version: "2.1-1"}},
		{"", 0, sbom.SourcePackage{}},
		{"odd.src.rpm", 0, sbom.SourcePackage{}},
		{"-1-2.src.rpm", 0, sbom.SourcePackage{}},
	}
	for _, tt := range tests {
		if got := rpmSource(&rpmmeta.Metadata{SourceRPM: tt.file, Epoch: tt.epoch}); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.file, got, tt.want)
		}
	}
}

func TestDPKGInstalled(t *testing.T) {
	const status, distroless = "var/lib/dpkg/status", "var/lib/dpkg/status.d/tzdata"
	tests := []struct {
		status, file string
		want         bool
	}{
		{"install ok installed", status, true},
		{"hold ok installed", status, true},
		{"install ok unpacked", status, true},
		{"install ok half-configured", status, true},
		{"install ok triggers-awaited", status, true},
		{"install ok triggers-pending", status, true},
		{"deinstall ok config-files", status, false},
		{"install reinstreq half-installed", status, false},
		{"purge ok not-installed", status, false},
		{"installed", status, false},
		{"", status, false},
		{"", distroless, true},
	}
	for _, tt := range tests {
		if got := dpkgInstalled(tt.status, tt.file); got != tt.want {
			t.Errorf("%q in %s: got %v, want %v", tt.status, tt.file, got, tt.want)
		}
	}
}

func TestBuiltByDistribution(t *testing.T) {
	tests := []struct {
		maintainer string
		want       bool
	}{
		{"Debian Python Team <team+python@tracker.debian.org>", true},
		{"Matthias Klose <doko@debian.org>", true},
		{"Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>", true},
		{"Docker <support@docker.com>", false},
		{"Somebody <me@notdebian.org>", false},
		{"", false},
	}
	for _, tt := range tests {
		if got := builtByDistribution(tt.maintainer); got != tt.want {
			t.Errorf("%q: got %v, want %v", tt.maintainer, got, tt.want)
		}
	}
}
