package feed

import (
	"slices"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	records := map[string]string{"GO-2024-0001": goRecord, "GO-2024-0002": goTwoCVEs, "GO-2024-0003": goNameless, "GO-2024-0004": goWithdrawn, "GHSA-aaaa": ghsaRecord}
	const decoder, other = "example.org/decoder", "example.org/other"
	for name, test := range map[string]struct {
		change          map[string]string // record → what it becomes; "" if it goes
		want            Changes
		packages, names []string
	}{
		"nothing": {},
		"a text alone": {
			map[string]string{"GO-2024-0001": strings.Replace(goRecord, "2024-03-01", "2024-03-02", 1)},
			Changes{Changed: 1},
			nil,
			[]string{},
		},
		"a fix": {
			map[string]string{"GO-2024-0003": strings.NewReplacer("2024-02-02", "2024-02-09", `{"introduced":"0"}`, `{"introduced":"0"},{"fixed":"1.0.0"}`).Replace(goNameless)},
			Changes{Changed: 1},
			[]string{other},
			nil,
		},
		"another package": {
			map[string]string{"GO-2024-0003": strings.NewReplacer("2024-02-02", "2024-02-09", other, decoder).Replace(goNameless)},
			Changes{Changed: 1},
			[]string{decoder, other},
			nil,
		},
		"a CVE by the record itself": {
			map[string]string{"GO-2024-0003": strings.Replace(goNameless, `"GHSA-bbbb"`, `"GHSA-bbbb","CVE-2024-1009"`, 1)},
			Changes{Changed: 1},
			[]string{other},
			[]string{"CVE-2024-1009"},
		},
		"a CVE by a record that shares an alias": {
			map[string]string{"GHSA-bbbb": strings.NewReplacer("GHSA-aaaa", "GHSA-bbbb", "CVE-2024-1001", "CVE-2024-1009").Replace(ghsaRecord)},
			Changes{New: 1},
			[]string{decoder, other},
			[]string{"CVE-2024-1009"},
		},
		"withdrawn": {
			map[string]string{"GO-2024-0002": strings.Replace(goTwoCVEs, `"id"`, `"withdrawn":"2024-02-03T00:00:00Z","id"`, 1)},
			Changes{Changed: 1},
			[]string{decoder},
			nil,
		},
		"gone":                   {map[string]string{"GO-2024-0003": ""}, Changes{Gone: 1}, []string{other}, nil},
		"one that was withdrawn": {map[string]string{"GO-2024-0004": ""}, Changes{Gone: 1}, nil, nil},
		"a severity": {
			map[string]string{"GHSA-aaaa": strings.Replace(ghsaRecord, "A:H", "A:L", 1)},
			Changes{Changed: 1},
			nil,
			[]string{"CVE-2024-1001"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed := []string{}
			for id, record := range records {
				if _, ok := test.change[id]; !ok {
					changed = append(changed, record)
				}
			}
			for _, record := range test.change {
				if record != "" {
					changed = append(changed, record)
				}
			}
			before := revisionOf(t, feedOf(t, map[string][]byte{"Go": zipOf(t, goRecord, goTwoCVEs, goNameless, goWithdrawn, ghsaRecord)}))
			got, err := Compare(before, revisionOf(t, feedOf(t, map[string][]byte{"Go": zipOf(t, changed...)})))
			if err != nil {
				t.Fatal(err)
			}
			if got.New != test.want.New || got.Changed != test.want.Changed || got.Gone != test.want.Gone {
				t.Errorf("records: %+v, want %+v", got, test.want)
			}
			packages := []string{}
			for _, p := range got.Packages {
				packages = append(packages, p.Name)
			}
			if !slices.Equal(packages, test.packages) {
				t.Errorf("packages %q, want %q", packages, test.packages)
			}
			if test.names != nil && !slices.Equal(got.Vulnerabilities, test.names) {
				t.Errorf("vulnerabilities %q, want %q", got.Vulnerabilities, test.names)
			}
		})
	}
}
