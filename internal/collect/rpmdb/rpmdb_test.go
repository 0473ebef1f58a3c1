package rpmdb_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	peer "github.com/erikvarga/go-rpmdb/pkg"

	"patrol/internal/collect/rpmdb"
)

// databases returns the real databases of all three formats that the peer
// library has among its test data: they are too large to be kept here.
func databases(tb testing.TB) []string {
	tb.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/erikvarga/go-rpmdb").Output()
	if err != nil {
		tb.Fatalf("finding the peer library's test data: %v", err)
	}
	var found []string
	for _, pattern := range []string{"Packages", "Packages.db", "rpmdb.sqlite"} {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "pkg", "testdata", "*", pattern))
		if err != nil {
			tb.Fatal(err)
		}
		found = append(found, files...)
	}
	if len(found) < 10 {
		tb.Fatalf("%d databases, want 10 at least", len(found))
	}
	return found
}

func read(ctx context.Context, database []byte) (found []rpmdb.Package, files []string, err error) {
	section := io.NewSectionReader(bytes.NewReader(database), 0, int64(len(database)))
	err = rpmdb.Read(ctx, section, nil, func(p *rpmdb.Package) {
		found = append(found, rpmdb.Package{
			Name: p.Name, Version: p.Version, Release: p.Release, Epoch: p.Epoch,
			Arch: p.Arch, SourceRPM: p.SourceRPM, Vendor: p.Vendor,
		})
		files = slices.AppendSeq(files, p.Files())
	})
	return found, files, err
}

// The peer library reads well-formed databases well.
func TestReadAgreesWithPeer(t *testing.T) {
	for _, file := range databases(t) {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, gotFiles, err := read(t.Context(), content)
			if err != nil {
				t.Fatal(err)
			}
			want, wantFiles := peerRead(t, content)
			sortPackages(got)
			sortPackages(want)
			if len(got) != len(want) {
				t.Fatalf("%d packages, the peer has %d", len(got), len(want))
			}
			for i := range got {
				if key(got[i]) != key(want[i]) {
					t.Errorf("got %q, the peer %q", key(got[i]), key(want[i]))
				}
			}
			slices.Sort(gotFiles)
			slices.Sort(wantFiles)
			if !slices.Equal(gotFiles, wantFiles) {
				t.Errorf("%d files, the peer has %d, or they differ", len(gotFiles), len(wantFiles))
			}
		})
	}
}

func peerRead(t *testing.T, content []byte) (found []rpmdb.Package, files []string) {
	t.Helper()
	// The peer opens SQLite for writing, and the module cache is read-only.
	file := filepath.Join(t.TempDir(), "database")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := peer.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	packages, err := db.ListPackages()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		found = append(found, rpmdb.Package{
			Name: p.Name, Version: p.Version, Release: p.Release, Epoch: p.EpochNum(),
			Arch: p.Arch, SourceRPM: p.SourceRpm, Vendor: p.Vendor,
		})
		names, err := p.InstalledFileNames()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, names...)
	}
	return found, files
}

func key(p rpmdb.Package) [7]any {
	return [7]any{p.Name, p.Version, p.Release, p.Epoch, p.Arch, p.SourceRPM, p.Vendor}
}

func sortPackages(packages []rpmdb.Package) {
	slices.SortFunc(packages, func(a, b rpmdb.Package) int {
		return strings.Compare(a.Name+a.Version+a.Release+a.Arch, b.Name+b.Version+b.Release+b.Arch)
	})
}

// A damaged database gives an error or fewer packages, never a panic.
func TestReadSurvivesDamage(t *testing.T) {
	const rounds = 40
	for _, file := range databases(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > 8<<20 {
			continue // the same formats, only slower
		}
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(len(content))))
			for range rounds {
				damaged := slices.Clone(content)
				for range 1 + random.IntN(200) {
					damaged[random.IntN(len(damaged))] = byte(random.IntN(256))
					damaged[32+random.IntN(8192)] = byte(random.IntN(256))
				}
				if random.IntN(4) == 0 {
					damaged = damaged[:random.IntN(len(damaged))]
				}
				_, _, _ = read(t.Context(), damaged)
			}
		})
	}
}

func TestReadRefusesOtherFormats(t *testing.T) {
	for _, content := range []string{"", "short", strings.Repeat("x", 4096)} {
		if _, _, err := read(t.Context(), []byte(content)); err == nil {
			t.Errorf("%.10q: no error", content)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("RpmP\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		_, _, _ = read(t.Context(), content)
	})
}
