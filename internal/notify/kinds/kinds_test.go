package kinds_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patrol/internal/notify/kinds"
)

// TestNames: the names are in people's scripts, and each kind has a page that names
// all of its fields.
func TestNames(t *testing.T) {
	want := strings.Fields("slack teams pagerduty jira splunk elasticsearch opensearch sumologic s3 securityhub email http syslog chronicle shoutrrr")
	docs := filepath.Join("..", "..", "..", "docs", "integrations")
	index, err := os.ReadFile(filepath.Join(docs, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds.All() {
		if !slices.Contains(want, k.Name) {
			t.Errorf("%q is none of the kinds", k.Name)
		}
		want = slices.DeleteFunc(want, func(name string) bool { return name == k.Name })
		page, err := os.ReadFile(filepath.Join(docs, k.Name+".md"))
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(index), "("+k.Name+".md)") {
			t.Errorf("the list of pages has no link to that of %s", k.Name)
		}
		seen := make(map[string]bool)
		for _, f := range k.Fields {
			if f.Name == "" || f.Label == "" || f.Help == "" || seen[f.Name] {
				t.Errorf("%s has the field %+v", k.Name, f)
			}
			if f.Default != "" && (f.Required || f.Secret) || f.Choices != nil && f.Default == "" && !f.Required {
				t.Errorf("%s: what an empty %s means is not clear", k.Name, f.Name)
			}
			seen[f.Name] = true
			if !strings.Contains(string(page), "`"+f.Name+"`") {
				t.Errorf("the page of %s does not tell of its field %s", k.Name, f.Name)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("there is no %q", want)
	}
}
