package collect_test

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect"
	"patrol/internal/sbom"
)

// The package database of a real Debian 12 system.
func TestDebian(t *testing.T) {
	result := dir(t, filepath.Join("testdata", "debian12"))
	d := result.Document
	if want := (sbom.Distribution{ID: "debian", Version: "12", Name: "Debian GNU/Linux 12 (bookworm)"}); d.Distribution != want {
		t.Errorf("distribution %v, want %v", d.Distribution, want)
	}
	if len(d.Components) != 345 || len(result.Warnings) != 0 || result.Files != 4 {
		t.Errorf("%d components, warnings %v, %d files; want 345, none, 4", len(d.Components), result.Warnings, result.Files)
	}
	for _, c := range d.Components {
		if c.Ecosystem != "Debian:12" || c.Source.Name == "" || c.Source.Version == "" || c.PURL == "" {
			t.Errorf("%v lacks its ecosystem, source or purl", c)
		}
	}
	tests := []struct {
		name, version string
		source        sbom.SourcePackage
	}{
		{"postgresql", "15+248+deb12u1", sbom.SourcePackage{Name: "postgresql-common", Version: "248+deb12u1"}},
		{"ruby-bundler", "2.3.15-2+deb12u1", sbom.SourcePackage{Name: "rubygems", Version: "3.3.15-2+deb12u1"}},
		{"bash", "5.2.15-2+b13", sbom.SourcePackage{Name: "bash", Version: "5.2.15-2"}},
		{"bsdutils", "1:2.38.1-5+deb12u3", sbom.SourcePackage{Name: "util-linux", Version: "2.38.1-5+deb12u3"}},
		{"libcap2", "1:2.66-4+deb12u3+b1", sbom.SourcePackage{Name: "libcap2", Version: "1:2.66-4+deb12u3"}},
	}
	other := 0
	for _, c := range d.Components {
		if c.Source.Version != c.Version {
			other++
		}
	}
	if other != 19 {
		t.Errorf("%d binaries have another version than their source, want 19", other)
	}
	for _, tt := range tests {
		if c := find(t, d, tt.name); c.Version != tt.version || c.Source != tt.source {
			t.Errorf("%s: %s from %v, want %s from %v", tt.name, c.Version, c.Source, tt.version, tt.source)
		}
	}
	if got, want := find(t, d, "bash").PURL, "pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64&distro=bookworm&source=bash&sourceversion=5.2.15-2"; got != want {
		t.Errorf("purl %s, want %s", got, want)
	}
}

func TestSystems(t *testing.T) {
	tests := []struct {
		archive string
		prepare func(t *testing.T, root string)
		want    []string
		sources map[string]sbom.SourcePackage
	}{
		{
			archive: "ubuntu.txtar", // the wheel of dpkg's python3-yaml is the distribution's
			want: []string{
				"PyPI requests 2.31.0",
				"Ubuntu:24.04:LTS held 1.0-1", "Ubuntu:24.04:LTS is-half-configured 1.0-1", "Ubuntu:24.04:LTS is-installed 1.0-1",
				"Ubuntu:24.04:LTS is-triggers-awaited 1.0-1", "Ubuntu:24.04:LTS is-triggers-pending 1.0-1",
				"Ubuntu:24.04:LTS is-unpacked 1.0-1", "Ubuntu:24.04:LTS python3-yaml 6.0.1-2build2",
				"Ubuntu:24.04:LTS renamed 1.0-2", "Ubuntu:24.04:LTS vendor-tool 3.0",
			},
			sources: map[string]sbom.SourcePackage{
				"held":        {Name: "kept", Version: "2:0.9-1"},
				"renamed":     {Name: "origin", Version: "1.0-2"},
				"vendor-tool": {Name: "vendor-tool", Version: "3.0"},
			},
		},
		{
			archive: "distroless.txtar",
			want:    []string{"Debian:12 tzdata 2024a-0+deb12u1"},
			sources: map[string]sbom.SourcePackage{"tzdata": {Name: "tzdata", Version: "2024a-0+deb12u1"}},
		},
		{
			archive: "alpine.txtar",
			// An absolute link leads to the tree's own os-release.
			prepare: func(t *testing.T, root string) {
				if err := os.Symlink("/usr/lib/os-release", filepath.Join(root, "etc/os-release")); err != nil {
					t.Fatal(err)
				}
			},
			want:    []string{"Alpine:v3.20 libssl3 3.3.2-r0", "Alpine:v3.20 musl 1.2.5-r0", "Alpine:v3.20 py3-idna 3.7-r0"},
			sources: map[string]sbom.SourcePackage{"libssl3": {Name: "openssl", Version: "3.3.2-r0"}},
		},
		{
			archive: "almalinux.txtar", // testdata/rpmdb.spec made the database
			prepare: func(t *testing.T, root string) {
				database, err := os.ReadFile(filepath.Join("testdata", "rpmdb.sqlite"))
				if err != nil {
					t.Fatal(err)
				}
				write(t, root, "var/lib/rpm/rpmdb.sqlite", database)
			},
			want: []string{
				"AlmaLinux:9 patrol-sample 2:1.2.3-4.el9", "AlmaLinux:9 patrol-sample-libs 1.2.3-4.el9", "PyPI other 2.0",
			},
			sources: map[string]sbom.SourcePackage{"patrol-sample": {Name: "patrol-sample", Version: "2:1.2.3-4.el9"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.archive, func(t *testing.T) {
			root := unpack(t, tt.archive)
			if tt.prepare != nil {
				tt.prepare(t, root)
			}
			before := listing(t, root)
			result := dir(t, root)
			if got := names(result.Document); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if len(result.Warnings) > 0 {
				t.Errorf("warnings %v", result.Warnings)
			}
			for name, want := range tt.sources {
				if got := find(t, result.Document, name).Source; got != want {
					t.Errorf("%s: source %v, want %v", name, got, want)
				}
			}
			if after := listing(t, root); !slices.Equal(before, after) {
				t.Errorf("the tree was written to: %q, before %q", after, before)
			}
		})
	}
}

func TestApplication(t *testing.T) {
	root := unpack(t, "app.txtar")
	write(t, root, "lib/shop.jar", jar(t, map[string][]byte{
		"META-INF/maven/org.example/shop/pom.properties": []byte("groupId=org.example\nartifactId=shop\nversion=1.0\n"),
		"BOOT-INF/lib/inner.jar": jar(t, map[string][]byte{
			"META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties": []byte(
				"groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n"),
		}),
	}))
	result := dir(t, root)
	want := []string{
		"Go golang.org/x/text 0.3.7",
		"Maven org.apache.logging.log4j:log4j-core 2.14.1", "Maven org.example:shop 1.0",
		"NuGet Microsoft.NETCore.App.Runtime.linux-x64 8.0.1", "NuGet Newtonsoft.Json 13.0.1",
		"Packagist symfony/http-foundation v6.4.2",
		"PyPI Flask 3.0.0", "PyPI old 0.1", "PyPI requests 2.31.0",
		"RubyGems rack 3.0.8",
		"crates.io smallvec 1.6.0",
		"npm @scope/pkg 2.0.0", "npm absent 3.1.4", "npm left-pad 1.3.0",
	}
	if got := names(result.Document); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if len(result.Warnings) > 0 {
		t.Errorf("warnings %v", result.Warnings)
	}
	leftPad := find(t, result.Document, "left-pad")
	if want := []string{"node_modules/left-pad/package.json", "package-lock.json"}; !slices.Equal(leftPad.Locations, want) {
		t.Errorf("locations %q, want %q", leftPad.Locations, want)
	}
	if again := dir(t, root); !reflect.DeepEqual(again, result) {
		t.Error("two collections of one tree differ")
	}
}

func TestComposerOne(t *testing.T) {
	root := t.TempDir()
	write(t, root, "vendor/composer/installed.json", []byte(`[{"name":"monolog/monolog","version":"1.25.0"}]`))
	if got, want := names(dir(t, root).Document), []string{"Packagist monolog/monolog 1.25.0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPackageLock(t *testing.T) {
	tests := []struct{ name, lock string }{
		{"version 1", `{"lockfileVersion":1,"dependencies":{
			"a":{"version":"1.0.0","dependencies":{"@s/b":{"version":"2.0.0"}}},
			"alias":{"version":"npm:c@3.0.0"},"local":{"version":"file:../local"}}}`},
		{"version 2", `{"lockfileVersion":2,"packages":{"":{"version":"9.0.0"},"node_modules/a":{"version":"1.0.0"},
			"node_modules/a/node_modules/@s/b":{"version":"2.0.0"},"node_modules/alias":{"name":"c","version":"3.0.0"},
			"node_modules/local":{"link":true},"packages/local":{"version":"9.0.0"}},
			"dependencies":{"a":{"version":"1.0.0"}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, "package-lock.json", []byte(tt.lock))
			want := []string{"npm @s/b 2.0.0", "npm a 1.0.0", "npm c 3.0.0"}
			if got := names(dir(t, root).Document); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestGoBinary(t *testing.T) {
	src, root := t.TempDir(), t.TempDir()
	write(t, src, "go.mod", []byte("module example.com/tool\n\ngo 1.21\n"))
	write(t, src, "main.go", []byte("package main\n\nfunc main() {}\n"))
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(root, "tool"), ".")
	build.Dir = src
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	version, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	release, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(version)), "go"), "-")
	// The module itself was built from a working copy: it is there, and matching
	// says that its version cannot be compared.
	want := []string{"Go example.com/tool (devel)", "Go stdlib " + release}
	if got := names(dir(t, root).Document); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExclude(t *testing.T) {
	root := unpack(t, "app.txtar")
	result, err := collect.Dir(t.Context(), collect.Options{Root: root, Exclude: []string{"node_modules", "/vendor"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range result.Document.Components {
		for _, l := range c.Locations {
			if strings.HasPrefix(l, "node_modules/") || strings.HasPrefix(l, "vendor/") {
				t.Errorf("%s is from an excluded directory: %s", c.Name, l)
			}
		}
	}
}

func jar(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
