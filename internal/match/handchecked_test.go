package match_test

import (
	"archive/zip"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/sbom"
)

// published lays the records below testdata out as OSV publishes its own, and
// returns the directory.
func published(t *testing.T, records string) string {
	t.Helper()
	root := t.TempDir()
	ecosystems, err := os.ReadDir(records)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ecosystems {
		if err := os.Mkdir(filepath.Join(root, e.Name()), 0o750); err != nil {
			t.Fatal(err)
		}
		file, err := os.Create(filepath.Join(root, e.Name(), "all.zip"))
		if err != nil {
			t.Fatal(err)
		}
		archive := zip.NewWriter(file)
		err = errors.Join(archive.AddFS(os.DirFS(filepath.Join(records, e.Name()))), archive.Close(), file.Close())
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// revision compiles a feed.
func revision(t testing.TB, url string) *feed.Revision {
	t.Helper()
	store, err := feed.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if _, err := store.Update(t.Context(), feed.Options{URL: url}); err != nil {
		t.Fatal(err)
	}
	r, err := store.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHandChecked takes records in OSV's form through the compiled feed to the
// findings that somebody worked out by reading them.
func TestHandChecked(t *testing.T) {
	deb := func(name, version, source, sourceVersion string) sbom.Key {
		return sbom.Key{Ecosystem: "Debian:12", Name: name, Version: version, SourceName: source, SourceVersion: sourceVersion}
	}
	pypi := func(version string) sbom.Key {
		return sbom.Key{Ecosystem: "PyPI", Name: "sprocket.wheel", Version: version}
	}
	rpm := func(name, version string) sbom.Key {
		return sbom.Key{Ecosystem: "AlmaLinux:9", Name: name, Version: version, SourceName: "flange", SourceVersion: "3.0.7-24.el9"}
	}
	apk := func(name, version string) sbom.Key {
		return sbom.Key{Ecosystem: "Alpine:v3.20", Name: name, Version: version, SourceName: "cog"}
	}
	want := map[sbom.Key][]match.Finding{
		// Unfixed; and not what only Debian 11 has.
		deb("widget-bin", "1.0-1+b4", "widget", "1.0-1"): {
			{"CVE-2099-10001", "Debian", "widget", nil, []string{"DEBIAN-CVE-2099-10001"}},
		},
		// The tracker's record and the DSA are one finding; the DSA has a second
		// CVE; the withdrawn record is none. Without epoch 2 it would be fixed.
		deb("libgadget1", "9.0-1", "gadget", "1:9.0-1"): {
			{
				"CVE-2099-10002", "Debian", "gadget",
				[]string{"2:1.4-2+deb12u1", "2:1.4-2+deb12u2"},
				[]string{"DEBIAN-CVE-2099-10002", "DSA-9902-1"},
			},
			{"CVE-2099-10003", "Debian", "gadget", []string{"2:1.4-2+deb12u2"}, []string{"DSA-9902-1"}},
		},
		// Between the two fixed versions only the DSA's applies.
		deb("gadget", "2:1.4-2+deb12u1", "gadget", "2:1.4-2+deb12u1"): {
			{"CVE-2099-10002", "Debian", "gadget", []string{"2:1.4-2+deb12u2"}, []string{"DSA-9902-1"}},
			{"CVE-2099-10003", "Debian", "gadget", []string{"2:1.4-2+deb12u2"}, []string{"DSA-9902-1"}},
		},
		deb("gadget", "2:1.4-2+deb12u2", "gadget", "2:1.4-2+deb12u2"): nil,

		// 1.4 is the last affected one for one database, and on the list of another.
		pypi("1.4"): {
			{"CVE-2099-20001", "PyPI", "sprocket-wheel", []string{"1.5.post1"}, []string{"GHSA-2099-0000-0001", "PYSEC-2099-20001"}},
			{"PYSEC-2099-20002", "PyPI", "sprocket-wheel", nil, []string{"PYSEC-2099-20002"}},
		},
		// 1.4.post1 is above the last affected one.
		pypi("1.4.post1"): {
			{"CVE-2099-20001", "PyPI", "sprocket-wheel", []string{"1.5.post1"}, []string{"GHSA-2099-0000-0001"}},
			{"PYSEC-2099-20002", "PyPI", "sprocket-wheel", nil, []string{"PYSEC-2099-20002"}},
		},
		pypi("1.5"): {
			{"CVE-2099-20001", "PyPI", "sprocket-wheel", []string{"1.5.post1"}, []string{"GHSA-2099-0000-0001"}},
		},
		pypi("1.5.post1"): nil,
		pypi("1.2rc1"):    nil,

		// The binary's version decides, with its epoch: 9.9 of epoch 0 is older.
		rpm("flange-libs", "1:3.0.7-24.el9"): {
			{"CVE-2099-30001", "AlmaLinux", "flange-libs", []string{"1:3.0.7-27.el9_4"}, []string{"ALSA-2099:30001"}},
			{
				"CVE-2099-30002", "AlmaLinux", "flange-libs",
				[]string{"1:3.0.7-27.el9_4", "1:3.0.7-28.el9_4"},
				[]string{"ALSA-2099:30001", "ALSA-2099:30003"},
			},
		},
		rpm("flange", "9.9-1.el9"): {
			{"CVE-2099-30001", "AlmaLinux", "flange", []string{"1:3.0.7-27.el9_4"}, []string{"ALSA-2099:30001"}},
			{"CVE-2099-30002", "AlmaLinux", "flange", []string{"1:3.0.7-27.el9_4"}, []string{"ALSA-2099:30001"}},
		},
		rpm("flange", "1:3.0.7-27.el9_4"):      nil,
		rpm("flange-libs", "1:3.0.7-28.el9_4"): nil, // but for a bug-fix erratum
		rpm("flange-devel", "1:3.0.7-24.el9"):  nil, // which no erratum names

		// A subpackage is found by its origin; r9 is below r10.
		apk("cog-client", "1.36.1-r9"): {
			{"CVE-2099-40001", "Alpine", "cog", []string{"1.36.1-r29"}, []string{"ALPINE-CVE-2099-40001"}},
			{"CVE-2099-40002", "Alpine", "cog", []string{"1.36.1-r10"}, []string{"ALPINE-CVE-2099-40002"}},
		},
		// Fixed on 3.19 by r16, and on 3.20 only by r29.
		apk("cog", "1.36.1-r16"): {
			{"CVE-2099-40001", "Alpine", "cog", []string{"1.36.1-r29"}, []string{"ALPINE-CVE-2099-40001"}},
		},
		// A snapshot after 1.37.0, and a candidate before it and so before the line.
		apk("cog", "1.37.0_git20240202-r0"): {
			{"CVE-2099-40002", "Alpine", "cog", []string{"1.37.1-r0"}, []string{"ALPINE-CVE-2099-40002"}},
		},
		apk("cog", "1.37.0_rc1-r0"): nil,
	}

	result := inventory(t, revision(t, published(t, "testdata/handchecked")), slices.Collect(maps.Keys(want))...)
	for key, findings := range want {
		if !reflect.DeepEqual(result.Findings[key], findings) {
			t.Errorf("%+v:\ngot  %+v\nwant %+v", key, result.Findings[key], findings)
		}
	}
	if len(result.Unread) > 0 {
		t.Errorf("unread: %+v", result.Unread)
	}
}
