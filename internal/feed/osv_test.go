package feed

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"patrol/internal/match"
)

func decoded(t *testing.T, record string) advisory {
	t.Helper()
	a, err := decodeRecord([]byte(record))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// said decodes the statements as the index would.
func said(t *testing.T, a advisory) (all []match.Affected) {
	t.Helper()
	for _, s := range a.statements {
		ecosystem, packageKey, _ := strings.Cut(s.key, "\x00")
		list, err := decodeAffected(ecosystem, packageKey, string(append(appendTotals(nil, s.total), s.encoded...)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list...)
	}
	return all
}

func TestDecodeAffected(t *testing.T) {
	events := func(kinds ...match.Event) []match.Event { return kinds }
	for name, test := range map[string]struct {
		affected string
		want     []match.Affected
	}{
		"all kinds of event, in order": {
			`{"package":{"ecosystem":"Go","name":"example.org/m"},"ranges":[{"type":"SEMVER","events":[
				{"introduced":"0"},{"fixed":"1.2.0"},{"introduced":"2.0.0"},{"last_affected":"2.4.1"},{"limit":"3.0.0"}]}]}`,
			[]match.Affected{{Record: "T-1", Ecosystem: "Go", Package: "example.org/m", Ranges: []match.Range{{Type: "SEMVER", Events: events(
				match.Event{Kind: match.Introduced, Version: "0"}, match.Event{Kind: match.Fixed, Version: "1.2.0"},
				match.Event{Kind: match.Introduced, Version: "2.0.0"}, match.Event{Kind: match.LastAffected, Version: "2.4.1"},
				match.Event{Kind: match.Limit, Version: "3.0.0"})}}}},
		},
		"commits are dropped, versions kept, the name as written": {
			`{"package":{"ecosystem":"PyPI","name":"My_Thing"},"versions":["1.0","1.1"],"ranges":[
				{"type":"GIT","repo":"https://example.org/r","events":[{"introduced":"0"}]},
				{"type":"ECOSYSTEM","events":[{"introduced":"1.0"}]}]}`,
			[]match.Affected{{
				Record: "T-1", Ecosystem: "PyPI", Package: "My_Thing", Versions: []string{"1.0", "1.1"},
				Ranges: []match.Range{{Type: "ECOSYSTEM", Events: events(match.Event{Kind: match.Introduced, Version: "1.0"})}},
			}},
		},
		"the same package twice": {
			`{"package":{"ecosystem":"AlmaLinux:9","name":"bash"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"5.1"}]}]},
			 {"package":{"ecosystem":"AlmaLinux:9","name":"bash"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"5.2"}]}]}`,
			[]match.Affected{
				{Record: "T-1", Ecosystem: "AlmaLinux:9", Package: "bash", Ranges: []match.Range{{Type: "ECOSYSTEM", Events: events(
					match.Event{Kind: match.Introduced, Version: "0"}, match.Event{Kind: match.Fixed, Version: "5.1"})}}},
				{Record: "T-1", Ecosystem: "AlmaLinux:9", Package: "bash", Ranges: []match.Range{{Type: "ECOSYSTEM", Events: events(
					match.Event{Kind: match.Introduced, Version: "0"}, match.Event{Kind: match.Fixed, Version: "5.2"})}}},
			},
		},
		"commits alone":    {`{"package":{"ecosystem":"Go","name":"m"},"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}`, nil},
		"no package":       {`{"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}`, nil},
		"nothing affected": {`{"package":{"ecosystem":"Go","name":"m"},"ranges":null,"versions":[]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := decoded(t, `{"id":"T-1","affected":[`+test.affected+`]}`)
			if got := said(t, a); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestDecodeSeverity(t *testing.T) {
	for name, test := range map[string]struct {
		record string
		want   []match.Severity
	}{
		"the record's own, not the package's": {
			`{"id":"T-1","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"}],
			  "affected":[{"package":{"ecosystem":"Go","name":"m"},"severity":[{"type":"CVSS_V4","score":"CVSS:4.0/AV:N"}]}]}`,
			[]match.Severity{{Type: "CVSS_V3", Score: "CVSS:3.1/AV:N"}},
		},
		"the packages', each once": {
			`{"id":"T-1","affected":[{"severity":[{"type":"CVSS_V3","score":"a"}]},{"severity":[{"type":"CVSS_V3","score":"a"},{"type":"CVSS_V3","score":"b"}]}]}`,
			[]match.Severity{{Type: "CVSS_V3", Score: "a"}, {Type: "CVSS_V3", Score: "b"}},
		},
		"Ubuntu's word": {
			`{"id":"UBUNTU-CVE-2024-0001","severity":[{"type":"Ubuntu","score":"medium"}]}`,
			[]match.Severity{{Type: "Ubuntu", Score: "medium"}},
		},
		"GitHub's word": {
			`{"id":"GHSA-1","database_specific":{"severity":"HIGH","cwe_ids":["CWE-1"]},"affected":[{"package":{"ecosystem":"npm","name":"m"}}]}`,
			[]match.Severity{{Type: "npm", Score: "HIGH"}},
		},
		"Debian's urgency": {
			`{"id":"DEBIAN-CVE-2024-0001","affected":[
				{"package":{"ecosystem":"Debian:12","name":"p"},"ecosystem_specific":{"urgency":"low"}},
				{"package":{"ecosystem":"Debian:13","name":"p"},"ecosystem_specific":{"urgency":"not yet assigned"}}]}`,
			[]match.Severity{{Type: "Debian", Score: "low"}},
		},
		"what is no word": {
			`{"id":"T-1","database_specific":["severity"],"affected":[{"package":{"ecosystem":"Go","name":"m"},"ecosystem_specific":{"severity":{"score":9}},"database_specific":null}]}`,
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decoded(t, test.record).record.Severity; !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestDecodeSummary(t *testing.T) {
	for name, test := range map[string]struct{ summary, details, want string }{
		"summary":          {"A flaw\n in\tthe parser ", "More of it.", "A flaw in the parser"},
		"details":          {"", "\n## Impact\nThe parser fails.", "Impact"},
		"neither":          {"", " \n\n", ""},
		"cut to 200 runes": {strings.Repeat("é", 300), "", strings.Repeat("é", 199) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := oneLine(test.summary, test.details); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDecodeReferences(t *testing.T) {
	record := `{"id":"T-1","references":[{"type":"WEB","url":"javascript:alert(1)"},{"type":"WEB","url":"https://example.org/0"},{"type":"FIX","url":"https://example.org/0"}`
	for _, c := range "123456789abc" {
		record += `,{"url":"https://example.org/` + string(c) + `"}`
	}
	var kept match.Record
	if err := json.Unmarshal(decoded(t, record+`]}`).encoded, &kept); err != nil {
		t.Fatal(err)
	}
	got := kept.References
	if len(got) != maxReferences || got[0] != "https://example.org/0" || got[1] != "https://example.org/1" {
		t.Errorf("got %d: %v", len(got), got)
	}
}

func TestDecodeDates(t *testing.T) {
	a := decoded(t, `{"id":"T-1","modified":"2024-05-06T07:08:09.5+02:00","published":"1-01-01T00:00:00Z","withdrawn":""}`)
	if got := a.record.Modified.Format("2006-01-02T15:04:05.9Z07:00"); got != "2024-05-06T05:08:09.5Z" {
		t.Errorf("modified %s", got)
	}
	if !a.record.Published.IsZero() || !a.record.Withdrawn.IsZero() {
		t.Errorf("got %+v", a.record)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, test := range map[string]struct{ record, says string }{
		"not JSON":                {`{"id":"T-1"`, "malformed record"},
		"more than one":           {`{"id":"T-1"}{"id":"T-2"}`, "malformed record"},
		"not an object":           {`"T-1"`, "malformed record"},
		"no id":                   {`{"modified":"2024-01-01T00:00:00Z"}`, "without an id"},
		"JSON nested deep":        {`{"id":"T-1","x":` + strings.Repeat("[", 100_000), "depth"},
		"JSON nested deep, whole": {`{"id":"T-1","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", "depth"},
		"half a record":           {`{"id":"T-1","affected":[{`, "unexpected end"},
		"an endless id":           {`{"id":"` + strings.Repeat("x", 300) + `"}`, "300 bytes"},
		"withdrawn, unclear when": {`{"id":"T-1","withdrawn":"yesterday"}`, "withdrawn"},
		"a name with a NUL":       {`{"id":"T-1","affected":[{"package":{"ecosystem":"Go\u0000m","name":"m"}}]}`, "T-1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeRecord([]byte(test.record))
			wantError(t, err, test.says)
		})
	}
}

// FuzzDecodeRecord: whatever a record holds, it is refused, or what the index
// keeps of it can be read again.
func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(`{"id":"T-1","modified":"2024-01-01T00:00:00Z","aliases":["CVE-2024-0001"],"affected":[{"package":{"ecosystem":"PyPI","name":"A_b"},
		"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1"}]}],"versions":["0.1"]}]}`))
	f.Add([]byte(`{"id":"GHSA-1","withdrawn":"9999-12-31T23:59:59-12:00","database_specific":{"severity":"HIGH"},"references":[{"url":"https://example.org"}]}`))
	f.Add([]byte(`{"id":"T-2","severity":[{"type":"CVSS_V3","score":"x"}],"details":"# One\ntwo"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decodeRecord(data)
		if err != nil {
			return
		}
		if a.record.ID == "" || len([]rune(a.record.Summary)) > maxSummary {
			t.Errorf("kept %+v", a.record)
		}
		if got := said(t, a); len(got) != len(a.statements) {
			t.Errorf("%d statements read of %d", len(got), len(a.statements))
		}
		if _, err := build([]advisory{a}, nil); err != nil {
			t.Error(err)
		}
	})
}

// FuzzDecodeAffected: a corrupt index is an error, never a crash or a flood.
func FuzzDecodeAffected(f *testing.F) {
	value, total := appendAffected(nil, match.Affected{
		Record: "T-1", Ecosystem: "Go", Package: "m", Versions: []string{"1"},
		Ranges: []match.Range{{Type: "SEMVER", Events: []match.Event{{Kind: match.Introduced, Version: "0"}}}},
	})
	f.Add(append(appendTotals(nil, total), value...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, value []byte) {
		list, err := decodeAffected("Go", "m", string(value))
		if err != nil && list != nil {
			t.Error("a list and an error")
		}
	})
}
