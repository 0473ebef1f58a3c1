package collect_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect"
	"patrol/internal/collect/imagefs"
)

// gigabyte is the size of files here: they have a hole where others have contents.
const gigabyte = 1_000_000_000

// largeFiles are larger than any that is read of their kind, each beginning as its
// reader expects it.
var largeFiles = map[string]string{
	"var/lib/dpkg/status":             "Package: shown\nStatus: install ok installed\nVersion: 1\n\nPackage: large\nStatus: install ok installed\nVersion: 1\nDescription: ",
	"usr/lib/opkg/status":             "",
	"lib/apk/db/installed":            "P:shown\nV:1\n\nP:large\nT:",
	"var/lib/pacman/local/a-1/desc":   "%NAME%\na\n",
	"app/a.deps.json":                 `{"libraries":{"a/1":{"type":"package"}},"x":"`,
	"app/node_modules/a/package.json": `{"name":"a","version":"1.0.0","x":"`,
	"app/package-lock.json":           `{"packages":{"node_modules/a":{"version":"1.0.0"}},"x":"`,
	"app/a.dist-info/METADATA":        "Name: a\nVersion: 1\nDescription: ",
	"app/a.egg":                       "PK",
	"app/requirements.txt":            "a==1\n",
	"app/pnpm-lock.yaml":              "lockfileVersion: '6.0'\n",
	"app/Cargo.lock":                  "version = 3\n",
}

// A file of a gigabyte is left, with a word for it, and what stands beside it is
// found: in a tree, and in a layer.
func TestLargeFiles(t *testing.T) {
	root := t.TempDir()
	layer, err := os.Create(filepath.Join(t.TempDir(), "layer.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer layer.Close()
	end := int64(0)
	for name, start := range largeFiles {
		write(t, root, name, []byte(start))
		if err := os.Truncate(filepath.Join(root, name), gigabyte); err != nil {
			t.Fatal(err)
		}
		end = appendEntry(t, layer, end, name, start, gigabyte)
	}
	for name, content := range map[string]string{"etc/os-release": "ID=debian\nVERSION_ID=12\n", "beside/node_modules/good/package.json": `{"name":"good","version":"1.0.0"}`} {
		write(t, root, name, []byte(content))
		end = appendEntry(t, layer, end, name, content, int64(len(content)))
	}
	tests := map[string]func() (*collect.Result, error){
		"tree": func() (*collect.Result, error) { return collect.Dir(t.Context(), collect.Options{Root: root}) },
		"image": func() (*collect.Result, error) {
			return collect.Image(t.Context(), []imagefs.Layer{{Digest: "sha256:made-up", File: io.NewSectionReader(layer, 0, end)}}, collect.Options{})
		},
	}
	for where, scan := range tests {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		result, err := scan()
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := names(result.Document), []string{"npm good 1.0.0"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", where, got, want)
		}
		for name := range largeFiles {
			if !slices.ContainsFunc(result.Warnings, func(w collect.Warning) bool {
				return w.Path == name && strings.Contains(w.Message, "not read: 953 MiB") && (where == "tree" || strings.HasPrefix(w.Message, "layer sha256:made-up: "))
			}) {
				t.Errorf("%s: no warning for %s in %v", where, name, result.Warnings)
			}
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
			t.Errorf("%s: %d bytes were taken from the heap", where, took)
		}
	}
}

// appendEntry writes a file of an archive at an offset, with a hole after its start,
// and returns where the next one goes.
func appendEntry(t *testing.T, f *os.File, at int64, name, start string, size int64) int64 {
	t.Helper()
	var header bytes.Buffer
	if err := tar.NewWriter(&header).WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(append(header.Bytes(), start...), at); err != nil {
		t.Fatal(err)
	}
	next := at + 512 + (size+511)/512*512
	if err := f.Truncate(next); err != nil {
		t.Fatal(err)
	}
	return next
}

// What an executable says that it has, be it a terabyte, is not read into memory.
func TestSparseExecutables(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"usr/bin/a", "usr/bin/b"} {
		write(t, root, name, executable(make([]byte, 64)))
		file := filepath.Join(root, name)
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		// The size of the section that has the names of sections.
		if _, err := f.WriteAt([]byte{0, 0, 0, 0, 0x80, 0, 0, 0}, 64+2*64+32); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, 1<<40); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, root, "node_modules/good/package.json", []byte(`{"name":"good","version":"1.0.0"}`))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result := dir(t, root)
	runtime.ReadMemStats(&after)
	if got, want := names(result.Document), []string{"npm good 1.0.0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 512<<20 {
		t.Errorf("%d bytes were taken from the heap", took)
	}
}
