package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"patrol/internal/feed"
	"patrol/internal/report"
)

// wantRoundTrip: a system, and the SBOM that was written of it, are the same to
// matching and to people.
func wantRoundTrip(t *testing.T, sample *feed.Revision) {
	t.Helper()
	before := scan(t, rootfs, sample)
	for name, schema := range schemas(t) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(written(t, name, before)))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, format := range []string{"cyclonedx", "spdx"} {
		file := filepath.Join(t.TempDir(), "sbom.json")
		if err := os.WriteFile(file, []byte(written(t, format, before)), 0o600); err != nil {
			t.Fatal(err)
		}
		target := report.Target{Name: "sbom:" + file, Kind: "sbom", Where: file}
		after, err := report.Scan(t.Context(), target, report.TargetOptions{}, sample, new(feed.Intelligence))
		if err != nil {
			t.Fatal(err)
		}
		if after.SBOM != before.SBOM || len(after.Warnings) > 0 {
			t.Errorf("%s: %+v, was %+v; %v", format, after.SBOM, before.SBOM, after.Warnings)
		}
		got, err := json.Marshal(after.Findings)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(before.Findings)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: %d findings, were %d", format, len(after.Findings), len(before.Findings))
		}
	}
}
