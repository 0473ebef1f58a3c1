package main

import (
	"archive/zip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"patrol/internal/sbom"
)

// published writes records as OSV publishes them.
func published(t *testing.T, ecosystem string, records ...string) archives {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ecosystem), 0o700); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, ecosystem, "all.zip"))
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	for _, text := range records {
		var r record
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		w, err := archive.Create(r.ID + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return archives(dir)
}

func TestTheirsAlone(t *testing.T) {
	curl := newComponent("Debian:12", "curl", "1.0-1")
	for _, test := range []struct {
		name   string
		found  found
		source string // version of what Patrol's component was built from
		both   bool
		want   string
	}{
		{name: "nothing to say", found: found{places: []place{{path: "/a"}}}, want: unexplained},
		{name: "both", found: found{places: []place{{path: "/a"}}}, both: true},
		{name: "both, in doubt", found: found{places: []place{{"/a", true}}}, both: true, want: stranger},
		{name: "withdrawn", found: found{record: record{Withdrawn: "2026-01-01"}, places: []place{{path: "/a"}}}, want: withdrawn},
		{name: "cached", found: found{places: []place{{path: "/root/.cache/go-build/x"}}}, want: cached},
		{name: "cached, and elsewhere", found: found{places: []place{{path: "/root/.cache/x"}, {path: "/a"}}}, want: unexplained},
		{name: "the distribution's", found: found{places: []place{{"/a", true}}}, want: distribution},
		{name: "the distribution's, and another", found: found{places: []place{{"/a", true}, {path: "/b"}}}, want: unexplained},
		{name: "source", found: found{places: []place{{path: "/a"}}}, source: "2.0-1", want: binary},
	} {
		p := pair{"CVE-2024-0001", curl}
		ours := &patrol{components: map[component]sbom.Component{curl: {Source: sbom.SourcePackage{Name: "curl", Version: test.source}}}}
		if test.both {
			ours.pairs = map[pair][]string{p: nil}
		}
		if got, _ := theirsAlone(p, ours, &test.found); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestOursAlone(t *testing.T) {
	const gap = `{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"PyPI","name":"a"},"ranges":[{"type":"ECOSYSTEM",
		"events":[{"introduced":"1"},{"fixed":"2"},{"introduced":"3"},{"fixed":"4"}]}]}]}`
	const joined = `{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"PyPI","name":"a"},"ranges":[{"type":"ECOSYSTEM",
		"events":[{"introduced":"2"},{"fixed":"4"},{"introduced":"1"},{"fixed":"2"}]}]}]}`
	const commits = `{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"PyPI","name":"a"},"ranges":[
		{"type":"GIT","events":[{"introduced":"0"}]},{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"4"}]}]}]}`
	const named = `{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"PyPI","name":"A"}}]}`
	const chain = `{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"Go","name":"stdlib"},"ranges":[{"type":"SEMVER",
		"events":[{"introduced":"0"},{"fixed":"1.22.3"}]}]}]}`
	a := newComponent("PyPI", "a", "3")
	for _, test := range []struct {
		name, record string
		component    component
		place, want  string
	}{
		{"nothing to say", gap, a, "x/METADATA", unexplained},
		{"ranges that meet", joined, a, "x/METADATA", adjoining},
		{"commits first", commits, a, "x/METADATA", afterGit},
		{"spelling", named, a, "x/METADATA", spelling},
		{"lock file", gap, a, "srv/app/requirements.txt", lockFile},
		{"no patch release", chain, newComponent("Go", "stdlib", "1.22"), "usr/bin/tool", firstOf},
		{"a patch release", chain, newComponent("Go", "stdlib", "1.22.1"), "usr/bin/tool", unexplained},
	} {
		known := published(t, test.component.ecosystem, test.record)
		ours := &patrol{
			pairs:      map[pair][]string{{"CVE-2024-0001", test.component}: {"PYSEC-1", "GHSA-elsewhere"}},
			components: map[component]sbom.Component{test.component: {Locations: []string{test.place}}},
		}
		differences, err := explain(known, ours, &osvScanner{})
		if got := slices.Collect(maps.Keys(differences)); err != nil || !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.want)
		}
	}
}

func TestDraw(t *testing.T) {
	known := published(t, "PyPI",
		`{"id":"PYSEC-1","affected":[{"package":{"ecosystem":"PyPI","name":"a"},"versions":["0.5","0.6"],"ranges":[
			{"type":"GIT","events":[{"introduced":"c0ffee"}]},
			{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1"},{"introduced":"2"},{"fixed":"which (*:0"}]}]}]}`,
		`{"id":"PYSEC-2","affected":[{"package":{"ecosystem":"PyPI","name":"b"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}]}`)
	got, err := known.draw("PyPI", 10, 2)
	if want := []drawn{{"PyPI", "a", "0.5"}, {"PyPI", "a", "2"}}; err != nil || !slices.Equal(got, want) {
		// Of 0.5, 1 and 2 two are taken.
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}
