package collect_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect"
)

// scans collects a tree as it lies there, and as the layer of an image.
func scans(t *testing.T, root string) map[string]*collect.Result {
	t.Helper()
	return map[string]*collect.Result{"tree": dir(t, root), "image": collectImage(t, pack(t, root, true))}
}

// Whatever stands in a tree or an image, the scan ends, says where it did not read
// on, and finds what stands beside it. What that may cost, the tests of the built
// binary say: cmd/patrol/hostile_test.go.
func TestHostileAnywhere(t *testing.T) {
	const deep = 100_000
	tests := []struct {
		name   string
		files  map[string]string
		links  map[string]string
		warned []string // path, and what is said of it
	}{
		{
			name: "JSON nested deep",
			files: map[string]string{
				"package-lock.json":                  `{"dependencies":` + strings.Repeat(`{"a":{"dependencies":`, deep),
				"node_modules/deep/package.json":     strings.Repeat("[", deep),
				"vendor/composer/installed.json":     strings.Repeat("[", deep) + strings.Repeat("]", deep),
				"Pipfile.lock":                       strings.Repeat("[", deep),
				"composer.lock":                      strings.Repeat("[", deep),
				"packages.lock.json":                 strings.Repeat("[", deep),
				"bun.lock":                           strings.Repeat("[", deep),
				"src/node_modules/deep/package.json": strings.Repeat(`{"dependencies":`, deep),
			},
			warned: []string{
				"Pipfile.lock: max depth", "bun.lock: max depth", "composer.lock: max depth", "node_modules/deep/package.json: max depth", "package-lock.json: max depth",
				"packages.lock.json: max depth", "src/node_modules/deep/package.json: max depth", "vendor/composer/installed.json: max depth",
			},
		},
		{
			name: "TOML nested deep, which would end the process",
			files: map[string]string{
				"Cargo.lock":  "x = " + strings.Repeat("[", 4_000_000),
				"poetry.lock": "x = " + strings.Repeat("{a=", deep),
				"pdm.lock":    "[" + strings.Repeat("a.", deep) + "a]\n",
				"uv.lock":     strings.Repeat("a.", deep) + "a = 1\n",
			},
			warned: []string{"Cargo.lock: nested more than 64 deep", "pdm.lock: nested", "poetry.lock: nested", "uv.lock: nested"},
		},
		{
			name:   "YAML nested deep",
			files:  map[string]string{"pnpm-lock.yaml": strings.Repeat("- ", deep), "pubspec.lock": "x: " + strings.Repeat("{a: ", deep)},
			warned: []string{"pnpm-lock.yaml: max depth", "pubspec.lock: max depth"},
		},
		{
			name:  "lines that go on and on",
			files: map[string]string{"requirements.txt": strings.Repeat("\\\n", 10_000)},
		},
		{
			name: "requirements that include each other, by ever new names",
			files: map[string]string{
				"requirements.txt": "-r a/requirements.txt\n-r b/requirements.txt\n-r ../../../../../../../../etc/passwd\n-r /etc/passwd\nincluded==1.0.0\n",
			},
			links:  map[string]string{"a": ".", "b": "."},
			warned: []string{"requirements.txt: more than 100 files or 2 MiB are opened besides"},
		},
		{
			name:   "archives within archives",
			files:  map[string]string{"deep.jar": string(jarOfJars(t, 6)), "huge.jar": string(describedBy(t, 9<<20))},
			warned: []string{"deep.jar: or 3 archives deep", "huge.jar: MANIFEST.MF: more than 8 MiB"},
		},
		{
			name:   "an executable with much built in",
			files:  map[string]string{"usr/bin/bomb": string(executable(deflated(t, 9<<20)))},
			warned: []string{"usr/bin/bomb: inflates to more than 8 MiB"},
		},
		{
			name: "links to themselves and out",
			links: map[string]string{
				"loop": "loop", "here": ".", "up": "../../../../..", "lib/node_modules": "..", "etc/os-release": "os-release",
				"var/lib/dpkg/status": "/var/lib/dpkg/status", "node_modules/out": "/usr/share",
			},
			warned: []string{"etc/os-release: too many levels"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for name, content := range tt.files {
				write(t, root, name, []byte(content))
				if err := os.Chmod(filepath.Join(root, name), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for name, target := range tt.links {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, root, "beside/node_modules/good/package.json", []byte(`{"name":"good","version":"1.0.0"}`))
			for where, result := range scans(t, root) {
				if !slices.Contains(names(result.Document), "npm good 1.0.0") {
					t.Errorf("%s: what stands beside is not found: %q", where, names(result.Document))
				}
				warnedOf(t, where, result, tt.warned)
			}
		})
	}
}

// warnedOf checks that there is a warning for each of the texts, "path: what", and
// no other, and that those of an image name the layer.
func warnedOf(t *testing.T, where string, result *collect.Result, texts []string) {
	t.Helper()
	if len(result.Warnings) != len(texts) {
		t.Errorf("%s: warnings %.2000v, want %d", where, result.Warnings, len(texts))
		return
	}
	for i, text := range texts {
		place, what, _ := strings.Cut(text, ": ")
		w := result.Warnings[i]
		if w.Path != place || !strings.Contains(w.Message, what) {
			t.Errorf("%s: warning %v, want %q", where, w, text)
		}
		if where != "tree" && place != "etc/os-release" && !strings.Contains(w.Message, "layer sha256:") {
			t.Errorf("%s: %v does not name the layer", where, w)
		}
	}
}

func jarOfJars(t *testing.T, depth int) []byte {
	t.Helper()
	within := jar(t, map[string][]byte{"a": nil})
	for range depth {
		within = jar(t, map[string][]byte{"inner.jar": within})
	}
	return within
}

// describedBy is a jar with a manifest of zeros.
func describedBy(t *testing.T, size int) []byte {
	t.Helper()
	return jar(t, map[string][]byte{"META-INF/MANIFEST.MF": make([]byte, size)})
}

// deflated is zeros.
func deflated(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// executable is an ELF file (64 bits, little-endian) with a section .dep-v0.
func executable(audit []byte) []byte {
	const names = "\x00.dep-v0\x00.shstrtab\x00"
	le := binary.LittleEndian
	section := func(name, kind uint32, offset, size int) []byte {
		s := make([]byte, 64)
		le.PutUint32(s, name)
		le.PutUint32(s[4:], kind)
		le.PutUint64(s[24:], uint64(offset))
		le.PutUint64(s[32:], uint64(size))
		return s
	}
	start := 64 + 3*64
	sections := slices.Concat(make([]byte, 64), section(1, 1, start+len(names), len(audit)), section(9, 3, start, len(names)))
	return slices.Concat(elfHeader(3, 2), sections, []byte(names), audit)
}

// elfHeader is followed by the headers of sections.
func elfHeader(sections, names uint16) []byte {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	le := binary.LittleEndian
	le.PutUint16(h[16:], 2)  // executable
	le.PutUint16(h[18:], 62) // x86-64
	le.PutUint32(h[20:], 1)
	le.PutUint64(h[40:], 64) // where sections are
	le.PutUint16(h[52:], 64)
	le.PutUint16(h[58:], 64)
	le.PutUint16(h[60:], sections)
	le.PutUint16(h[62:], names)
	return h
}

// However short all files are cut, the scan ends well, and finds what is whole.
func TestTruncatedFiles(t *testing.T) {
	whole := unpack(t, "app.txtar")
	write(t, whole, "shop.jar", jar(t, map[string][]byte{
		"META-INF/maven/g/a/pom.properties": []byte("groupId=g\nartifactId=a\nversion=1\n"), "inner.jar": jar(t, map[string][]byte{"a": nil}),
	}))
	write(t, whole, "etc/os-release", []byte("ID=almalinux\nVERSION_ID=9.4\n"))
	write(t, whole, "usr/bin/tool", executable([]byte("x\x9c\x4b\x04\x00\x00\x62\x00\x62")))
	for _, name := range []string{"var/lib/rpm/rpmdb.sqlite", "var/lib/dpkg/status"} {
		content, err := os.ReadFile(filepath.Join("testdata", map[string]string{
			"var/lib/rpm/rpmdb.sqlite": "rpmdb.sqlite", "var/lib/dpkg/status": "debian12/var/lib/dpkg/status",
		}[name]))
		if err != nil {
			t.Fatal(err)
		}
		write(t, whole, name, content)
	}
	for eighths := range 8 {
		root := t.TempDir()
		if err := os.CopyFS(root, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(root, func(file string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			return os.Truncate(file, info.Size()*int64(eighths)/8)
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, root, "beside/node_modules/good/package.json", []byte(`{"name":"good","version":"1.0.0"}`))
		for where, result := range scans(t, root) {
			if !slices.Contains(names(result.Document), "npm good 1.0.0") {
				t.Errorf("%s, cut at %d/8: %q", where, eighths, names(result.Document))
			}
			if eighths > 0 && !slices.ContainsFunc(result.Warnings, func(w collect.Warning) bool { return w.Path == "shop.jar" }) {
				t.Errorf("%s, cut at %d/8: no warning of the archive in %v", where, eighths, result.Warnings)
			}
		}
	}
}
