package openvex_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"patrol/internal/openvex"
)

// A statement is read as any version of OpenVEX writes it, and written as 0.2.0.
func TestStatement(t *testing.T) {
	const lib = "pkg:deb/debian/libssl3@3.0.11-1"
	for name, c := range map[string]struct {
		vulnerability, product string
		read                   openvex.Statement
		written                string
	}{
		"names alone, as before 0.2.0": {
			`"CVE-2014-0160"`, `"` + lib + `"`,
			openvex.Statement{Vulnerability: openvex.Vulnerability{Name: "CVE-2014-0160"}, Products: []openvex.Product{{ID: lib}}},
			`{"vulnerability":{"name":"CVE-2014-0160"},"products":[{"@id":"` + lib + `"}],"status":"fixed"}`,
		},
		"objects": {
			`{"@id": "https://nvd.example/1", "name": "CVE-2014-0160", "description": "Heartbleed", "aliases": ["GHSA-1"]}`, `{"identifiers": {"purl": "` + lib + `"}, "hashes": {"md5": ""}}`,
			openvex.Statement{
				Vulnerability: openvex.Vulnerability{Name: "CVE-2014-0160", Description: "Heartbleed", Aliases: []string{"GHSA-1"}},
				Products:      []openvex.Product{{Identifiers: map[string]string{"purl": lib}}},
			},
			`{"vulnerability":{"name":"CVE-2014-0160","description":"Heartbleed","aliases":["GHSA-1"]},"products":[{"identifiers":{"purl":"` + lib + `"}}],"status":"fixed"}`,
		},
		"subcomponents of both kinds": {
			`{"name": "CVE-2014-0160"}`, `{"@id": "pkg:oci/app", "subcomponents": ["` + lib + `", {"@id": "urn:x"}]}`,
			openvex.Statement{
				Vulnerability: openvex.Vulnerability{Name: "CVE-2014-0160"},
				Products:      []openvex.Product{{ID: "pkg:oci/app", Subcomponents: []openvex.Product{{ID: lib}, {ID: "urn:x"}}}},
			},
			`{"vulnerability":{"name":"CVE-2014-0160"},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"` + lib + `"},{"@id":"urn:x"}]}],"status":"fixed"}`,
		},
		"nulls": {
			`null`, `null`,
			openvex.Statement{Products: []openvex.Product{{}}},
			`{"vulnerability":{"name":""},"products":[{}],"status":"fixed"}`,
		},
	} {
		c.read.Status = openvex.Fixed
		var got openvex.Statement
		err := json.Unmarshal([]byte(`{"vulnerability": `+c.vulnerability+`, "products": [`+c.product+`], "status": "fixed"}`), &got)
		if err != nil || !reflect.DeepEqual(got, c.read) {
			t.Errorf("%s: read %+v, %v; want %+v", name, got, err, c.read)
		}
		if text, err := json.Marshal(got); err != nil || string(text) != c.written {
			t.Errorf("%s: written %s, %v; want %s", name, text, err, c.written)
		}
	}
	for _, wrong := range []string{`{"vulnerability": 7}`, `{"vulnerability": ["CVE-2014-0160"]}`, `{"products": "` + lib + `"}`, `{"products": [7]}`, `{"products": [{"identifiers": "` + lib + `"}]}`} {
		if err := json.Unmarshal([]byte(wrong), new(openvex.Statement)); err == nil {
			t.Errorf("%s is read", wrong)
		}
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]openvex.Version{`2`: 2, `"2"`: 2, `"1.0"`: 0, `""`: 0, `null`: 0} {
		var doc openvex.Document
		if err := json.Unmarshal([]byte(`{"version": `+text+`}`), &doc); err != nil || doc.Version != want {
			t.Errorf("version %s is %d, %v; want %d", text, doc.Version, err, want)
		}
	}
	for _, text := range []string{`1.5`, `[1]`, `true`} {
		if err := json.Unmarshal([]byte(`{"version": `+text+`}`), new(openvex.Document)); err == nil {
			t.Errorf("version %s is read", text)
		}
	}
}

func TestPURL(t *testing.T) {
	const purl = "pkg:npm/a@1"
	for _, c := range []struct {
		product    openvex.Product
		purl, said string
	}{
		{openvex.ByPURL(purl), purl, purl},
		{openvex.Product{ID: purl}, purl, purl},
		{openvex.Product{ID: "https://vendor.example/a", Identifiers: map[string]string{"purl": purl}}, purl, purl},
		{openvex.Product{ID: "pkg:npm/b@1", Identifiers: map[string]string{"purl": purl}}, purl, purl},
		{openvex.Product{ID: purl, Identifiers: map[string]string{"cpe23": "cpe:2.3:a:a:a:1"}}, purl, purl},
		{openvex.Product{ID: "https://vendor.example/a"}, "", "https://vendor.example/a"},
		{openvex.Product{}, "", ""},
	} {
		if got := c.product.PURL(); got != c.purl || c.product.String() != c.said {
			t.Errorf("%#v is %q, said as %q; want %q and %q", c.product, got, c.product, c.purl, c.said)
		}
	}
}

func TestLabels(t *testing.T) {
	for text, want := range map[string][2]bool{
		"not_affected": {true, false}, "affected": {true, false}, "fixed": {true, false}, "under_investigation": {true, false},
		"component_not_present": {false, true}, "vulnerable_code_not_present": {false, true}, "vulnerable_code_not_in_execute_path": {false, true},
		"vulnerable_code_cannot_be_controlled_by_adversary": {false, true}, "inline_mitigations_already_exist": {false, true},
		"": {}, "Fixed": {}, "harmless": {},
	} {
		if got := [2]bool{openvex.IsStatus(text), openvex.IsJustification(text)}; got != want {
			t.Errorf("%q is a status, a justification: %v; want %v", text, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	published := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	if at, err := openvex.Moment("", published); err != nil || !at.Equal(published) {
		t.Errorf("inherited %v, %v", at, err)
	}
	if at, err := openvex.Moment("2026-04-02T02:00:00.5+02:00", published); err != nil || !at.Equal(published.Add(24*time.Hour+time.Second/2)) {
		t.Errorf("read %v, %v", at, err)
	}
	if at, err := openvex.Moment("yesterday", published); err == nil {
		t.Errorf("yesterday is %v", at)
	}
}

// A product that is part of another is named where the product is.
func ExampleStatement() {
	text, _ := json.Marshal(openvex.Statement{
		Vulnerability: openvex.Vulnerability{Name: "CVE-2014-0160"},
		Products:      []openvex.Product{{ID: "pkg:oci/app", Subcomponents: []openvex.Product{openvex.ByPURL("pkg:deb/debian/libssl3")}}},
		Status:        openvex.NotAffected, Justification: "vulnerable_code_not_present",
	})
	fmt.Println(string(text))
	// Output: {"vulnerability":{"name":"CVE-2014-0160"},"products":[{"@id":"pkg:oci/app","subcomponents":[{"@id":"pkg:deb/debian/libssl3","identifiers":{"purl":"pkg:deb/debian/libssl3"}}]}],"status":"not_affected","justification":"vulnerable_code_not_present"}
}
