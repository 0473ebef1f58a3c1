package imagefs_test

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"

	"patrol/internal/collect/imagefs"
)

// FuzzIndex reads any bytes as two layers. Whatever they are: no path leads out,
// every file that is there can be read to its size, and what archive/tar reads
// as one plain file, this does too.
func FuzzIndex(f *testing.F) {
	f.Add([]byte{})
	f.Add(archive(f, file("a", "1"), directory("d"), symlink("d/l", "../a"), hardLink("d/h", "a"), special("p", tar.TypeFifo)))
	f.Add(archive(f, symlink("l", "/d"), file("l/a", "1"), file("d/.wh..wh..opq", ""), file(".wh.d", "")))
	f.Add(gzipped(f, archive(f, file(strings.Repeat("n/", 120)+"n", "long"))))
	f.Add(zstandard(f, archive(f, file("a", "1"))))
	f.Add(rawArchive(raw{kind: 'x', content: record("path", "p") + record("size", "1")}, raw{name: "a", kind: '0', content: "1"}))
	f.Add(rawArchive(raw{kind: 'L', content: "name\x00"}, raw{kind: 'K', content: "link\x00"}, raw{kind: '2'}))
	f.Add(rawArchive(raw{name: "s", kind: 'S', magic: "ustar  \x00", change: func(b []byte) { b[482] = 1 }, content: strings.Repeat("\x00", 512)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		layers := stored(t, uncompressed, data, data)
		tree, err := imagefs.Open(t.Context(), layers, imagefs.Options{Limits: imagefs.Limits{Entries: 10_000, Kept: 1 << 20, Inflated: 1 << 22, Followed: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		walk(t, tree, tree.Root(), 0)
		agree(t, data)
	})
}

func walk(t *testing.T, tree *imagefs.FS, n *imagefs.Node, depth int) {
	for c := range n.Children() {
		if name := c.Name(); name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
			t.Errorf("a file is called %q", name)
		}
		switch {
		case c.IsDir() && depth < 1000:
			walk(t, tree, c, depth+1)
		case c.Type() == fs.ModeSymlink:
			_, _ = tree.Stat(c.Name()) // only must end
		case c.Type().IsRegular():
			f, err := tree.OpenNode(c)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, f); err != nil || n != c.Size() {
				t.Errorf("%q: %d bytes of %d, %v", c.Name(), n, c.Size(), err)
			}
		}
	}
}

// agree compares with archive/tar on archives that it reads to their end.
func agree(t *testing.T, data []byte) {
	r := tar.NewReader(bytes.NewReader(data))
	var theirs []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil || h.Typeflag != tar.TypeReg || h.PAXRecords != nil {
			return // beyond what both have to read alike
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
		theirs = append(theirs, path.Clean("/" + h.Name)[1:])
	}
	if compressed, _ := imagefs.Compressed(bytes.NewReader(data)); compressed {
		return
	}
	var ours []string
	err := imagefs.Names(io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), func(name string) bool {
		ours = append(ours, name)
		return true
	})
	if err != nil && len(ours) <= len(theirs) { // where theirs forgives an end too early
		theirs = theirs[:len(ours)]
	}
	if strings.Join(ours, "\n") != strings.Join(theirs, "\n") {
		t.Errorf("got  %q, %v\nwant %q", ours, err, theirs)
	}
}
