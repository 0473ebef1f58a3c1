package main_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	endian "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// layerDigest is what an image's configuration calls a layer here.
func layerDigest(name string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name))) }

// dockerArchive writes what docker-save would of these layers, by their names.
func dockerArchive(t *testing.T, names []string, blobs map[string][]byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	add := func(name string, content []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	toJSON := func(v any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var digests, files []string
	for _, name := range names {
		digests, files = append(digests, layerDigest(name)), append(files, name)
		add(name, blobs[name])
	}
	add("config", toJSON(map[string]any{"architecture": "amd64", "os": "linux", "rootfs": map[string]any{"diff_ids": digests}}))
	add("manifest.json", toJSON([]map[string]any{{"Config": "config", "Layers": files}}))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// entries is a tar archive without its end, so that more can follow.
func entries(t *testing.T, contents map[string]string, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(contents[h.Name]))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, contents[h.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// startOf is the header of a file of that size, and how it begins.
func startOf(t *testing.T, name, start string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), start...)
}

// header is one with the field for its size as it is given.
func header(t *testing.T, name string, kind byte, size string) []byte {
	t.Helper()
	b := startOf(t, name, "", 0)
	copy(b[124:136], size+strings.Repeat("\x00", 12-len(size)))
	b[156] = kind
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// gzipped is data, and zeros up to the size. A gzip file may have several members
// (RFC 1952, 2.2), so the same one can come again and again.
func gzipped(t *testing.T, data []byte, size int64) []byte {
	t.Helper()
	member := func(data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const chunk = 16 * mib
	stored, left := member(data), size-int64(len(data))
	if whole := left / chunk; whole > 0 {
		stored = append(stored, bytes.Repeat(member(make([]byte, chunk)), int(whole))...)
	}
	if rest := left % chunk; rest > 0 {
		stored = append(stored, member(make([]byte, rest))...)
	}
	return stored
}

// zstandard is data and n zeros, with a window of 128 MiB (RFC 8878, 3.1.1).
func zstandard(data []byte, n int64) []byte {
	const rawBlock, repeated, largest = 0, 1, 128 << 10
	block := func(content []byte, kind, size uint32) []byte {
		header := endian.LittleEndian.AppendUint32(nil, size<<3|kind<<1)
		return append(header[:3], content...)
	}
	frame := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, (27 - 10) << 3}, block(data, rawBlock, uint32(len(data)))...)
	for ; n > 0; n -= largest {
		frame = append(frame, block([]byte{0}, repeated, uint32(min(n, largest)))...)
	}
	return append(frame, 1, 0, 0) // an empty block that says it is the last
}

// TestHostileImage scans an image of layers that would take gigabytes or minutes, or
// lead out of it, if its readers trusted them, above one that is good.
func TestHostileImage(t *testing.T) {
	const gigabyte = 1_000_000_000
	good := map[string]string{
		"etc/os-release":                      "ID=debian\nVERSION_ID=12\n",
		"srv/node_modules/good/package.json":  `{"name":"good","version":"1.0.0"}`,
		"srv/node_modules/after/package.json": `{"name":"after","version":"1.0.0"}`,
	}
	var headers []tar.Header
	for name := range good {
		headers = append(headers, tar.Header{Name: name})
	}
	after := entries(t, good, tar.Header{Name: "srv/node_modules/after/package.json"})
	stanzas := "Package: shown\nStatus: install ok installed\nVersion: 1\n\nPackage: large\nStatus: install ok installed\nVersion: 1\nDescription: "
	status := gzipped(t, startOf(t, "var/lib/dpkg/status", stanzas, gigabyte), 512+gigabyte)

	var whiteouts bytes.Buffer
	for range 50_000 {
		whiteouts.Write(header(t, "srv/node_modules/.wh.none", '0', "0"))
		whiteouts.Write(header(t, "none/.wh..wh..opq", '0', "0"))
	}
	names := []string{"good", "status", "gzip bomb", "zstd 1", "zstd 2", "zstd 3", "zstd 4", "huge", "sparse", "cut off", "links", "whiteouts"}
	blobs := map[string][]byte{
		"good":      entries(t, good, headers...),
		"status":    append(status, gzipped(t, after, int64(len(after)))...),
		"gzip bomb": gzipped(t, startOf(t, "var/lib/rpm/Packages", "", 6*gigabyte), 3*gigabyte),
		"huge":      slices.Concat(after, header(t, "huge", '0', "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")), // 2^40
		"sparse":    slices.Concat(header(t, "sparse", 'S', "0"), after),
		"cut off":   gzipped(t, startOf(t, "etc/os-release", "", 8*mib), 8*mib)[:2000],
		"links": entries(t, nil,
			tar.Header{Typeflag: tar.TypeSymlink, Name: "loop", Linkname: "loop"}, tar.Header{Typeflag: tar.TypeReg, Name: "loop/a"},
			tar.Header{Typeflag: tar.TypeSymlink, Name: "out", Linkname: "/../../.."}, tar.Header{Typeflag: tar.TypeReg, Name: "out/../../tmp/a"},
			tar.Header{Typeflag: tar.TypeChar, Name: "dev/mem", Devmajor: 1, Devminor: 1}, tar.Header{Typeflag: tar.TypeFifo, Name: "fifo"},
		),
		"whiteouts": whiteouts.Bytes(),
	}
	for i := range 4 {
		blobs[fmt.Sprint("zstd ", i+1)] = zstandard(startOf(t, fmt.Sprint("zeros", i), "", gigabyte), gigabyte)
	}
	r := scanHostile(t, "docker-archive:"+dockerArchive(t, names, blobs))
	named := func(place, layer, what string) string { return place + ": layer " + layerDigest(layer) + ": " + what }
	expectWarnings(t, r,
		named("var/lib/dpkg/status", "status", "os/dpkg: not read: 953 MiB, more than 32"), named(".", "gzip bomb", "at offset 512: var/lib/rpm/Packages: more than is read of an image: inflates to more than 250 times its size"),
		named(".", "huge", "at offset 1536: huge: unexpected EOF"), named("sparse", "sparse", "a sparse file"), named(".", "cut off", "at offset"), named("loop/a", "links", "its directory"),
	)
	if r.SBOM.Components != 2 {
		t.Errorf("%d components, want the good one and the one after", r.SBOM.Components)
	}
}
