package report_test

import (
	"cmp"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"patrol/internal/feed"
	"patrol/internal/match"
	"patrol/internal/report"
)

// rootfs is the package database of a real Debian 12 system.
const rootfs = "../collect/testdata/debian12"

// pair is a vulnerability in a source package, as the fixture's answer has it.
type pair struct {
	Source    string `json:"source"`
	CVE       string `json:"cve"`
	Installed string `json:"installed_source_version"`
	Fixed     string `json:"fixed"`
}

// revision returns the feed at url, or the built-in sample if url is empty.
func revision(t *testing.T, url string) *feed.Revision {
	t.Helper()
	store, err := feed.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if url != "" {
		if _, err := store.Update(t.Context(), feed.Options{URL: url}); err != nil {
			t.Fatal(err)
		}
	}
	known, err := store.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func scan(t *testing.T, root string, known *feed.Revision) *report.Report {
	t.Helper()
	r, err := report.Scan(t.Context(), report.Target{Name: "dir:" + root, Kind: "dir", Where: root}, report.TargetOptions{}, known, new(feed.Intelligence))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSample is what needs knowledge: the built-in sample has every Debian
// record that the fixture's answer was made with. It is compiled once.
func TestSample(t *testing.T) {
	sample := revision(t, "")
	t.Run("a real system", func(t *testing.T) {
		r := scan(t, rootfs, sample)
		if !r.Feed.Sample {
			t.Error("the feed does not say that it is the sample")
		}
		wantPairs(t, r, "testdata/debian12.json")
	})
	t.Run("members of the JSON", func(t *testing.T) { wantMembers(t, scan(t, rootfs, sample)) })
	t.Run("nulls of the JSON", func(t *testing.T) { wantNulls(t, scan(t, rootfs, sample)) })
	t.Run("an empty tree", func(t *testing.T) { wantEmptyLists(t, scan(t, t.TempDir(), sample)) })
	t.Run("there and back", func(t *testing.T) { wantRoundTrip(t, sample) })
	t.Run("what is not assessed", func(t *testing.T) { wantNotAssessed(t, sample) })
}

// wantPairs compares the findings with the answer: no more and no less.
func wantPairs(t *testing.T, r *report.Report, answer string) {
	t.Helper()
	data, err := os.ReadFile(answer)
	if err != nil {
		t.Fatal(err)
	}
	var want []pair
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != 166 {
		t.Fatalf("the answer has %d pairs, want 166", len(want))
	}
	var got []pair
	for _, f := range r.Findings {
		source, version := match.Subject(f.Component.Key())
		got = append(got, pair{source, f.Vulnerability, version, strings.Join(f.Fixed, ", ")})
	}
	order := func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.CVE, b.CVE), cmp.Compare(a.Installed, b.Installed), cmp.Compare(a.Fixed, b.Fixed))
	}
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	got = slices.Compact(got) // binaries of one source
	for _, p := range want {
		if _, found := slices.BinarySearchFunc(got, p, order); !found {
			t.Errorf("missing: %+v", p)
		}
	}
	for _, p := range got {
		if _, found := slices.BinarySearchFunc(want, p, order); !found {
			t.Errorf("too many: %+v", p)
		}
	}
	s := r.Summary
	if sum := s.Malicious + s.Critical + s.High + s.Medium + s.Low + s.Unknown; sum != len(want) {
		t.Errorf("the summary counts %d (%s), want %d", sum, report.Counts(s), len(want))
	}
	if r.SBOM.Components != 345 {
		t.Errorf("%d components, want 345", r.SBOM.Components)
	}
	if len(r.Warnings) > 0 {
		t.Errorf("warnings: %v", r.Warnings)
	}
}
