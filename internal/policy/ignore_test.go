package policy_test

import (
	"strings"
	"testing"
	"time"

	"patrol/internal/policy"
)

var now = time.Date(2099, 6, 15, 12, 0, 0, 0, time.UTC)

func ignores(t *testing.T, data string) *policy.Ignores {
	t.Helper()
	list, err := policy.ParseIgnores("file", []byte(data))
	if err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return list
}

func vulnerable(id string) policy.Finding {
	return policy.Finding{
		Vulnerability: id, Aliases: []string{"GHSA-made-up00"}, Advisories: []string{"DEBIAN-" + id},
		Package: "openssl", Component: "libssl3", PURL: "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12",
	}
}

func TestIgnores(t *testing.T) {
	for _, test := range []struct {
		name, entry string
		ignored     bool
	}{
		{"any package", `{id: CVE-2099-0001}`, true},
		{"an alias", `{id: GHSA-made-up00}`, true},
		{"an advisory", `{id: DEBIAN-CVE-2099-0001}`, true},
		{"another", `{id: CVE-2099-0002}`, false},
		{"the package", `{id: CVE-2099-0001, package: openssl}`, true},
		{"the component", `{id: CVE-2099-0001, package: libssl3}`, true},
		{"another package", `{id: CVE-2099-0001, package: ring}`, false},
		{"until later", `{id: CVE-2099-0001, until: 2099-07-01}`, true},
		{"until today", `{id: CVE-2099-0001, until: 2099-06-15}`, true},
		{"until yesterday", `{id: CVE-2099-0001, until: 2099-06-14}`, false},
		{"until a moment", `{id: CVE-2099-0001, until: "2099-06-15T11:59:59Z"}`, false},
		{"until a moment to come", `{id: CVE-2099-0001, until: "2099-06-15T12:00:01Z"}`, true},
		{"nothing to say", `{id: CVE-2099-0001, package: , until: null, reason: ~}`, true},
	} {
		if by := ignores(t, "- "+test.entry).Match(vulnerable("CVE-2099-0001"), now); (by != nil) != test.ignored {
			t.Errorf("%s: %+v", test.name, by)
		}
	}
}

func TestIgnoreNotes(t *testing.T) {
	list := ignores(t, `# what we live with
- id: CVE-2099-0001
  reason: not reachable
- id: CVE-2099-0002
  package: openssl
  until: 2099-01-01
- id: CVE-2099-0003
- id: CVE-2099-0004
  until: 2098-01-01
`)
	by := list.Match(vulnerable("CVE-2099-0001"), now)
	if by == nil || by.Place() != "file:2" || by.Reason != "not reachable" {
		t.Errorf("%+v", by)
	}
	if by := list.Match(vulnerable("CVE-2099-0002"), now); by != nil {
		t.Errorf("%+v has expired", by)
	}
	const want = `file:4: EXPIRED: CVE-2099-0002 in openssl was ignored until 2099-01-01 and is reported again
file:7: matched nothing: CVE-2099-0003
file:8: expired on 2098-01-01, and matched nothing: CVE-2099-0004`
	if got := strings.Join(list.Notes(now), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestParseIgnoresRefuses(t *testing.T) {
	for data, reason := range map[string]string{
		"- id: [":                     "yaml",
		strings.Repeat("- ", 100_000): "depth",
		"- id: " + strings.Repeat("{a: ", 100_000):           "depth",
		`{"@context": ` + strings.Repeat("[", 100_000):       "depth",
		"id: CVE-2099-0001":                                  "no list",
		"just text":                                          "no list",
		"- CVE-2099-0001":                                    "line 1",
		"- id: CVE-2099-0001\n- package: openssl":            "line 2: it lacks the id",
		"- {id: CVE-2099-0001, untill: 2099-01-01}":          `"untill"`,
		"- {id: CVE-2099-0001, id: CVE-2099-0002}":           "twice",
		"- {id: CVE-2099-0001, until: tomorrow}":             "2099-12-31",
		"- {id: CVE-2099-0001, until: 2099-02-30}":           "2099-12-31",
		"- {id: [CVE-2099-0001]}":                            "id is no text",
		"- &a {id: CVE-2099-0001}\n- *a":                     "line 2",
		"- id: CVE-2099-0001\n---\n- id: CVE-2099-0002":      "more after the end",
		`{"bomFormat": "CycloneDX"}`:                         "no OpenVEX document",
		`{"@context": "https://openvex.dev/ns/v0.2.0"`:       "unexpected end",
		vex(`{"status": "fixed"}`):                           "names no vulnerability",
		vex(`null`):                                          "statement 1 names no vulnerability",
		vex(`{"vulnerability": {"name": "x"}}`):              "status",
		vex(`{"vulnerability": {"name": "x"}, "status": 1}`): "cannot unmarshal",

		`{"@context": "https://openvex.dev/ns", "timestamp": "yesterday"}`:         "timestamp",
		vex(`{"vulnerability": "x", "status": "fixed", "timestamp": "yesterday"}`): "statement 1: timestamp",
	} {
		if _, err := policy.ParseIgnores("file", []byte(data)); err == nil || !strings.Contains(err.Error(), reason) || !strings.HasPrefix(err.Error(), "file: ") {
			t.Errorf("%s: error %v does not say %q", data, err, reason)
		}
	}
	for _, data := range []string{"", "# nothing yet\n", "[]", "null", "---\n"} {
		if notes := ignores(t, data).Notes(now); notes != nil {
			t.Errorf("%q: %q", data, notes)
		}
	}
}

func vex(statements string) string {
	return `{"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2099-01-01T00:00:00Z", "statements": [` + statements + `]}`
}

func TestVEX(t *testing.T) {
	statement := func(status, product string) string {
		return `{"vulnerability": {"name": "CVE-2099-0001"}, "products": [` + product + `], "status": "` + status + `"}`
	}
	purl := func(p string) string { return `{"@id": "` + p + `"}` }
	for _, test := range []struct {
		name, statements string
		ignored          bool
	}{
		{"not affected", statement("not_affected", purl("pkg:deb/debian/libssl3@3.0.11-1")), true},
		{"fixed", statement("fixed", purl("pkg:deb/debian/libssl3@3.0.11-1")), true},
		{"affected", statement("affected", purl("pkg:deb/debian/libssl3@3.0.11-1")), false},
		{"under investigation", statement("under_investigation", purl("pkg:deb/debian/libssl3@3.0.11-1")), false},
		{"any version", statement("not_affected", purl("pkg:deb/debian/libssl3")), true},
		{"another version", statement("not_affected", purl("pkg:deb/debian/libssl3@3.0.12-1")), false},
		{"another package", statement("not_affected", purl("pkg:deb/debian/openssl")), false},
		{"another distribution", statement("not_affected", purl("pkg:deb/ubuntu/libssl3")), false},
		{"a qualifier", statement("not_affected", purl("pkg:deb/debian/libssl3?arch=amd64")), true},
		{"another qualifier", statement("not_affected", purl("pkg:deb/debian/libssl3?arch=arm64")), false},
		{"an identifier", statement("not_affected", `{"@id": "https://example.org/x", "identifiers": {"purl": "pkg:deb/debian/libssl3"}}`), true},
		{"no purl", statement("not_affected", purl("https://example.org/x")), false},
		{"no product", statement("not_affected", ``), false},
		{"a subcomponent", statement("not_affected", `{"@id": "pkg:oci/app", "subcomponents": [{"@id": "pkg:deb/debian/libssl3"}]}`), true},
		{"another subcomponent", statement("not_affected", `{"@id": "pkg:deb/debian/libssl3", "subcomponents": [{"@id": "pkg:deb/debian/zlib"}]}`), false},
		{"later is affected", statement("not_affected", purl("pkg:deb/debian/libssl3")) + "," + statement("affected", purl("pkg:deb/debian/libssl3")), false},
		{"later is not affected", statement("affected", purl("pkg:deb/debian/libssl3")) + "," + statement("not_affected", purl("pkg:deb/debian/libssl3")), true},
		{"later by its time", `{"vulnerability": {"name": "CVE-2099-0001"}, "timestamp": "2099-02-01T00:00:00Z", "products": [{"@id": "pkg:deb/debian/libssl3"}], "status": "not_affected"},` +
			statement("affected", purl("pkg:deb/debian/libssl3")), true},
	} {
		if by := ignores(t, vex(test.statements)).Match(vulnerable("CVE-2099-0001"), now); (by != nil) != test.ignored {
			t.Errorf("%s: %+v", test.name, by)
		}
	}
}

func TestVEXSaysWhy(t *testing.T) {
	list := ignores(t, vex(`{"vulnerability": {"name": "CVE-2099-0001"}, "products": [{"@id": "pkg:deb/debian/libssl3"}], "status": "not_affected", "justification": "vulnerable_code_not_present"}`))
	by := list.Match(vulnerable("CVE-2099-0001"), now)
	if by == nil || by.Place() != "file: statement 1" || by.Status != "not_affected" || by.Justification != "vulnerable_code_not_present" || by.Reason != by.Justification {
		t.Errorf("%+v", by)
	}
}

func FuzzParseIgnores(f *testing.F) {
	f.Add([]byte("- id: CVE-2099-0001\n  package: openssl\n  until: 2099-01-01\n  reason: none\n"))
	f.Add([]byte(vex(`{"vulnerability": {"name": "CVE-2099-0001"}, "products": [{"@id": "pkg:deb/debian/libssl3?arch=amd64"}], "status": "not_affected"}`)))
	f.Add([]byte("- &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := policy.ParseIgnores("file", data)
		if err != nil {
			return
		}
		list.Match(vulnerable("CVE-2099-0001"), now)
		list.Notes(now)
	})
}
