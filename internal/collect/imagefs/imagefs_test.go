package imagefs_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect/imagefs"
)

type layer = []*tar.Header

// What a container would see of layers, and whose layer each file is.
func TestLayers(t *testing.T) {
	tests := []struct {
		name   string
		layers []layer
		want   []string
		warned []string
	}{
		{"no layers", nil, []string{}, nil},
		{"an empty layer", []layer{{}}, []string{}, nil},
		{
			"one layer",
			[]layer{{directory("."), directory("./etc"), file("./etc/passwd", "root"), file("bin/sh", "shell")}},
			[]string{"bin/", "bin/sh=shell 0", "etc/", "etc/passwd=root 0"},
			nil,
		},
		{
			"a higher layer replaces",
			[]layer{{file("a", "old"), file("b", "kept")}, {file("a", "new")}},
			[]string{"a=new 1", "b=kept 0"},
			nil,
		},
		{
			"directories merge",
			[]layer{{file("d/a", "1"), directory("d")}, {directory("d"), file("d/b", "2")}},
			[]string{"d/", "d/a=1 0", "d/b=2 1"},
			nil,
		},
		{"the last of duplicates wins", []layer{{file("a", "1"), file("./a", "2"), file("/a", "3")}}, []string{"a=3 0"}, nil},
		{"a file replaces a directory", []layer{{file("d/a", "1")}, {file("d", "file")}}, []string{"d=file 1"}, nil},
		{"a directory replaces a file", []layer{{file("d", "file")}, {directory("d"), file("d/a", "1")}}, []string{"d/", "d/a=1 1"}, nil},
		{
			"a directory replaces a link",
			[]layer{{file("usr/lib/a", "1"), symlink("lib", "usr/lib")}, {directory("lib"), file("lib/b", "2")}},
			[]string{"lib/", "lib/b=2 1", "usr/", "usr/lib/", "usr/lib/a=1 0"},
			nil,
		},

		{"a whiteout", []layer{{file("a", "1"), file("b", "1")}, {file(".wh.a", "")}}, []string{"b=1 0"}, nil},
		{"a whiteout of a directory", []layer{{file("d/e/a", "1"), file("b", "1")}, {file(".wh.d", "")}}, []string{"b=1 0"}, nil},
		{"a whiteout in a directory", []layer{{file("d/a", "1"), file("d/b", "1")}, {file("d/.wh.a", "")}}, []string{"d/", "d/b=1 0"}, nil},
		{"a whiteout before its own layer's file", []layer{{file("a", "1")}, {file(".wh.a", ""), file("a", "2")}}, []string{"a=2 1"}, nil},
		{"a whiteout after its own layer's file", []layer{{file("a", "1")}, {file("a", "2"), file(".wh.a", "")}}, []string{"a=2 1"}, nil},
		{
			"a whiteout of a directory that its layer fills",
			[]layer{{file("d/a", "1"), file("d/e/b", "1")}, {file("d/e/c", "2"), file(".wh.d", "")}},
			[]string{"d/", "d/e/", "d/e/c=2 1"},
			nil,
		},
		{"a whiteout of nothing", []layer{{file("a", "1")}, {file(".wh.b", ""), file("c/.wh.d", "")}}, []string{"a=1 0"}, nil},
		{"a whiteout in the lowest layer", []layer{{file("a", "1"), file(".wh.a", "")}}, []string{"a=1 0"}, nil},
		{"back again", []layer{{file("a", "1")}, {file(".wh.a", "")}, {file("a", "3")}}, []string{"a=3 2"}, nil},
		{"whiteouts of names that are none", []layer{{file("a", "1")}, {file(".wh.", ""), file(".wh..", ""), file(".wh...", "")}}, []string{"a=1 0"}, nil},
		{"what aufs kept", []layer{{file("a", "1")}, {directory(".wh..wh.plnk"), file(".wh..wh.aufs", "")}}, []string{"a=1 0"}, nil},
		{
			"a whiteout below a link",
			[]layer{{file("usr/lib/a", "1"), symlink("lib", "usr/lib")}, {file("lib/.wh.a", "")}},
			[]string{"lib@", "usr/", "usr/lib/"},
			nil,
		},

		{"opaque", []layer{{file("d/a", "1"), file("d/e/b", "1"), file("c", "1")}, {file("d/.wh..wh..opq", "")}}, []string{"c=1 0", "d/"}, nil},
		{
			"opaque before its siblings",
			[]layer{{file("d/a", "1"), file("d/b", "1")}, {directory("d"), file("d/.wh..wh..opq", ""), file("d/b", "2")}},
			[]string{"d/", "d/b=2 1"},
			nil,
		},
		{
			"opaque after its siblings",
			[]layer{{file("d/a", "1"), file("d/b", "1")}, {directory("d"), file("d/b", "2"), file("d/.wh..wh..opq", "")}},
			[]string{"d/", "d/b=2 1"},
			nil,
		},
		{
			"opaque above what its layer has",
			[]layer{{file("d/e/a", "1"), file("d/f/a", "1")}, {file("d/e/b", "2"), file("d/.wh..wh..opq", "")}},
			[]string{"d/", "d/e/", "d/e/b=2 1"},
			nil,
		},
		{
			"opaque, of a directory that its layer repeats",
			[]layer{{file("d/e/a", "1")}, {directory("d"), directory("d/e"), file("d/.wh..wh..opq", "")}},
			[]string{"d/", "d/e/"},
			nil,
		},
		{"opaque twice", []layer{{file("d/a", "1")}, {file("d/.wh..wh..opq", ""), file("d/b", "2"), file("d/.wh..wh..opq", "")}}, []string{"d/", "d/b=2 1"}, nil},
		{"opaque at the root", []layer{{file("a", "1")}, {file(".wh..wh..opq", ""), file("b", "2")}}, []string{"b=2 1"}, nil},
		{
			"opaque once is not for ever",
			[]layer{{file("d/a", "1")}, {file("d/.wh..wh..opq", "")}, {file("d/c", "3")}, {file("d/e", "4")}},
			[]string{"d/", "d/c=3 2", "d/e=4 3"},
			nil,
		},

		{
			"a parent that is a link below",
			[]layer{{directory("usr/lib"), symlink("lib", "usr/lib")}, {file("lib/a", "2")}},
			[]string{"lib@", "usr/", "usr/lib/", "usr/lib/a=2 1"},
			nil,
		},
		{
			"a parent that is an absolute link",
			[]layer{{directory("usr/lib"), symlink("var/lib", "/usr/lib")}, {file("var/lib/a", "2")}},
			[]string{"usr/", "usr/lib/", "usr/lib/a=2 1", "var/", "var/lib@"},
			nil,
		},
		{
			"a parent that is a link to nowhere",
			[]layer{{symlink("d", "e/f"), file("d/a", "1")}},
			[]string{"d@", "e/", "e/f/", "e/f/a=1 0"},
			nil,
		},
		{
			"a parent that leads out",
			[]layer{{symlink("d", "../../../etc"), file("d/passwd", "1"), symlink("e", "/../.."), file("e/top", "1")}},
			[]string{"d@", "e@", "etc/", "etc/passwd=1 0", "top=1 0"},
			nil,
		},
		{
			"a link that moves",
			[]layer{{directory("x"), directory("y"), symlink("d", "x"), file("d/a", "1"), symlink("d", "y"), file("d/b", "1")}},
			[]string{"d@", "x/", "x/a=1 0", "y/", "y/b=1 0"},
			nil,
		},
		{"a loop", []layer{{symlink("a", "b"), symlink("b", "a"), file("a/c", "1"), file("d", "1")}}, []string{"a@", "b@", "d=1 0"}, []string{"a/c"}},
		{"a parent that is a file", []layer{{file("a", "1"), file("a/b", "1")}}, []string{"a=1 0"}, []string{"a/b"}},

		{
			"names that lead out",
			[]layer{{file("../../etc/passwd", "1"), file("/abs", "1"), file("a/../../../b", "1"), file("./../c", "1"), directory("..")}},
			[]string{"abs=1 0", "b=1 0", "c=1 0", "etc/", "etc/passwd=1 0"},
			nil,
		},
		{"odd names", []layer{{file("a//b/./c", "1"), file("\xff\xfe", "1")}}, []string{"a/", "a/b/", "a/b/c=1 0", "\xff\xfe=1 0"}, nil},

		{"a hard link", []layer{{file("a", "1"), hardLink("b", "a"), hardLink("d/c", "./b")}}, []string{"a=1 0", "b=1 0", "d/", "d/c=1 0"}, nil},
		{"a hard link to a lower layer", []layer{{file("a", "1")}, {hardLink("b", "/a")}}, []string{"a=1 0", "b=1 1"}, nil},
		{"a hard link keeps what is replaced", []layer{{file("a", "1"), hardLink("b", "a"), file("a", "2")}}, []string{"a=2 0", "b=1 0"}, nil},
		{"a hard link keeps what is hidden", []layer{{file("a", "1")}, {hardLink("b", "a"), file(".wh.a", "")}}, []string{"b=1 1"}, nil},
		{"a hard link to a link", []layer{{file("a", "1"), symlink("l", "a"), hardLink("b", "l")}}, []string{"a=1 0", "b@", "l@"}, nil},
		{
			"a hard link through a link",
			[]layer{{file("usr/lib/a", "1"), symlink("lib", "usr/lib")}, {hardLink("b", "lib/a")}},
			[]string{"b=1 1", "lib@", "usr/", "usr/lib/", "usr/lib/a=1 0"},
			nil,
		},
		{"a hard link to itself", []layer{{file("a", "1"), hardLink("a", "a")}}, []string{"a=1 0"}, nil},
		{"a hard link to nothing", []layer{{hardLink("a", "b"), file("c", "1")}}, []string{"c=1 0"}, []string{"a: "}},
		{"a hard link to a directory", []layer{{directory("d"), hardLink("a", "d")}}, []string{"d/"}, []string{"a: "}},
		{"a hard link out", []layer{{hardLink("a", "../../etc/passwd"), file("etc/passwd", "1")}}, []string{"etc/", "etc/passwd=1 0"}, []string{"a: "}},

		{
			"devices and fifos",
			[]layer{{special("dev/null", tar.TypeChar), special("disk", tar.TypeBlock), special("pipe", tar.TypeFifo), file("a", "1")}},
			[]string{"a=1 0", "dev/"},
			nil,
		},
		{"a device hides", []layer{{file("a", "1")}, {special("a", tar.TypeChar)}}, []string{}, nil},
	}
	for _, tt := range tests {
		for name, compress := range map[string]func(testing.TB, []byte) []byte{"in place": uncompressed, "gzip": gzipped, "zstd": zstandard} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				var archives [][]byte
				for _, l := range tt.layers {
					archives = append(archives, archive(t, l...))
				}
				var w warnings
				f := open(t, stored(t, compress, archives...), imagefs.Options{Warn: w.add, Verify: true})
				if got := listing(t, f); !slices.Equal(got, tt.want) {
					t.Errorf("got  %q\nwant %q", got, tt.want)
				}
				w.expect(t, tt.warned...)
			})
		}
	}
}

func TestResolve(t *testing.T) {
	entries := layer{
		file("usr/lib/os-release", "ID=debian"), symlink("etc/os-release", "../usr/lib/os-release"),
		symlink("absolute", "/etc/os-release"), symlink("out", "../../../etc/os-release"), symlink("lib", "usr/lib"),
		symlink("loop", "loop"), symlink("nowhere", "usr/none"), symlink("dot", "."),
	}
	chain := "usr/lib/os-release"
	for i := range 41 {
		name := "chain" + strings.Repeat("i", i)
		entries = append(entries, symlink(name, chain))
		chain = name
	}
	f := open(t, stored(t, uncompressed, archive(t, entries...)), imagefs.Options{})
	for _, name := range []string{
		"usr/lib/os-release", "etc/os-release", "absolute", "out", "lib/os-release", "dot/dot/lib/os-release", "../etc/os-release",
		"chain" + strings.Repeat("i", 39),
	} {
		if got := read(t, f, name); got != "ID=debian" {
			t.Errorf("%s: %q", name, got)
		}
		if info, err := f.Stat(name); err != nil || info.Size() != 9 || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for _, name := range []string{"loop", "nowhere", "none", "usr", "usr/lib/os-release/x", "chain" + strings.Repeat("i", 40)} {
		if _, err := f.Open(name); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := f.Open("nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nowhere: %v", err)
	}
	list, err := f.ReadDir("lib")
	if err != nil || len(list) != 1 || list[0].Name() != "os-release" {
		t.Errorf("lib: %v, %v", list, err)
	}
	if _, err := f.ReadDir("etc/os-release"); err == nil {
		t.Error("a file was listed")
	}
}

// An open file can be read at any place, as the Java extractor needs.
func TestFile(t *testing.T) {
	f := open(t, stored(t, gzipped, archive(t, file("a", "hello world"), file("b", "b"))), imagefs.Options{})
	opened, err := f.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	file := opened.(interface {
		fs.File
		io.ReaderAt
		io.Seeker
	})
	defer file.Close()
	part := make([]byte, 5)
	if _, err := file.ReadAt(part, 6); err != nil || string(part) != "world" {
		t.Errorf("%q, %v", part, err)
	}
	if n, err := file.ReadAt(part, 9); n != 2 || err != io.EOF {
		t.Errorf("read %d bytes, %v: a file ends where it ends", n, err)
	}
	if _, err := file.Seek(-5, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(file); err != nil || string(rest) != "world" {
		t.Errorf("%q, %v", rest, err)
	}
}

// Of a compressed layer only what is asked for is kept; what turns out to be
// wanted under another name is had by inflating the layer again.
func TestKeep(t *testing.T) {
	layers := stored(t, gzipped, archive(t,
		file("store/1", "one"), hardLink("app/package.json", "store/1"), hardLink("app/again", "store/1"),
		file("store/2", "\x7fELF two"), file("store/3", "#!/bin/sh"), file("package.json", "root"), file("store/4", "four"),
	))
	f := open(t, layers, imagefs.Options{
		Keep: func(name string, _ fs.FileInfo) imagefs.Decision {
			switch name {
			case "package.json":
				return imagefs.Keep
			case "store/2", "store/3":
				return imagefs.Sniff
			}
			return imagefs.Skip
		},
		Sniff: func(head []byte) bool { return string(head) == "\x7fELF" },
	})
	node := func(name string) *imagefs.Node {
		info, err := f.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.(*imagefs.Node)
	}
	for name, want := range map[string]error{
		"package.json": nil, "store/1": imagefs.ErrNotKept, "store/2": nil, "store/3": imagefs.ErrNotKept, "app/package.json": imagefs.ErrNotKept,
	} {
		if _, err := f.Open(name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if node("store/1").Refused() || !node("store/3").Refused() || node("store/2").Refused() {
		t.Error("only store/3 was looked at and refused")
	}
	wanted := []*imagefs.Node{node("store/4"), node("app/again"), node("store/3"), node("package.json"), node("app/package.json")}
	if err := f.Fetch(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"store/4": "four", "app/package.json": "one", "app/again": "one", "package.json": "root"} {
		if got := read(t, f, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, err := f.Open("store/3"); !errors.Is(err, imagefs.ErrNotKept) {
		t.Errorf("store/3: %v", err)
	}
}

func TestVerify(t *testing.T) {
	whole := archive(t, file("a", "1"), file("b", "2"))
	for name, compress := range map[string]func(testing.TB, []byte) []byte{"in place": uncompressed, "gzip": gzipped} {
		t.Run(name, func(t *testing.T) {
			layers := stored(t, compress, whole)
			layers[0].Digest = digest([]byte("another"))
			open(t, layers, imagefs.Options{}) // as it is
			if _, err := imagefs.Open(t.Context(), layers, imagefs.Options{Verify: true}); !errors.Is(err, imagefs.ErrDigest) {
				t.Errorf("got %v, want %v", err, imagefs.ErrDigest)
			}
			// Bytes after the archive's end count as well.
			layers = stored(t, compress, append(slices.Clone(whole), make([]byte, 4096)...))
			layers[0].Digest = digest(whole)
			if _, err := imagefs.Open(t.Context(), layers, imagefs.Options{Verify: true}); !errors.Is(err, imagefs.ErrDigest) {
				t.Errorf("with bytes behind it: got %v, want %v", err, imagefs.ErrDigest)
			}
		})
	}
}

// A layer that comes from elsewhere.
func TestFetchedLayer(t *testing.T) {
	data := archive(t, file("a", "1"))
	for name, compress := range map[string]func(testing.TB, []byte) []byte{"plain": uncompressed, "gzip": gzipped} {
		t.Run(name, func(t *testing.T) {
			blob := compress(t, data)
			f := open(t, []imagefs.Layer{{Digest: digest(data), Instruction: "RUN step 0", Fetch: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(blob)), nil
			}}}, imagefs.Options{Verify: true})
			if got, want := listing(t, f), []string{"a=1 0"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	gone := errors.New("gone")
	_, err := imagefs.Open(t.Context(), []imagefs.Layer{{Digest: digest(data), Fetch: func(context.Context) (io.ReadCloser, error) { return nil, gone }}}, imagefs.Options{})
	if !errors.Is(err, gone) || !strings.Contains(err.Error(), digest(data)) {
		t.Errorf("got %v, want %v and the layer's name", err, gone)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, compress := range map[string]func(testing.TB, []byte) []byte{"in place": uncompressed, "gzip": gzipped} {
		if _, err := imagefs.Open(ctx, stored(t, compress, archive(t, file("a", "1"))), imagefs.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
