package collect_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"patrol/internal/collect"
	"patrol/internal/collect/imagefs"
)

// pack makes a layer of a directory tree.
func pack(t *testing.T, root string, compress bool) imagefs.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	blob := b.Bytes()
	l := imagefs.Layer{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(blob)), Instruction: "COPY . /"}
	if compress {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(blob); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		blob = z.Bytes()
	}
	l.File = io.NewSectionReader(bytes.NewReader(blob), 0, int64(len(blob)))
	return l
}

func collectImage(t *testing.T, layers ...imagefs.Layer) *collect.Result {
	t.Helper()
	result, err := collect.Image(t.Context(), layers, collect.Options{Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// An image has what its unpacked tree has, and knows the layers besides.
func TestImageEqualsTree(t *testing.T) {
	for _, system := range []string{"ubuntu.txtar", "distroless.txtar", "almalinux.txtar", "app.txtar", "debian12"} {
		root := filepath.Join("testdata", system)
		if strings.HasSuffix(system, ".txtar") {
			root = unpack(t, system)
			// Links, one of them through a directory that is a link; and what is not read.
			if err := os.Symlink("usr/lib", filepath.Join(root, "lib")); err != nil {
				t.Fatal(err)
			}
			write(t, root, "usr/lib/apk/db/installed", []byte("P:musl\nV:1.2.5-r0\nF:x\nR:y\n\n"))
			if system != "app.txtar" { // which is no system: as a directory, its var/cache is one like any other
				write(t, root, "var/cache/node_modules/skipped/package.json", []byte(`{"name":"skipped","version":"1.0.0"}`))
			}
			write(t, root, "srv/requirements.txt", []byte("-r more.txt\nsix==1.16.0\n"))
			write(t, root, "srv/more.txt", []byte("jinja2==3.1.0\n"))
			if system == "almalinux.txtar" {
				database, err := os.ReadFile(filepath.Join("testdata", "rpmdb.sqlite"))
				if err != nil {
					t.Fatal(err)
				}
				write(t, root, "var/lib/rpm/rpmdb.sqlite", database)
			}
		}
		want := dir(t, root)
		if len(want.Document.Components) == 0 {
			t.Errorf("%s: no components to compare", system)
		}
		for _, compress := range []bool{false, true} {
			layer := pack(t, root, compress)
			got := collectImage(t, layer)
			for i := range got.Document.Components {
				c := &got.Document.Components[i]
				if c.Layer == nil || c.Layer.Digest != layer.Digest || c.Layer.Instruction != "COPY . /" {
					t.Errorf("%s: %s has the layer %v", system, c.Name, c.Layer)
				}
				c.Layer = nil
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, compressed %v:\ngot  %v\nwant %v", system, compress, got, want)
			}
		}
	}
}

// Each component has the layer that its file is from.
func TestImageLayers(t *testing.T) {
	module := func(root, name, version string) {
		write(t, root, "app/node_modules/"+name+"/package.json", fmt.Appendf(nil, `{"name":%q,"version":%q}`, name, version))
	}
	lower, upper := t.TempDir(), t.TempDir()
	module(lower, "kept", "1.0.0")
	module(lower, "replaced", "1.0.0")
	module(lower, "hidden", "1.0.0")
	module(upper, "replaced", "2.0.0")
	write(t, upper, "app/node_modules/.wh.hidden", nil)
	layers := []imagefs.Layer{pack(t, lower, true), pack(t, upper, false)}
	layers[0].Instruction, layers[1].Instruction = "RUN npm install", "RUN npm update"
	var got []string
	for _, c := range collectImage(t, layers...).Document.Components {
		got = append(got, c.Name+" "+c.Version+" "+c.Layer.Instruction)
	}
	if want := []string{"kept 1.0.0 RUN npm install", "replaced 2.0.0 RUN npm update"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A layer that installs a package rewrites the database of all: each package
// still has the layer that brought it, in the version that it has.
func TestImagePackageLayers(t *testing.T) {
	const release = "ID=debian\nVERSION_ID=12\n"
	stanza := func(name, version string) string {
		return fmt.Sprintf("Package: %s\nStatus: install ok installed\nVersion: %s\nArchitecture: amd64\n\n", name, version)
	}
	states := []struct{ instruction, status string }{
		{"ADD rootfs /", stanza("base", "1") + stanza("upgraded", "1") + stanza("removed", "1") + stanza("returned", "1")},
		{"RUN install", stanza("base", "1") + stanza("upgraded", "1") + stanza("added", "1")},
		{"RUN upgrade", stanza("base", "1") + stanza("upgraded", "2") + stanza("added", "1") + stanza("returned", "1")},
		{"RUN configure", stanza("base", "1") + stanza("upgraded", "2") + stanza("added", "1") + stanza("returned", "1") + "# \n"},
	}
	want := []string{"added RUN install", "base ADD rootfs /", "returned RUN upgrade", "upgraded RUN upgrade"}
	for _, compress := range []bool{false, true} {
		var layers []imagefs.Layer
		for _, state := range states {
			root := t.TempDir()
			write(t, root, "etc/os-release", []byte(release))
			write(t, root, "var/lib/dpkg/status", []byte(state.status))
			layer := pack(t, root, compress)
			layer.Instruction = state.instruction
			layers = append(layers, layer)
		}
		var got []string
		for _, c := range collectImage(t, layers...).Document.Components {
			got = append(got, c.Name+" "+c.Layer.Instruction)
		}
		if !slices.Equal(got, want) {
			t.Errorf("compressed %v: got %q, want %q", compress, got, want)
		}
	}
}

// So it is with an rpm database that a layer only rebuilds.
func TestImageRPMLayers(t *testing.T) {
	database, err := os.ReadFile(filepath.Join("testdata", "rpmdb.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	lower, upper := unpack(t, "almalinux.txtar"), t.TempDir()
	write(t, lower, "var/lib/rpm/rpmdb.sqlite", database)
	write(t, upper, "var/lib/rpm/rpmdb.sqlite", database)
	layers := []imagefs.Layer{pack(t, lower, false), pack(t, upper, true)}
	layers[1].Instruction = "RUN rpm --rebuilddb"
	result, packages := collectImage(t, layers...), 0
	for _, c := range result.Document.Components {
		if !slices.Contains(c.Locations, "var/lib/rpm/rpmdb.sqlite") {
			continue
		}
		if packages++; c.Layer.Digest != layers[0].Digest {
			t.Errorf("%s has the layer %v, want the lower one", c.Name, c.Layer)
		}
	}
	if packages == 0 || len(result.Warnings) > 0 {
		t.Errorf("%d packages, warnings %v", packages, result.Warnings)
	}
}

// Who waits is told of each layer, and then of files.
func TestImageProgress(t *testing.T) {
	root := t.TempDir()
	write(t, root, "node_modules/a/package.json", []byte(`{"name":"a","version":"1.0.0"}`))
	var layers []int
	last := collect.Progress{}
	_, err := collect.Image(t.Context(), []imagefs.Layer{pack(t, root, true), pack(t, root, false)}, collect.Options{Progress: func(p collect.Progress) {
		if p.Directory == "" {
			layers = append(layers, p.Layers)
		}
		last = p
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(layers, []int{0, 1, 2}) || last.AllLayers != 2 || last.Directory == "" {
		t.Errorf("layers %v, at last %+v", layers, last)
	}
}

// pnpm writes a file once, under its hash, and links to it from everywhere.
func TestImageHardLinks(t *testing.T) {
	content := `{"name":"linked","version":"1.0.0"}`
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range []*tar.Header{
		{Name: "store/00ab", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))},
		{Name: "app/node_modules/linked/package.json", Typeflag: tar.TypeLink, Linkname: "store/00ab"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, content); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []io.Closer{w, z} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	result := collectImage(t, imagefs.Layer{File: io.NewSectionReader(bytes.NewReader(b.Bytes()), 0, int64(b.Len()))})
	if got, want := names(result.Document), []string{"npm linked 1.0.0"}; !slices.Equal(got, want) || len(result.Warnings) > 0 {
		t.Errorf("got %q, %v, want %q", got, result.Warnings, want)
	}
	if c := result.Document.Components[0]; c.Layer != nil {
		t.Errorf("an archive without a digest has the layer %v", c.Layer)
	}
}

// A damaged layer is a warning, or an error where it has to be verified.
func TestImageDamaged(t *testing.T) {
	root := t.TempDir()
	write(t, root, "node_modules/a/package.json", []byte(`{"name":"a","version":"1.0.0"}`))
	whole, damaged := pack(t, root, false), pack(t, root, true)
	damaged.File = io.NewSectionReader(damaged.File, 0, damaged.File.Size()/2)
	layers := []imagefs.Layer{whole, damaged}
	result, err := collect.Image(t.Context(), layers, collect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Document.Components) != 1 || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0].Message, damaged.Digest+": at offset ") {
		t.Errorf("%d components, warnings %v", len(result.Document.Components), result.Warnings)
	}
	if _, err := collect.Image(t.Context(), layers, collect.Options{Verify: true}); err == nil || !strings.Contains(err.Error(), damaged.Digest) {
		t.Errorf("verified: %v", err)
	}
}
