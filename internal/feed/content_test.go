package feed

import (
	"archive/zip"
	"bytes"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"patrol/internal/match"
)

// Records in the shapes that sources have.
const (
	goRecord = `{"id":"GO-2024-0001","modified":"2024-03-01T00:00:00Z","published":"2024-01-05T00:00:00Z","aliases":["CVE-2024-1001","GHSA-aaaa"],
		"summary":"The decoder loops","affected":[{"package":{"ecosystem":"Go","name":"example.org/decoder"},
		"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.4.0"},{"introduced":"2.0.0"},{"fixed":"2.1.0"}]}]}]}`
	goTwoCVEs = `{"id":"GO-2024-0002","modified":"2024-02-01T00:00:00Z","aliases":["CVE-2024-1002","CVE-2024-1003"],"summary":"Two flaws",
		"affected":[{"package":{"ecosystem":"Go","name":"example.org/decoder"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`
	goNameless = `{"id":"GO-2024-0003","modified":"2024-02-02T00:00:00Z","aliases":["GHSA-bbbb"],
		"affected":[{"package":{"ecosystem":"Go","name":"example.org/other"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`
	goWithdrawn = `{"id":"GO-2024-0004","modified":"2024-02-03T00:00:00Z","withdrawn":"2024-02-03T00:00:00Z","aliases":["CVE-2024-1004"],
		"affected":[{"package":{"ecosystem":"Go","name":"example.org/decoder"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}`
	debianRecord = `{"id":"DEBIAN-CVE-2024-1001","modified":"2024-04-01T00:00:00Z","published":"2024-01-01T00:00:00Z","upstream":["CVE-2024-1001"],
		"affected":[{"package":{"ecosystem":"Debian:12","name":"decoder"},"ecosystem_specific":{"urgency":"low"},
		"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.3-2+deb12u1"}]}]}]}`
	ghsaRecord = `{"id":"GHSA-aaaa","modified":"2024-03-05T00:00:00Z","aliases":["CVE-2024-1001"],"summary":"Endless loop in decoder",
		"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],
		"affected":[{"package":{"ecosystem":"Go","name":"example.org/decoder"},"versions":["1.3.9"]}]}`
	almaSecurity = `{"id":"ALSA-2024:0001","modified":"2024-05-01T00:00:00Z","related":["CVE-2024-1001","CVE-2024-1002"],"summary":"Important: decoder security update",
		"affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"decoder"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"0:1.3-4.el9"}]}]}]}`
	almaBugfix = `{"id":"ALBA-2024:0002","modified":"2024-05-02T00:00:00Z","related":[],"summary":"decoder bug fix update",
		"affected":[{"package":{"ecosystem":"AlmaLinux:10","name":"decoder"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"0:1.3-5.el10"}]}]}]}`
)

// everything is a feed with every shape above.
func everything(t testing.TB) string {
	return feedOf(t, map[string][]byte{
		"Go":        zipOf(t, goRecord, goTwoCVEs, goNameless, goWithdrawn, ghsaRecord),
		"Debian":    zipOf(t, debianRecord),
		"AlmaLinux": zipOf(t, almaSecurity, almaBugfix),
	})
}

func revisionOf(t testing.TB, url string) *Revision {
	t.Helper()
	s := openStore(t)
	mustUpdate(t, s, Options{URL: url})
	return mustCurrent(t, s)
}

func TestNames(t *testing.T) {
	r := revisionOf(t, everything(t))
	for record, want := range map[string][]string{
		"GO-2024-0001":         {"CVE-2024-1001"},
		"GO-2024-0002":         {"CVE-2024-1002", "CVE-2024-1003"},
		"GO-2024-0003":         {"GHSA-bbbb"},
		"GO-2024-0004":         nil,
		"GHSA-aaaa":            {"CVE-2024-1001"},
		"DEBIAN-CVE-2024-1001": {"CVE-2024-1001"},
		"ALSA-2024:0001":       {"CVE-2024-1001", "CVE-2024-1002"},
		"ALBA-2024:0002":       nil,
		"GO-0000-0000":         nil,
	} {
		if got, err := r.Names(record); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is about %v (%v), want %v", record, got, err, want)
		}
	}
}

func TestAffected(t *testing.T) {
	r := revisionOf(t, everything(t))
	for key, want := range map[[2]string][]string{
		{"Go", "example.org/decoder"}: {"GHSA-aaaa", "GO-2024-0001", "GO-2024-0002"}, // sorted, none withdrawn
		{"Debian:12", "decoder"}:      {"DEBIAN-CVE-2024-1001"},
		{"Debian:11", "decoder"}:      nil,
		{"Debian", "decoder"}:         nil,
		{"AlmaLinux:9", "decoder"}:    {"ALSA-2024:0001"},
		{"AlmaLinux:10", "decoder"}:   nil, // an erratum that names no vulnerability
		{"", ""}:                      nil,
	} {
		list, err := r.Affected(key[0], key[1])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range list {
			got = append(got, a.Record)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: got %v, want %v", key, got, want)
		}
	}
	list, err := r.Affected("Go", "example.org/decoder")
	if err != nil {
		t.Fatal(err)
	}
	want := match.Affected{Record: "GO-2024-0001", Ecosystem: "Go", Package: "example.org/decoder", Ranges: []match.Range{{Type: "SEMVER", Events: []match.Event{
		{Kind: match.Introduced, Version: "0"},
		{Kind: match.Fixed, Version: "1.4.0"},
		{Kind: match.Introduced, Version: "2.0.0"},
		{Kind: match.Fixed, Version: "2.1.0"},
	}}}}
	if !reflect.DeepEqual(list[1], want) {
		t.Errorf("got  %+v\nwant %+v", list[1], want)
	}
}

func TestAffectedNormalizesNames(t *testing.T) {
	r := revisionOf(t, feedOf(t, map[string][]byte{"PyPI": zipOf(t, `{"id":"PYSEC-1","modified":"2024-01-01T00:00:00Z",
		"affected":[{"package":{"ecosystem":"PyPI","name":"My_Thing"},"versions":["1.0"]}]}`)}))
	for _, name := range []string{"My_Thing", "my-thing", "MY.THING"} {
		if list, err := r.Affected("PyPI", name); err != nil || len(list) != 1 || list[0].Package != "My_Thing" {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
}

func TestVulnerability(t *testing.T) {
	r := revisionOf(t, everything(t))
	day := func(month time.Month, day int) time.Time { return time.Date(2024, month, day, 0, 0, 0, 0, time.UTC) }
	want := match.Vulnerability{
		Name:      "CVE-2024-1001",
		Records:   []string{"ALSA-2024:0001", "DEBIAN-CVE-2024-1001", "GHSA-aaaa", "GO-2024-0001"},
		Aliases:   []string{"GHSA-aaaa", "GO-2024-0001"},
		Summary:   "Endless loop in decoder",
		Published: day(1, 1),
		Modified:  day(5, 1),
		Severity: []match.Severity{
			{Type: "AlmaLinux", Score: "Important", Source: "ALSA-2024:0001"},
			{Type: "CVSS_V3", Score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Source: "GHSA-aaaa"},
			{Type: "Debian", Score: "low", Source: "DEBIAN-CVE-2024-1001"},
		},
	}
	got, found, err := r.Vulnerability("CVE-2024-1001")
	if err != nil || !found || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %t, %v\nwant %+v", got, found, err, want)
	}
	// A record with two CVEs is about two vulnerabilities, which are no aliases.
	two, found, err := r.Vulnerability("CVE-2024-1003")
	if err != nil || !found || !slices.Equal(two.Aliases, []string{"GO-2024-0002"}) || two.Summary != "Two flaws" {
		t.Errorf("got %+v, %t, %v", two, found, err)
	}
	for _, name := range []string{"CVE-2024-1004", "ALBA-2024:0002", "GHSA-aaaa"} {
		if got, found, err := r.Vulnerability(name); found || err != nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestRecord(t *testing.T) {
	r := revisionOf(t, everything(t))
	for _, id := range []string{"GO-2024-0004", "ALBA-2024:0002", "GHSA-aaaa"} {
		if got, found, err := r.Record(id); !found || err != nil || got.ID != id {
			t.Errorf("%s: got %+v, %t, %v", id, got, found, err)
		}
	}
	if got, _, _ := r.Record("GO-2024-0004"); got.Withdrawn.IsZero() {
		t.Error("the withdrawn record does not say so")
	}
	if _, found, err := r.Record("CVE-2024-1001"); found || err != nil {
		t.Errorf("an alias is a record: %t, %v", found, err)
	}
}

func TestCovers(t *testing.T) {
	bare := `{"id":"RLSA-1","modified":"2024-01-01T00:00:00Z","related":["CVE-2024-2001"],"affected":[{"package":{"ecosystem":"Rocky Linux","name":"p"},"versions":["1"]}]}`
	foreign := `{"id":"GHSA-cccc","modified":"2024-01-01T00:00:00Z","affected":[
		{"package":{"ecosystem":"npm","name":"p"},"versions":["1"]},{"package":{"ecosystem":"PyPI","name":"p"},"versions":["1"]}]}`
	stray := `{"id":"DEBIAN-1","modified":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian","name":"p"},"versions":["1"]}]}`
	r := revisionOf(t, feedOf(t, map[string][]byte{
		"AlmaLinux":   zipOf(t, almaSecurity, almaBugfix),
		"Debian":      zipOf(t, debianRecord, stray),
		"Rocky Linux": zipOf(t, bare),
		"npm":         zipOf(t, foreign),
	}))
	for ecosystem, want := range map[string]bool{
		"AlmaLinux:9":   true,
		"AlmaLinux:10":  true, // known well enough to say that nothing is wrong
		"AlmaLinux:8":   false,
		"Debian:12":     true,
		"Debian:11":     false, // one statement for all releases does not cover one
		"Rocky Linux:9": true,  // a source that never names a release means all
		"npm":           true,
		"PyPI":          false, // no source of it, only a record that also concerns it
		"Go":            false,
		"":              false,
	} {
		if got := r.Covers(ecosystem); got != want {
			t.Errorf("Covers(%q) is %t", ecosystem, got)
		}
	}
	if list, err := r.Affected("PyPI", "p"); err != nil || len(list) != 1 {
		t.Errorf("what else a record says is lost: %+v, %v", list, err)
	}
}

// TestRevisionIsContent: the id of a revision and the content of its file depend
// on the records alone.
func TestRevisionIsContent(t *testing.T) {
	one := revisionOf(t, feedOf(t, map[string][]byte{"Go": zipOf(t, goRecord, goTwoCVEs, ghsaRecord), "npm": zipOf(t, ghsaRecord)}))
	var stored bytes.Buffer // uncompressed, in another order, with a duplicate
	w := zip.NewWriter(&stored)
	for name, record := range map[string]string{"../x.json": ghsaRecord, "/y.json": goTwoCVEs, "z.json": goRecord, "z/z.json": goRecord} {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	other := revisionOf(t, feedOf(t, map[string][]byte{"Go": stored.Bytes(), "npm": zipOf(t, ghsaRecord)}))
	if one.ID() != other.ID() || !revisionID.MatchString(one.ID()) {
		t.Errorf("%s and %s", one.ID(), other.ID())
	}
	for _, bucket := range bucketNames {
		if !reflect.DeepEqual(pairs(t, one, bucket), pairs(t, other, bucket)) {
			t.Errorf("bucket %s differs", bucket)
		}
	}
	third := revisionOf(t, feedOf(t, map[string][]byte{"Go": zipOf(t, goRecord, goTwoCVEs), "npm": zipOf(t, ghsaRecord, goNameless)}))
	if third.ID() == one.ID() {
		t.Error("other content has the same id")
	}
}

// TestNewestCopyWins: archives that were made at different moments hold
// different states of one record.
func TestNewestCopyWins(t *testing.T) {
	older := `{"id":"GHSA-dddd","modified":"2024-01-01T00:00:00Z","summary":"old","affected":[{"package":{"ecosystem":"Go","name":"m"},"versions":["1"]}]}`
	newer := `{"id":"GHSA-dddd","modified":"2024-02-01T00:00:00Z","summary":"new","affected":[{"package":{"ecosystem":"Go","name":"m"},"versions":["1","2"]}]}`
	for _, archives := range []map[string][]byte{
		{"Go": zipOf(t, older), "npm": zipOf(t, newer)},
		{"Go": zipOf(t, newer), "npm": zipOf(t, older)},
		{"Go": zipOf(t, newer, older)},
	} {
		r := revisionOf(t, feedOf(t, archives))
		record, _, err := r.Record("GHSA-dddd")
		if err != nil || record.Summary != "new" {
			t.Errorf("got %+v, %v", record, err)
		}
		if list, err := r.Affected("Go", "m"); err != nil || len(list) != 1 || len(list[0].Versions) != 2 {
			t.Errorf("got %+v, %v", list, err)
		}
		if r.Records() != 1 {
			t.Errorf("%d records", r.Records())
		}
	}
}
