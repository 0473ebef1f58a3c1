package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/package-url/packageurl-go"
)

// What no machine has installed all of: packages drawn from the feed itself, at
// the versions where its ranges begin and end.

// drawn is a package at a version that a record names.
type drawn struct{ ecosystem, name, version string }

// draw takes so many packages of an ecosystem, such as "AlmaLinux:9", from its
// archive, evenly over their names, each at so many versions.
func (f archives) draw(ecosystem string, packages, versions int) ([]drawn, error) {
	known := make(map[string][]string)
	if err := f.each(ecosystem, func(r record) {
		for _, a := range r.Affected {
			if a.Package.Ecosystem == ecosystem {
				known[a.Package.Name] = append(known[a.Package.Name], a.borders()...)
			}
		}
	}); err != nil {
		return nil, err
	}
	var all []drawn
	for _, name := range evenly(slices.Sorted(maps.Keys(known)), packages) {
		slices.Sort(known[name])
		for _, version := range evenly(slices.Compact(known[name]), versions) {
			all = append(all, drawn{ecosystem, name, version})
		}
	}
	return all, nil
}

// borders are the versions at which something begins or ends to be affected.
func (a affected) borders() []string {
	versions := slices.Clone(a.Versions[:min(1, len(a.Versions))])
	for _, in := range a.Ranges {
		for _, e := range in.Events {
			for _, v := range []string{e.Introduced, e.Fixed} {
				// One record of Debian's has words for a version; osv-scanner ends with a panic.
				if in.Type != "GIT" && v != "" && v != "0" && !strings.Contains(v, " ") {
					versions = append(versions, v)
				}
			}
		}
	}
	return versions
}

// evenly takes n of a list, or all.
func evenly(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	taken := make([]string, n)
	for i := range taken {
		taken[i] = list[(2*i+1)*len(list)/(2*n)]
	}
	return taken
}

// each reads every record of the archive that has the ecosystem.
func (f archives) each(ecosystem string, do func(record)) (err error) {
	base, _, _ := strings.Cut(ecosystem, ":")
	name := filepath.Join(string(f), base, "all.zip")
	archive, err := zip.OpenReader(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	for _, entry := range archive.File {
		file, err := entry.Open()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		var r record
		if err := errors.Join(json.NewDecoder(file).Decode(&r), file.Close()); err != nil {
			return fmt.Errorf("%s: %s: %w", name, entry.Name, err)
		}
		do(r)
	}
	return nil
}

// drawSBOM writes a CycloneDX document of packages that the feed speaks of.
func (f archives) drawSBOM(file string) error {
	types := map[string]func(name string) packageurl.PackageURL{
		"Debian:12": func(name string) packageurl.PackageURL {
			return packageurl.PackageURL{
				Type: "deb", Namespace: "debian", Name: name,
				Qualifiers: packageurl.Qualifiers{{Key: "distro", Value: "debian-12"}},
			}
		},
		"Go": func(name string) packageurl.PackageURL {
			dir, base := filepath.Split(name)
			return packageurl.PackageURL{Type: "golang", Namespace: strings.TrimSuffix(dir, "/"), Name: base}
		},
		"PyPI":      func(name string) packageurl.PackageURL { return packageurl.PackageURL{Type: "pypi", Name: name} },
		"crates.io": func(name string) packageurl.PackageURL { return packageurl.PackageURL{Type: "cargo", Name: name} },
	}
	type component struct {
		Type    string `json:"type"`
		Name    string `json:"name"`
		Version string `json:"version"`
		PURL    string `json:"purl"`
	}
	document := struct {
		Format     string      `json:"bomFormat"`
		Version    string      `json:"specVersion"`
		Components []component `json:"components"`
	}{"CycloneDX", "1.6", nil}
	for _, ecosystem := range slices.Sorted(maps.Keys(types)) {
		all, err := f.draw(ecosystem, 1000, 3)
		if err != nil {
			return err
		}
		for _, d := range all {
			p := types[ecosystem](d.name)
			p.Version = d.version
			document.Components = append(document.Components, component{"library", d.name, d.version, p.ToString()})
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// drawRPM makes the root of a system with an rpm database of packages that
// AlmaLinux's errata name, of which there is nothing but the database.
func (f archives) drawRPM(ctx context.Context, work string) (root string, err error) {
	all, err := f.draw("AlmaLinux:9", 800, 1)
	if err != nil {
		return "", err
	}
	var spec strings.Builder
	spec.WriteString("Name: drawn\nVersion: 1\nRelease: 1\nSummary: drawn\nLicense: none\nBuildArch: noarch\n%description\n")
	for _, d := range all {
		epoch, rest, ok := strings.Cut(d.version, ":")
		if !ok {
			epoch, rest = "0", d.version
		}
		version, release, _ := strings.Cut(rest, "-")
		fmt.Fprintf(&spec, "%%package -n %s\nSummary: drawn\nEpoch: %s\nVersion: %s\nRelease: %s\n%%description -n %[1]s\n%%files -n %[1]s\n", d.name, epoch, version, release)
	}
	top, root := filepath.Join(work, "rpm"), filepath.Join(work, "almalinux")
	if err := errors.Join(os.Mkdir(top, 0o700), os.MkdirAll(filepath.Join(root, "etc"), 0o700)); err != nil {
		return "", err
	}
	file := filepath.Join(top, "drawn.spec")
	release := "ID=almalinux\nVERSION_ID=9.4\nNAME=AlmaLinux\n"
	if err := errors.Join(
		os.WriteFile(file, []byte(spec.String()), 0o600),
		os.WriteFile(filepath.Join(root, "etc", "os-release"), []byte(release), 0o600),
	); err != nil {
		return "", err
	}
	for _, command := range []string{
		"rpmbuild --quiet --define '_topdir '$0 --define '_binary_payload w0.gzdio' -bb $0/drawn.spec",
		"find $0/RPMS -name '*.rpm' >$0/list && rpm --root $1 --dbpath /var/lib/rpm --initdb && xargs <$0/list rpm --root $1 --dbpath /var/lib/rpm --install --justdb --nodeps --nosignature --noscripts",
	} {
		if out, err := exec.CommandContext(ctx, "sh", "-c", command, top, root).CombinedOutput(); err != nil {
			return "", fmt.Errorf("making an rpm database: %w: %s", err, out)
		}
	}
	return root, nil
}
