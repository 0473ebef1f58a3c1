package collect

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	scalibr "github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/plugin"
	"github.com/google/osv-scalibr/purl"
)

// reads is an extractor made of its Extract.
type reads func(context.Context, *filesystem.ScanInput) (scalibr.Inventory, error)

func (reads) Name() string                         { return "test" }
func (reads) Version() int                         { return 0 }
func (reads) Requirements() *plugin.Capabilities   { return &plugin.Capabilities{} }
func (reads) FileRequired(filesystem.FileAPI) bool { return true }
func (r reads) Extract(ctx context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	return r(ctx, input)
}

// named finds one package of the file's name.
func named(_ context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
	return scalibr.Inventory{Packages: []*extractor.Package{
		{Name: path.Base(input.Path), Version: "1", PURLType: purl.TypeNPM},
	}}, nil
}

func sourcesOf(extractors map[string]reads) (sources []*source) {
	for file, r := range extractors {
		sources = append(sources, &source{files: []string{file}, extractor: r, limit: streamed})
	}
	return sources
}

func put(t *testing.T, root, name, content string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func found(r *Result) (names []string) {
	for _, c := range r.Document.Components {
		names = append(names, c.Name)
	}
	return names
}

// Whatever an extractor does, the others' files are read.
func TestBadExtractors(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"panics", "fails", "hangs", "spins", "late", "good"} {
		put(t, root, name, "content")
	}
	unblock := make(chan struct{})
	defer close(unblock)
	result, err := collect(t.Context(), Options{Root: root, FileTimeout: 50 * time.Millisecond}, sourcesOf(map[string]reads{
		"panics": func(context.Context, *filesystem.ScanInput) (scalibr.Inventory, error) { panic("out of range") },
		"fails": func(ctx context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
			inv, _ := named(ctx, input)
			return inv, errors.New("cut off")
		},
		"hangs": func(context.Context, *filesystem.ScanInput) (scalibr.Inventory, error) {
			<-unblock // looks neither at its context nor at its file
			return scalibr.Inventory{}, nil
		},
		"spins": func(_ context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
			for {
				if _, err := input.Reader.(io.ReaderAt).ReadAt(make([]byte, 1), 0); err != nil {
					return scalibr.Inventory{}, err
				}
			}
		},
		"late": func(ctx context.Context, input *filesystem.ScanInput) (scalibr.Inventory, error) {
			<-ctx.Done()
			inv, _ := named(ctx, input)
			return inv, ctx.Err()
		},
		"good": named,
	}), newOwnedFiles())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := found(result), []string{"fails", "good", "late"}; !slices.Equal(got, want) {
		t.Errorf("components %q, want %q", got, want)
	}
	var warned []string
	for _, w := range result.Warnings {
		warned = append(warned, w.Path)
	}
	if want := []string{"fails", "hangs", "late", "panics", "spins"}; !slices.Equal(warned, want) {
		t.Errorf("warnings %v, want one each for %q", result.Warnings, want)
	}
}

func TestCancelDuringExtraction(t *testing.T) {
	root := t.TempDir()
	put(t, root, "waits", "content")
	ctx, cancel := context.WithCancel(t.Context())
	unblock := make(chan struct{})
	defer close(unblock)
	_, err := collect(ctx, Options{Root: root}, sourcesOf(map[string]reads{
		"waits": func(context.Context, *filesystem.ScanInput) (scalibr.Inventory, error) {
			cancel()
			<-unblock
			return scalibr.Inventory{}, nil
		},
	}), newOwnedFiles())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled context", err)
	}
}

func TestCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dir(ctx, Options{Root: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancelled context", err)
	}
}

func TestMissingRoot(t *testing.T) {
	if _, err := Dir(t.Context(), Options{Root: filepath.Join(t.TempDir(), "absent")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}

// Links out of the tree, a fifo, a socket, a directory under a file's name: none is
// opened, none is worth a warning.
func TestOddFiles(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	put(t, outside, "package.json", `{"name":"outside","version":"1.0.0"}`)
	put(t, outside, "node_modules/outside/package.json", `{"name":"outside","version":"1.0.0"}`)
	put(t, root, "node_modules/inside/package.json", `{"name":"inside","version":"1.0.0"}`)
	for link, target := range map[string]string{
		"node_modules/linked": filepath.Join(outside, "node_modules/outside"),
		"node_modules/up":     "../../..",
		"node_modules/f.jar":  filepath.Join(outside, "package.json"),
		"etc/os-release":      filepath.Join(outside, "package.json"),
		"var/lib/dpkg/status": "/var/lib/dpkg/status",
		"node_modules/loop":   "loop",
		"usr/lib/os-release":  "../../usr/lib/os-release",
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "Cargo.lock"), 0o644); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(root, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := os.MkdirAll(filepath.Join(root, "poetry.lock/go.mod"), 0o755); err != nil {
		t.Fatal(err)
	}
	result, err := Dir(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := found(result), []string{"inside"}; !slices.Equal(got, want) {
		t.Errorf("components %q, want %q", got, want)
	}
	// usr/lib/os-release is a loop, which is worth one.
	if len(result.Warnings) != 1 || result.Warnings[0].Path != "usr/lib/os-release" {
		t.Errorf("warnings %v, want one for the loop", result.Warnings)
	}
}

// What is opened is a regular file, even if a fifo or a device took its name after
// the listing.
func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(dir, "fifo"), "/dev/zero", "/dev/null"} {
		root, err := os.OpenRoot(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openRegular(root, filepath.Base(file)); !errors.Is(err, errNotRegular) {
			t.Errorf("%s: got %v, want %v", file, err, errNotRegular)
		}
		root.Close()
	}
}

func TestMalformedFiles(t *testing.T) {
	root := t.TempDir()
	put(t, root, "etc/os-release", "ID=debian\nVERSION_ID=12\n")
	malformed := []string{
		"app.jar", "node_modules/broken/package.json", "package-lock.json",
		"var/lib/rpm/Packages", "vendor/composer/installed.json",
	}
	for _, name := range malformed {
		put(t, root, name, strings.Repeat("[broken ", 20))
	}
	put(t, root, "var/lib/dpkg/status", "Package: whole\nStatus: install ok installed\nVersion: 1\n\nno colon\n")
	put(t, root, "tool", "\x7fELF"+strings.Repeat("\xff", 200))
	if err := os.Chmod(filepath.Join(root, "tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, root, "node_modules/good/package.json", `{"name":"good","version":"1.0.0"}`)
	result, err := Dir(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := found(result), []string{"whole", "good"}; !slices.Equal(got, want) {
		t.Errorf("components %q, want %q", got, want)
	}
	for _, name := range append(malformed, "var/lib/dpkg/status") {
		if !slices.ContainsFunc(result.Warnings, func(w Warning) bool { return w.Path == name }) {
			t.Errorf("no warning for %s in %v", name, result.Warnings)
		}
	}
}

func TestTooLarge(t *testing.T) {
	root := t.TempDir()
	put(t, root, "Cargo.lock", "")
	if err := os.Truncate(filepath.Join(root, "Cargo.lock"), inMemory+1); err != nil {
		t.Fatal(err)
	}
	result, err := Dir(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0].Message, "not read") {
		t.Errorf("warnings %v, want one for the size", result.Warnings)
	}
}

func TestTooDeep(t *testing.T) {
	root := t.TempDir()
	deep := strings.Repeat("d/", maxDepth+2)
	put(t, root, deep+"package.json", "{}")
	result, err := Dir(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0].Message, "deeper") {
		t.Errorf("warnings %v, want one for the depth", result.Warnings)
	}
}

// An archive within an archive that would fill the memory is left closed, and
// what surrounds it is found.
func TestArchiveBomb(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	add := func(name string, content io.Reader) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, content); err != nil {
			t.Fatal(err)
		}
	}
	add("META-INF/maven/g/a/pom.properties", strings.NewReader("groupId=g\nartifactId=a\nversion=1.0\n"))
	add("lib/bomb.jar", io.LimitReader(zeros{}, maxNested+1))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	put(t, root, "app.jar", b.String())
	result, err := Dir(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := found(result), []string{"g:a"}; !slices.Equal(got, want) {
		t.Errorf("components %q, want %q", got, want)
	}
	if len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0].Message, "lib/bomb.jar: not opened") {
		t.Errorf("warnings %v, want one for lib/bomb.jar", result.Warnings)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestWarningsAreBounded(t *testing.T) {
	in := &inventory{}
	for i := range maxWarnings + 5 {
		in.warn(fmt.Sprint(i), "broken")
	}
	result := in.result(0)
	if len(result.Warnings) != maxWarnings+1 || result.Warnings[0].Message != "5 more warnings are not listed" {
		t.Errorf("%d warnings, the first %v", len(result.Warnings), result.Warnings[0])
	}
}
