package collect_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargoauditable"

	cpb "github.com/google/osv-scalibr/binary/proto/config_go_proto"
)

// SCALIBR's own extractor reads well-formed executables well: those among its test
// data, which are too large to be kept here.
func TestAuditableAgreesWithPeer(t *testing.T) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/osv-scalibr").Output()
	if err != nil {
		t.Fatalf("finding the peer's test data: %v", err)
	}
	peer, err := cargoauditable.New(&cpb.PluginConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for name, least := range map[string]int{"no_deps/no_deps": 1, "uses_serde_json/uses_serde_json": 5} {
		file := filepath.Join(strings.TrimSpace(string(module)), "extractor/filesystem/language/rust/cargoauditable/testdata", name)
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		write(t, root, "tool", content)
		if err := os.Chmod(filepath.Join(root, "tool"), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		theirs, err := peer.Extract(t.Context(), &filesystem.ScanInput{Path: "tool", Reader: f})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, p := range theirs.Packages {
			want = append(want, "crates.io "+p.Name+" "+p.Version)
		}
		slices.Sort(want)
		got := dir(t, root)
		if list := names(got.Document); !slices.Equal(list, want) || len(list) < least || len(got.Warnings) > 0 {
			t.Errorf("%s: got %q, %v, want %q", name, list, got.Warnings, want)
		}
	}
}
