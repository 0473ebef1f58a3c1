package feed

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// TestSampleIsFacts: other people's prose is not ours to give away.
func TestSampleIsFacts(t *testing.T) {
	archives, err := sampleArchives()
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) != 5 {
		t.Errorf("%d sources, want 5", len(archives))
	}
	for _, a := range archives {
		data, err := sampleFiles.ReadFile("sample/" + a.path)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) >= 1<<20 {
			t.Errorf("%s has %d bytes, and must have less than 1 MiB", a.path, len(data))
		}
		r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			content, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			record, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			factsOnly(t, f.Name, record)
		}
	}
}

func factsOnly(t *testing.T, name string, record []byte) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(record, &fields); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for field := range fields {
		switch field {
		case "id", "modified", "published", "aliases", "upstream", "related", "severity", "affected":
		default:
			t.Errorf("%s has a field %q", name, field)
		}
	}
	var affected []map[string]json.RawMessage
	if err := json.Unmarshal(fields["affected"], &affected); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, a := range affected {
		for field := range a {
			if !strings.Contains(" package severity ranges versions ", " "+field+" ") {
				t.Errorf("%s has a field affected.%s", name, field)
			}
		}
	}
}
