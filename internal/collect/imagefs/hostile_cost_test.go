package imagefs_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"patrol/internal/collect/imagefs"
)

// zeros writes a gzip file that inflates to n zeros.
func zeros(t *testing.T, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	h := raw{name: "zeros", kind: '0', size: fmt.Sprintf("%011o", n)}.bytes()
	if _, err := w.Write(h); err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for left := n; left > 0; left -= int64(len(block)) {
		if _, err := w.Write(block[:min(left, int64(len(block)))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zstdZeros is the same in zstd, with a window of 2^log bytes (RFC 8878, 3.1.1): a
// block that says how often to repeat one byte takes four.
func zstdZeros(log int, n int64) []byte {
	const rawBlock, repeated, largest = 0, 1, 128 << 10
	block := func(data []byte, kind, size uint32) []byte {
		header := binary.LittleEndian.AppendUint32(nil, size<<3|kind<<1)
		return append(header[:3], data...)
	}
	header := raw{name: "zeros", kind: '0', size: fmt.Sprintf("%011o", n)}.bytes()
	frame := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, byte(log-10) << 3}, block(header, rawBlock, uint32(len(header)))...)
	for ; n > 0; n -= largest {
		frame = append(frame, block([]byte{0}, repeated, uint32(min(n, largest)))...)
	}
	return append(frame, 1, 0, 0) // an empty block that says it is the last
}

func TestBombs(t *testing.T) {
	bomb, zstdBomb := zeros(t, 16<<20), zstdZeros(20, 16<<20)
	many := archive(t, file("a", "1"), file("b", "2"), file("c", "3"), file("d/e/f/g/h", "4"))
	links := layer{symlink("s0", strings.Repeat("./", 1000))}
	for i := range 30 {
		links = append(links, symlink(fmt.Sprintf("s%d", i+1), strings.Repeat("./", 1000)+fmt.Sprint("s", i)))
	}
	for i := range 100 {
		links = append(links, file(fmt.Sprintf("s%d/f%d", 30-i%2, i), ""))
	}
	tests := []struct {
		name   string
		blob   []byte
		limits imagefs.Limits
		want   string
	}{
		{"inflated", bomb, imagefs.Limits{Inflated: 1 << 20}, "inflates to more than 1048576 bytes"},
		{"ratio", bomb, imagefs.Limits{Free: 8 << 20}, "inflates to more than 250 times its size"},
		{"kept", bomb, imagefs.Limits{Kept: 1 << 20}, "bytes to keep, the limit is 1048576"},
		{"zstd inflated", zstdBomb, imagefs.Limits{Inflated: 1 << 20}, "inflates to more than 1048576 bytes"},
		{"zstd ratio", zstdBomb, imagefs.Limits{Free: 8 << 20}, "inflates to more than 250 times its size"},
		{"zstd kept", zstdBomb, imagefs.Limits{Kept: 1 << 20}, "bytes to keep, the limit is 1048576"},
		{"zstd window", zstdZeros(28, 1<<20), imagefs.Limits{}, "window size exceeded"},
		{"entries", many, imagefs.Limits{Entries: 3}, "entries, the limit is 3"},
		{"implied directories", many, imagefs.Limits{Entries: 5}, "entries, the limit is 5"},
		{"paths", many, imagefs.Limits{Paths: 2}, "bytes of paths, the limit is 2"},
		{"links", archive(t, links...), imagefs.Limits{Followed: 1 << 20}, "bytes of symbolic links followed, the limit is 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w warnings
			open(t, stored(t, uncompressed, tt.blob), imagefs.Options{Limits: tt.limits, Warn: w.add})
			w.expect(t, tt.want)
			if !strings.Contains(strings.Join(w.list, ""), "layer sha256:") {
				t.Errorf("%q does not name the layer", w.list)
			}
		})
	}
	if _, err := imagefs.Open(t.Context(), make([]imagefs.Layer, 3), imagefs.Options{Limits: imagefs.Limits{Layers: 2}}); !errors.Is(err, imagefs.ErrLimit) {
		t.Errorf("three layers: %v", err)
	}
}

// Layers whose window is wide are read, each in its turn; the others beside them.
func TestWindows(t *testing.T) {
	wide, usual := zstdZeros(27, 1<<20), zstdZeros(23, 1<<20)
	layers := stored(t, uncompressed, wide, usual, wide, archive(t, file("a", "1")), usual, wide)
	var w warnings
	f := open(t, layers, imagefs.Options{Warn: w.add})
	w.expect(t)
	if info, err := f.Stat("zeros"); err != nil || info.Size() != 1<<20 || read(t, f, "a") != "1" {
		t.Errorf("%v, %v", info, err)
	}
}

// Repeating what is costly costs no more: each directory is gone through once.
func TestManyWhiteouts(t *testing.T) {
	entries := layer{}
	for i := range 20_000 {
		entries = append(entries, file(fmt.Sprintf("d/%d", i), ""))
	}
	for range 20_000 {
		entries = append(entries, file("d/.wh..wh..opq", ""), file(".wh.d", ""))
	}
	var w warnings
	f := open(t, stored(t, uncompressed, archive(t, file("d/low", "")), archive(t, entries...)), imagefs.Options{Warn: w.add})
	if list, err := f.ReadDir("d"); err != nil || len(list) != 20_000 {
		t.Errorf("%d files, %v", len(list), err)
	}
}

// A directory at the bottom of a hundred thousand, each link a step deeper.
func TestDeep(t *testing.T) {
	entries := layer{}
	at := ""
	for i := range 100 {
		entries = append(entries, directory(at+strings.Repeat("d/", 1000)+"d"), symlink(fmt.Sprint("s", i), at+strings.Repeat("d/", 1000)+"d"))
		at = fmt.Sprint("s", i, "/")
	}
	entries = append(entries, file(at+"bottom", "1"))
	var w warnings
	f := open(t, stored(t, uncompressed, archive(t, entries...), archive(t, file(".wh.d", ""))), imagefs.Options{Warn: w.add})
	if _, err := f.Stat("d"); err == nil {
		t.Error("d is still there")
	}
}

// millionMiB is what a million empty files may cost; the race detector, if it watches,
// takes several times as much itself.
const millionMiB = 512

// TestMillion runs itself in a process of its own, whose memory is measured.
func TestMillion(t *testing.T) {
	const variable = "PATROL_TEST_MILLION"
	if name := os.Getenv(variable); name != "" {
		million(t, name)
		return
	}
	name := t.TempDir() + "/million.tar"
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	buffered := bufio.NewWriterSize(out, 1<<20)
	w := tar.NewWriter(buffered)
	for i := range 1_000_000 {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/share/d%d/empty-file-number-%d", i%1000, i), Typeflag: tar.TypeReg, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), buffered.Flush()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMillion$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+name)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	t.Logf("%s", text)
}

func million(t *testing.T, name string) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	tree := open(t, []imagefs.Layer{{File: io.NewSectionReader(f, 0, info.Size())}}, imagefs.Options{})
	n := 0
	list, err := tree.ReadDir("usr/share")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		for range d.(*imagefs.Node).Children() {
			n++
		}
	}
	if n != 1_000_000 {
		t.Errorf("%d files", n)
	}
	// What rusage says of a process begins with what its parent had.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	var used int
	if _, err := fmt.Sscan(peak, &used); err != nil {
		t.Fatal(err)
	}
	if limit := millionMiB << 10; used > limit {
		t.Errorf("%d KiB of memory, more than %d", used, limit)
	}
}
