package imagefs_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"patrol/internal/collect/imagefs"
)

// Entries of layers under test. A name that ends in a slash is a directory.

func file(name, content string) *tar.Header {
	h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}
	h.PAXRecords = map[string]string{"TEST.content": content}
	return h
}

func directory(name string) *tar.Header {
	return &tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755}
}

func symlink(name, target string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}
}

func hardLink(name, target string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target, Mode: 0o644}
}

func special(name string, kind byte) *tar.Header {
	return &tar.Header{Name: name, Typeflag: kind, Mode: 0o644}
}

// archive writes a tar archive of the entries.
func archive(tb testing.TB, entries ...*tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		content := h.PAXRecords["TEST.content"]
		plain := *h
		plain.PAXRecords = nil
		if err := w.WriteHeader(&plain); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// stored makes layers of blobs, each as compress leaves it.
func stored(tb testing.TB, compress func(testing.TB, []byte) []byte, archives ...[]byte) (layers []imagefs.Layer) {
	tb.Helper()
	for i, data := range archives {
		blob := compress(tb, data)
		layers = append(layers, imagefs.Layer{
			Digest: digest(data), Instruction: fmt.Sprintf("RUN step %d", i),
			File: io.NewSectionReader(bytes.NewReader(blob), 0, int64(len(blob))), Size: int64(len(blob)),
		})
	}
	return layers
}

func uncompressed(_ testing.TB, data []byte) []byte { return data }

func gzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(tb testing.TB, data []byte) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(data, nil)
}

// warnings collects what an image warns of.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) add(path, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, path+": "+message)
}

// expect checks that there is one warning for each of the texts, with that text.
func (w *warnings) expect(t *testing.T, texts ...string) {
	t.Helper()
	if len(w.list) != len(texts) {
		t.Errorf("warnings %q, want %d", w.list, len(texts))
		return
	}
	for i, text := range texts {
		if !strings.Contains(w.list[i], text) {
			t.Errorf("warning %q does not say %q", w.list[i], text)
		}
	}
}

func open(t *testing.T, layers []imagefs.Layer, opts imagefs.Options) *imagefs.FS {
	t.Helper()
	f, err := imagefs.Open(t.Context(), layers, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// listing is the tree as "path", "path/", "path -> target" is not shown: links
// are followed where they are used. Files come with layer and contents.
func listing(t *testing.T, f *imagefs.FS) []string {
	t.Helper()
	list := []string{}
	var descend func(n *imagefs.Node, dir string)
	descend = func(n *imagefs.Node, dir string) {
		for c := range n.Children() {
			name := dir + c.Name()
			switch {
			case c.IsDir():
				list = append(list, name+"/")
				descend(c, name+"/")
			case c.Type() == fs.ModeSymlink:
				list = append(list, name+"@")
			default:
				list = append(list, fmt.Sprintf("%s=%s %s", name, read(t, f, name), f.Layer(c).Instruction[len("RUN step "):]))
			}
		}
	}
	descend(f.Root(), "")
	slices.Sort(list)
	return list
}

func read(t *testing.T, f *imagefs.FS, name string) string {
	t.Helper()
	content, err := fs.ReadFile(f, name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return string(content)
}
